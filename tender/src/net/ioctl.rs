//! Interface ioctls of netdevice(7) and the kernel's tuntap.rst, typed.
//!
//! Main types: [`Querier`] (asks for an interface's properties), [`Request`] (`struct ifreq`).

use rustix::net::{AddressFamily, SocketFlags, SocketType};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// `struct ifreq` for an interface, all zero but the name.
///
/// # Errors
/// The name is longer than the kernel's.
fn request(name: &str) -> io::Result<libc::ifreq> {
    // SAFETY: all-zero is a valid ifreq, an array of bytes and a union of plain data.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (place, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *place = byte.cast_signed();
    }
    Ok(request)
}

/// A socket through which the network namespace is asked about its interfaces.
#[derive(Debug)]
pub struct Querier {
    socket: OwnedFd,
}

/// What an interface is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Properties {
    /// Its number.
    pub index: u32,
    /// Longest IP packet in bytes.
    pub mtu: u32,
    /// Its Ethernet address; none of an interface of another type.
    pub mac: Option<[u8; 6]>,
    /// Whether it is set up (IFF_UP).
    pub is_up: bool,
}

impl Querier {
    /// For this process's network namespace.
    ///
    /// # Errors
    /// That of socket(2).
    pub fn new() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC;
        let (family, kind) = (AddressFamily::UNIX, SocketType::DGRAM);
        let socket = rustix::net::socket_with(family, kind, flags, None)?;
        Ok(Self { socket })
    }

    /// The properties of the interface `name`; none if there is no such interface.
    ///
    /// # Errors
    /// Those of ioctl(2).
    pub fn properties(&self, name: &str) -> io::Result<Option<Properties>> {
        let index = match self.ask(name, libc::SIOCGIFINDEX) {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => return Ok(None),
            // SAFETY: SIOCGIFINDEX has written an int to the union.
            answer => unsafe { answer?.ifr_ifru.ifru_ifindex },
        };
        // SAFETY: SIOCGIFMTU has written an int to the union.
        let mtu = unsafe { self.ask(name, libc::SIOCGIFMTU)?.ifr_ifru.ifru_mtu };
        // SAFETY: SIOCGIFHWADDR has written a sockaddr to the union.
        let hardware = unsafe { self.ask(name, libc::SIOCGIFHWADDR)?.ifr_ifru.ifru_hwaddr };
        // SAFETY: SIOCGIFFLAGS has written a short to the union.
        let flags = unsafe { self.ask(name, libc::SIOCGIFFLAGS)?.ifr_ifru.ifru_flags };
        let mut mac = [0; 6];
        for (byte, given) in mac.iter_mut().zip(hardware.sa_data) {
            *byte = given.cast_unsigned();
        }
        Ok(Some(Properties {
            index: u32::try_from(index).map_err(io::Error::other)?,
            mtu: u32::try_from(mtu).map_err(io::Error::other)?,
            mac: (hardware.sa_family == libc::ARPHRD_ETHER).then_some(mac),
            is_up: i32::from(flags) & libc::IFF_UP != 0,
        }))
    }

    fn ask(&self, name: &str, number: libc::c_ulong) -> io::Result<libc::ifreq> {
        let mut request = request(name)?;
        // SAFETY: the SIOCGIF* requests read and write one ifreq.
        let answer = unsafe { libc::ioctl(self.socket.as_raw_fd(), number, &raw mut request) };
        if answer < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(request)
    }
}

/// TUNSETIFF: attaches the open `/dev/net/tun` to the tap `name`.
///
/// # Errors
/// That of ioctl(2).
pub fn attach_tap(tun: BorrowedFd<'_>, name: &str, flags: libc::c_int) -> io::Result<()> {
    let mut request = request(name)?;
    request.ifr_ifru.ifru_flags = libc::c_short::from_ne_bytes(
        u16::try_from(flags)
            .map_err(io::Error::other)?
            .to_ne_bytes(),
    );
    // SAFETY: TUNSETIFF reads and writes one ifreq.
    let answer = unsafe { libc::ioctl(tun.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// TUNSETVNETHDRSZ: the length in bytes of the header before each frame.
///
/// # Errors
/// That of ioctl(2).
pub fn set_header_length(tun: BorrowedFd<'_>, length: libc::c_int) -> io::Result<()> {
    // SAFETY: TUNSETVNETHDRSZ reads one int.
    let answer = unsafe { libc::ioctl(tun.as_raw_fd(), libc::TUNSETVNETHDRSZ, &raw const length) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// TUNSETOFFLOAD: what the reader of the tap can do with frames that are not finished.
///
/// # Errors
/// That of ioctl(2).
pub fn set_offload(tun: BorrowedFd<'_>, offload: libc::c_uint) -> io::Result<()> {
    let argument = libc::c_ulong::from(offload);
    // SAFETY: TUNSETOFFLOAD takes a number and no pointer.
    let answer = unsafe { libc::ioctl(tun.as_raw_fd(), libc::TUNSETOFFLOAD, argument) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
