//! `--net tap=NAME`: an existing tap, with frames behind a `struct virtio_net_hdr`, checksums and TCP
//! segmentation left to whoever can do them best.
//!
//! The tender attaches to a tap and makes none: a tap of its own making would vanish with it, and need
//! root each time.

use super::error::{NetError, system};
use super::ioctl::{self, Properties, Querier};
use libos_abi::net::flags;
use rustix::fs::{Mode, OFlags};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Length of `struct virtio_net_hdr`, in bytes.
const HEADER_LEN: libc::c_int = 10;

/// An attached tap.
#[derive(Debug)]
pub struct Tap {
    /// Nonblocking.
    pub fd: OwnedFd,
    /// What the host's end is like.
    pub properties: Properties,
    /// What it does for the guest; see [`flags`].
    pub offloads: u32,
}

/// Attaches to the tap `name`.
///
/// # Errors
/// [`NetError`]: there is none, it is somebody else's, or in use.
pub fn open(name: &str) -> Result<Tap, NetError> {
    let missing = || NetError::Missing {
        kind: "tap",
        name: name.into(),
    };
    let refused = |expected: &'static str, source: io::Error| NetError::Refused {
        kind: "tap",
        name: name.into(),
        expected,
        source,
    };
    let querier = Querier::new().map_err(|error| system(name, "socket(2)", error))?;
    let properties = querier
        .properties(name)
        .map_err(|error| system(name, "ioctl(2) SIOCGIF*", error))?;
    // Asked first: TUNSETIFF would make one for root.
    let properties = properties.ok_or_else(missing)?;
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = rustix::fs::open(c"/dev/net/tun", flags, Mode::empty())
        .map_err(|error| refused("to open /dev/net/tun", error.into()))?;
    attach(&fd, name).map_err(|error| refused("to attach to the tap", error))?;
    ioctl::set_header_length(fd.as_fd(), HEADER_LEN)
        .map_err(|error| system(name, "ioctl(2) TUNSETVNETHDRSZ", error))?;
    let offloads = offer(&fd).map_err(|error| system(name, "ioctl(2) TUNSETOFFLOAD", error))?;
    if !properties.is_up {
        eprintln!(
            "libos-tender: warning: {name} is down and carries no frames\n  try: ip link set {name} up"
        );
    }
    Ok(Tap {
        fd,
        properties,
        offloads,
    })
}

/// A tap that was made for several queues takes no attachment without that flag, nor the other way.
fn attach(fd: &OwnedFd, name: &str) -> io::Result<()> {
    let flags = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
    match ioctl::attach_tap(fd.as_fd(), name, flags) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            ioctl::attach_tap(fd.as_fd(), name, flags | libc::IFF_MULTI_QUEUE).map_err(|_| error)
        }
        other => other,
    }
}

/// Tells the kernel what the guest takes: frames without checksums, TCP frames of up to 64 KiB. An old
/// kernel is offered less.
fn offer(fd: &OwnedFd) -> io::Result<u32> {
    let all = libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6;
    for (offer, offloads) in [
        (all, flags::CHECKSUM | flags::SEGMENTATION),
        (libc::TUN_F_CSUM, flags::CHECKSUM),
    ] {
        match ioctl::set_offload(fd.as_fd(), offer) {
            Ok(()) => return Ok(offloads),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(0)
}
