//! Why the user-mode network could not be started.
//!
//! One variant per step that failed; [`StartError::advice`] says what to try.

use crate::config::Protocol;
use std::io;
use std::net::SocketAddr;

/// The step that failed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A value that makes no sense.
    #[error("user network: {what}: expected {expected}, found {found}")]
    Config {
        /// Which value.
        what: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// A published port cannot be listened on.
    #[error("publish {address}/{}: expected a free port of this host, found: {source}", protocol.name())]
    Bind {
        /// For which transport.
        protocol: Protocol,
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The calling process has other threads.
    #[error("user network: expected a process with one thread, found {0}")]
    Threads(usize),
    /// A host call failed.
    #[error("user network: expected {call} to succeed, found: {source}")]
    System {
        /// The call and what it was for.
        call: &'static str,
        /// Its error.
        source: io::Error,
    },
    /// The helper could not confine itself, and ended.
    #[error("user network: expected a confined helper process, found: {0}")]
    Helper(String),
}

impl Protocol {
    /// `tcp`, `udp`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl StartError {
    /// What the user can do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Config { .. } => "another value",
            Self::Bind { source, .. } => bind_advice(source),
            Self::Threads(_) => {
                "this is a fault of the caller: start the network before any thread"
            }
            Self::System { .. } => {
                "strace -f shows the call; a container's own filter may refuse it"
            }
            Self::Helper(_) => {
                "a kernel with seccomp filters, and a container that lets seccomp(2) through; or --net none"
            }
        }
    }
}

fn bind_advice(source: &io::Error) -> &'static str {
    match source.raw_os_error() {
        Some(libc::EADDRINUSE) => "another host port (`ss -lntup` shows who has this one)",
        Some(libc::EACCES) => {
            "a host port from 1024 on (sysctl net.ipv4.ip_unprivileged_port_start says where free ports begin)"
        }
        Some(libc::EADDRNOTAVAIL) => "an address of this host (`ip address` lists them)",
        _ => "another port or address",
    }
}
