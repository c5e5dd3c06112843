//! The user-mode network: what `--net user` connects a guest to.
//!
//! [`start`] makes a helper process at the other end of a channel of Ethernet frames. To the guest it is
//! the gateway and every host behind it; to the host it is an ordinary program with ordinary sockets, so
//! that neither root nor a device is needed. The helper is confined before the guest runs: namespaces
//! where they are allowed, an empty root directory, no capability, bounded memory and descriptors, and its own
//! seccomp filter (`seccomp-profiles/usernet.json`).
//!
//! - [`config`]: what the guest's network looks like, and which ports are published.
//! - [`publish`], [`resolvers`]: what is opened and read before the helper exists.
//! - [`channel`]: frames between the two.
//! - [`process`]: making the helper, with `libos-helper`.
//! - [`confine`]: what the helper gives up.
//! - [`helper`]: what it then does: the event loop, and the hosts that it is.
//! - [`error`]: why it could not be started.
//!
//! It knows the frames' format and nothing of libOS or tender. Packets are `libos-net`'s affair.

#![deny(unsafe_code)]

mod channel;
pub mod config;
pub mod confine;
pub mod error;
mod helper;
mod pktinfo;
mod process;
mod publish;
mod resolvers;

pub use config::{Config, Protocol, Published, Subnet};
pub use error::StartError;
pub use libos_helper::{Confinement, disown_children};

use std::net::SocketAddr;
use std::os::fd::OwnedFd;

/// A helper that runs.
#[derive(Debug)]
pub struct Started {
    /// The guest's end: a SOCK_SEQPACKET socket, nonblocking and close-on-exec. Each message is one Ethernet
    /// frame preceded by the 10 bytes of `struct virtio_net_hdr`; both directions take partial
    /// checksums and TCP frames of up to 64 KiB. The end of file, or EPIPE, says that the helper is gone;
    /// closing it ends the helper.
    pub channel: OwnedFd,
    /// The helper, a child of this process.
    pub helper: rustix::process::Pid,
    /// What was published, with the addresses that are in fact listened on: one with port 0 has got a port.
    pub published: Vec<(Published, SocketAddr)>,
    /// Which of the fences that not every host allows stand around the helper.
    pub confinement: Confinement,
}

/// Binds the published ports, and starts the helper.
///
/// Call it from a process with a single thread. The helper ends with this process, or when the channel is
/// closed. This process gets a SIGCHLD should the helper end first: see [`disown_children`].
///
/// # Errors
/// [`StartError`]: a value that makes no sense, a port in use, a helper that could not be made or confined.
pub fn start(config: &Config) -> Result<Started, StartError> {
    config.check()?;
    let published = publish::bind(config)?;
    let resolvers = match &config.resolvers {
        Some(resolvers) => resolvers.clone(),
        None => resolvers::of_host(),
    };
    process::start(config, published, resolvers)
}

/// Whether the host has a way to IPv6 hosts beyond its links. If not, a guest is better off without IPv6: set
/// [`Config::ipv6`] to none.
pub fn host_has_ipv6() -> bool {
    publish::host_has_ipv6()
}
