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
    #[error(
        "publish {address}{}/{}: expected {}, found: {source}",
        range_end(*address, *last),
        protocol.name(),
        bind_expectation(source)
    )]
    Bind {
        /// For which transport.
        protocol: Protocol,
        /// Where.
        address: SocketAddr,
        /// The last port that was tried.
        last: u16,
        /// Why not.
        source: io::Error,
    },
    /// The helper could not be made.
    #[error("user network: {0}")]
    Helper(#[from] libos_helper::StartError),
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
            Self::Config { .. } => {
                "another value of the option's key (`--net` in docs/usage.md lists them)"
            }
            Self::Bind { source, .. } => bind_advice(source),
            Self::Helper(libos_helper::StartError::Helper(_)) => {
                "a kernel with seccomp filters, and a container that lets seccomp(2) through; or --net none"
            }
            Self::Helper(error) => error.advice(),
        }
    }
}

fn range_end(address: SocketAddr, last: u16) -> String {
    match last {
        last if last == address.port() => String::new(),
        last => format!("-{last}"),
    }
}

fn bind_expectation(source: &io::Error) -> &'static str {
    match source.raw_os_error() {
        Some(libc::EACCES) => "a port that any user may listen on",
        Some(libc::EADDRNOTAVAIL) => "an address of this host",
        Some(libc::EAFNOSUPPORT) => "an address of an IP version that this host has",
        _ => "a free port of this host",
    }
}

fn bind_advice(source: &io::Error) -> &'static str {
    match source.raw_os_error() {
        Some(libc::EADDRINUSE) => "another host port (`ss -lntup` shows who has this one)",
        Some(libc::EACCES) => {
            "a host port from 1024 on (`sysctl net.ipv4.ip_unprivileged_port_start` says from which on no privilege is needed)"
        }
        Some(libc::EADDRNOTAVAIL) => "an address of this host (`ip address` lists them)",
        Some(libc::EAFNOSUPPORT) => "an IPv4 address, or a host with IPv6",
        _ => "another port or address",
    }
}
