//! netdevice(7): ioctl(2) requests about interfaces, on a socket of any family. Interfaces are read;
//! changing them needs CAP_NET_ADMIN, which nobody has here. [`arp`]: what arp(7) asks.

mod arp;

use core::net::Ipv4Addr;

use linux_raw_sys::ioctl::{
    SIOCADDRT, SIOCDARP, SIOCDELRT, SIOCGARP, SIOCGIFADDR, SIOCGIFBRDADDR, SIOCGIFCONF,
    SIOCGIFDSTADDR, SIOCGIFFLAGS, SIOCGIFHWADDR, SIOCGIFINDEX, SIOCGIFMAP, SIOCGIFMETRIC,
    SIOCGIFMTU, SIOCGIFNAME, SIOCGIFNETMASK, SIOCGIFTXQLEN, SIOCSARP, SIOCSIFADDR, SIOCSIFBRDADDR,
    SIOCSIFDSTADDR, SIOCSIFFLAGS, SIOCSIFHWADDR, SIOCSIFHWBROADCAST, SIOCSIFMAP, SIOCSIFMETRIC,
    SIOCSIFMTU, SIOCSIFNAME, SIOCSIFNETMASK, SIOCSIFTXQLEN,
};

use super::interfaces::{self, Interface};
use crate::errno::{Errno, Result};
use crate::user::{Plain, UserPtr};

const SIOCETHTOOL: u32 = 0x8946;

/// Length of a name with its NUL (`IFNAMSIZ`).
const NAME_SIZE: usize = 16;

/// Packets that may wait in a device's queue, as Linux has it by default.
const QUEUE_LEN: i32 = 1000;

/// `struct ifreq`: a name, and what is asked or told of it.
#[repr(C)]
#[derive(Clone, Copy)]
struct Request {
    name: [u8; NAME_SIZE],
    value: [u8; 24],
}

// SAFETY: bytes only: every pattern is valid, nothing is owned.
unsafe impl Plain for Request {}

/// `struct ifconf`: a buffer for `struct ifreq`s.
#[repr(C)]
#[derive(Clone, Copy)]
struct Configuration {
    len: i32,
    padding: u32,
    buffer: usize,
}

// SAFETY: integers, the padding spelled out: every pattern is valid, nothing is owned.
unsafe impl Plain for Configuration {}

/// Answers `request`, if it is about interfaces.
///
/// # Errors
/// ENOTTY for any other request, ENODEV for an interface that there isn't, EADDRNOTAVAIL for one
/// without an IPv4 address, EPERM for a change, EFAULT.
pub fn request(request: u32, argument: usize) -> Result<usize> {
    let place = UserPtr::<Request>::new(argument);
    match request {
        SIOCGIFCONF => list(UserPtr::new(argument))?,
        SIOCGIFNAME => name(place)?,
        SIOCGARP => arp::tell(UserPtr::new(argument))?,
        SIOCETHTOOL => device_facts(&place.read()?)?,
        SIOCADDRT | SIOCDELRT | SIOCDARP | SIOCSARP | SIOCSIFADDR | SIOCSIFBRDADDR
        | SIOCSIFDSTADDR | SIOCSIFFLAGS | SIOCSIFHWADDR | SIOCSIFHWBROADCAST | SIOCSIFMAP
        | SIOCSIFMETRIC | SIOCSIFMTU | SIOCSIFNAME | SIOCSIFNETMASK | SIOCSIFTXQLEN => {
            return Err(Errno::EPERM.because("the network is configured by the tender"));
        }
        _ => {
            let Some(tell) = question(request) else {
                return Err(Errno::ENOTTY);
            };
            let mut asked = place.read()?;
            let interface = named(&asked)?;
            asked.value = [0; 24];
            tell(&interface, &mut asked.value)?;
            place.write(asked)?;
        }
    }
    Ok(0)
}

/// What answers a question about one interface.
type Tell = fn(&Interface, &mut [u8; 24]) -> Result<()>;

fn question(request: u32) -> Option<Tell> {
    Some(match request {
        SIOCGIFFLAGS => |interface, value| {
            // The field has 16 bits; Linux cuts as well.
            value[..2].copy_from_slice(&interface.flags().to_ne_bytes()[..2]);
            Ok(())
        },
        SIOCGIFINDEX => |interface, value| put_word(value, interface.index.cast_signed()),
        SIOCGIFMTU => |interface, value| put_word(value, interface.mtu.cast_signed()),
        SIOCGIFMETRIC => |_, value| put_word(value, 0),
        SIOCGIFTXQLEN => |_, value| put_word(value, QUEUE_LEN),
        SIOCGIFMAP => |_, _| Ok(()),
        SIOCGIFHWADDR => |interface, value| {
            value[..2].copy_from_slice(&interface.hardware_type().to_ne_bytes());
            value[2..8].copy_from_slice(&interface.mac);
            Ok(())
        },
        SIOCGIFADDR | SIOCGIFDSTADDR => |interface, value| {
            let (own, _) = first_ipv4(interface)?;
            put_address(value, own)
        },
        SIOCGIFNETMASK => |interface, value| {
            let (_, prefix) = first_ipv4(interface)?;
            put_address(value, interfaces::netmask(prefix))
        },
        SIOCGIFBRDADDR => |interface, value| {
            let (own, prefix) = first_ipv4(interface)?;
            let all = interfaces::broadcast(own, prefix).filter(|_| !interface.is_loopback());
            put_address(value, all.unwrap_or(Ipv4Addr::UNSPECIFIED))
        },
        _ => return None,
    })
}

fn named(request: &Request) -> Result<Interface> {
    let end = request.name.iter().position(|&byte| byte == 0);
    let name = &request.name[..end.unwrap_or(NAME_SIZE - 1)];
    interfaces::by_name(name).ok_or(Errno::ENODEV)
}

fn first_ipv4(interface: &Interface) -> Result<(Ipv4Addr, u8)> {
    interface.ipv4().next().ok_or(Errno::EADDRNOTAVAIL)
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the answers that cannot fail share their type with those that can"
)]
fn put_word(value: &mut [u8; 24], word: i32) -> Result<()> {
    value[..4].copy_from_slice(&word.to_ne_bytes());
    Ok(())
}

/// A `struct sockaddr_in`.
#[expect(clippy::unnecessary_wraps, reason = "as above")]
fn put_address(value: &mut [u8; 24], address: Ipv4Addr) -> Result<()> {
    const INET: u16 = 2;
    value[..2].copy_from_slice(&INET.to_ne_bytes());
    value[4..8].copy_from_slice(&address.octets());
    Ok(())
}

fn name_field(name: &str) -> [u8; NAME_SIZE] {
    let mut field = [0; NAME_SIZE];
    let len = name.len().min(NAME_SIZE - 1);
    field[..len].copy_from_slice(&name.as_bytes()[..len]);
    field
}

fn name(place: UserPtr<Request>) -> Result<()> {
    let mut asked = place.read()?;
    let [a, b, c, d, ..] = asked.value;
    let index = u32::from_ne_bytes([a, b, c, d]);
    let interface = interfaces::by_index(index).ok_or(Errno::ENODEV)?;
    asked.name = name_field(&interface.name);
    place.write(asked)
}

/// Interfaces with their IPv4 addresses, as many as fit; without a buffer, how much they need.
fn list(place: UserPtr<Configuration>) -> Result<()> {
    let mut configuration = place.read()?;
    let mut all = alloc::vec::Vec::new();
    for interface in interfaces::all() {
        for (address, _) in interface.ipv4() {
            let mut entry = Request {
                name: name_field(&interface.name),
                value: [0; 24],
            };
            put_address(&mut entry.value, address)?;
            all.push(entry);
        }
    }
    let buffer = UserPtr::<Request>::new(configuration.buffer);
    if !buffer.is_null() {
        let room = usize::try_from(configuration.len).map_err(|_| Errno::EINVAL)?;
        all.truncate(room / size_of::<Request>());
        buffer.write_slice(&all)?;
    }
    let len = all.len() * size_of::<Request>();
    configuration.len = i32::try_from(len).map_err(|_| Errno::EINVAL)?;
    place.write(configuration)
}

/// ethtool(8): whether the link is up, and what drives it.
fn device_facts(request: &Request) -> Result<()> {
    const DRIVER: u32 = 3;
    const LINK: u32 = 10;
    let interface = named(request)?;
    let [a, b, c, d, e, f, g, h, ..] = request.value;
    let data = UserPtr::<u32>::new(usize::from_ne_bytes([a, b, c, d, e, f, g, h]));
    match data.read()? {
        LINK => data.element(1)?.write(u32::from(interface.is_up)),
        DRIVER => {
            let mut driver = [0_u8; 32];
            let name = if interface.is_loopback() {
                "loopback"
            } else {
                "libos"
            };
            driver[..name.len()].copy_from_slice(name.as_bytes());
            data.byte_offset::<u8>(4)?.write_slice(&driver)?;
            // Version, firmware, bus and the rest: 160 bytes that say nothing.
            data.byte_offset::<u8>(36)?.write_slice(&[0; 160])
        }
        _ => Err(Errno::EOPNOTSUPP),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &str) -> Request {
        Request {
            name: name_field(name),
            value: [0xff; 24],
        }
    }

    fn ask(number: u32, name: &str) -> Result<[u8; 24]> {
        let mut place = asked(name);
        request(number, &raw mut place as usize)?;
        Ok(place.value)
    }

    #[test]
    fn loopback_is_described() {
        for (number, expected) in [
            (SIOCGIFFLAGS, &[0x49, 0, 0, 0][..]),
            (SIOCGIFINDEX, &[1, 0, 0, 0]),
            (SIOCGIFMTU, &[0, 0, 1, 0]),
            (SIOCGIFADDR, &[2, 0, 0, 0, 127, 0, 0, 1, 0]),
            (SIOCGIFNETMASK, &[2, 0, 0, 0, 255, 0, 0, 0, 0]),
            (SIOCGIFBRDADDR, &[2, 0, 0, 0, 0, 0, 0, 0, 0]),
            (SIOCGIFHWADDR, &[4, 3, 0, 0, 0, 0, 0, 0, 0]),
        ] {
            let value = ask(number, "lo").expect("known");
            assert_eq!(&value[..expected.len()], expected, "{number:#x}");
        }
    }

    #[test]
    fn errors_are_linuxs() {
        assert_eq!(ask(SIOCGIFINDEX, "nowhere"), Err(Errno::ENODEV));
        assert_eq!(ask(SIOCSIFFLAGS, "lo"), Err(Errno::EPERM));
        assert_eq!(ask(0x1234, "lo"), Err(Errno::ENOTTY));
        assert_eq!(request(SIOCGIFINDEX, 0), Err(Errno::EFAULT));
    }

    #[test]
    fn interfaces_are_listed_and_named() {
        let mut entries = [asked("")];
        let mut configuration = Configuration {
            len: 100,
            padding: 0,
            buffer: entries.as_mut_ptr() as usize,
        };
        let place = &raw mut configuration as usize;
        assert_eq!(request(SIOCGIFCONF, place), Ok(0));
        assert_eq!(configuration.len, 40);
        assert_eq!(&entries[0].name[..3], b"lo\0");
        configuration.buffer = 0;
        let place = &raw mut configuration as usize;
        assert_eq!(request(SIOCGIFCONF, place), Ok(0));
        assert_eq!(configuration.len, 40);
        let mut by_index = asked("");
        by_index.value[..4].copy_from_slice(&1_u32.to_ne_bytes());
        assert_eq!(request(SIOCGIFNAME, &raw mut by_index as usize), Ok(0));
        assert_eq!(&by_index.name[..3], b"lo\0");
    }
}
