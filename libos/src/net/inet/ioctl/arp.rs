//! SIOCGARP (arp(7)): at which station a neighbour is.

use core::net::{IpAddr, Ipv4Addr};

use super::{NAME_SIZE, interfaces};
use crate::errno::{Errno, Result};
use crate::net::inet::neighbours::{self, ShownNeighbour};
use crate::user::{Plain, UserPtr};

/// `struct arpreq`: three `struct sockaddr`, of which the first two are used, and flags.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct ArpRequest {
    protocol_family: u16,
    port: u16,
    protocol_address: [u8; 4],
    unused: [u8; 8],
    hardware_family: u16,
    hardware_address: [u8; 14],
    flags: u32,
    netmask: [u8; 16],
    device: [u8; NAME_SIZE],
}

// SAFETY: integers without padding (offsets 0, 2, 4, 8, 16, 18, 32, 36, 52, of 68 bytes): every pattern is valid, nothing is
// owned.
unsafe impl Plain for ArpRequest {}

/// Fills in what is known of the neighbour that is asked for (net/ipv4/arp.c, `arp_ioctl`).
pub(super) fn tell(place: UserPtr<ArpRequest>) -> Result<()> {
    let asked = place.read()?;
    let index = check(&asked)?;
    let address = IpAddr::V4(Ipv4Addr::from(asked.protocol_address));
    let found = neighbours::find(&|one| one.index == index && one.neighbour.address == address);
    place.write(answer(asked, &found.ok_or(Errno::ENXIO)?))
}

/// The number of the interface that is asked for.
fn check(asked: &ArpRequest) -> Result<u32> {
    const INET: u16 = 2;
    /// `ATF_PUBL`, `ATF_NETMASK` and `ATF_DONTPUB`: proxies, whom nobody is here.
    const PUBLISHED: u32 = 0x8;
    const OF_PROXIES: u32 = 0x20 | 0x40;
    if asked.protocol_family != INET {
        return Err(Errno::EPFNOSUPPORT);
    }
    if asked.flags & PUBLISHED == 0 && asked.flags & OF_PROXIES != 0 {
        return Err(Errno::EINVAL);
    }
    let end = asked.device.iter().position(|&byte| byte == 0);
    let name = &asked.device[..end.unwrap_or(NAME_SIZE - 1)];
    let found = interfaces::by_name(name).ok_or(Errno::ENODEV)?;
    Ok(found.index)
}

fn answer(asked: ArpRequest, found: &ShownNeighbour) -> ArpRequest {
    const ETHER: u16 = 1;
    let mut hardware_address = [0; 14];
    hardware_address[..6].copy_from_slice(&found.hardware_address());
    ArpRequest {
        hardware_family: ETHER,
        hardware_address,
        flags: found.arp_flags(),
        ..asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(device: &str) -> ArpRequest {
        ArpRequest {
            protocol_family: 2,
            port: 0,
            protocol_address: [10, 0, 2, 2],
            unused: [0; 8],
            hardware_family: 0,
            hardware_address: [0; 14],
            flags: 0,
            netmask: [0; 16],
            device: super::super::name_field(device),
        }
    }

    #[test]
    fn errors_are_linuxs() {
        let ask = |mut asked: ArpRequest| tell(UserPtr::new(&raw mut asked as usize));
        let ipv6 = ArpRequest {
            protocol_family: 10,
            ..asked("lo")
        };
        let masked = ArpRequest {
            flags: 0x20,
            ..asked("lo")
        };
        assert_eq!(ask(ipv6), Err(Errno::EPFNOSUPPORT));
        assert_eq!(ask(masked), Err(Errno::EINVAL));
        assert_eq!(ask(asked("")), Err(Errno::ENODEV));
        assert_eq!(ask(asked("nowhere")), Err(Errno::ENODEV));
        assert_eq!(ask(asked("lo")), Err(Errno::ENXIO));
        assert_eq!(tell(UserPtr::new(0)), Err(Errno::EFAULT));
    }

    #[test]
    fn a_neighbour_is_told() {
        let mut one = neighbours::example();
        let told = answer(asked("eth0"), &one);
        assert_eq!(size_of_val(&told), 68);
        assert_eq!((told.hardware_family, told.flags), (1, 2));
        assert_eq!(told.hardware_address[..7], [2, 0, 0, 0, 0, 0xa9, 0]);
        one.neighbour.mac = None;
        let told = answer(asked("eth0"), &one);
        assert_eq!((told.hardware_address, told.flags), ([0; 14], 0));
    }
}
