//! `--net passt`: passt(1) at the other end of a stream of frames, if it is installed.
//!
//! passt goes to the background by itself once it is ready, and ends when the stream does.

use super::address::Network;
use super::error::{NetError, system};
use super::spec::Spec;
use libos_usernet::{Protocol, Published};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use std::ffi::OsString;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Command, Stdio};

/// MTU that passt advertises unless told otherwise, in bytes.
pub const MTU: u16 = 65_520;

/// Room for frames in each direction, in bytes; the kernel bounds it by net.core.wmem_max.
const BUFFER: usize = 4 << 20;

/// Starts passt, and answers with the guest's end of the stream, nonblocking.
///
/// # Errors
/// [`NetError::Passt`]: it is not installed, or refuses.
pub fn open(spec: &Spec, published: &[Published]) -> Result<OwnedFd, NetError> {
    refuse_free_ports(published)?;
    let (guest, other) = pair().map_err(|error| system("--net passt", "socketpair(2)", error))?;
    let output = Command::new("passt")
        .args(arguments(spec, published, other.as_raw_fd()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output();
    let output = match output {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(NetError::Passt("no program passt on the PATH".into()));
        }
        output => output.map_err(|error| system("--net passt", "execve(2) of passt", error))?,
    };
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(NetError::Passt(format!(
            "{}: {}",
            output.status,
            text.trim()
        )));
    }
    Ok(guest)
}

/// passt picks no port of the host by itself.
fn refuse_free_ports(published: &[Published]) -> Result<(), NetError> {
    let Some(port) = published.iter().find(|port| port.is_picked()) else {
        return Ok(());
    };
    Err(NetError::Value {
        option: format!("-p :{}/{}", port.guest_port, port.protocol.name()),
        key: "host port",
        expected: "one port of the host with --net passt (--net user picks one)".into(),
        found: match port.host_port {
            0 => "none".into(),
            first => format!("{first}-{}", port.host_last),
        },
    })
}

/// The guest's end, and one that passt inherits.
fn pair() -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
    let (guest, other) = rustix::net::socketpair(family, kind, SocketFlags::CLOEXEC, None)?;
    for end in [&guest, &other] {
        let _ = sockopt::set_socket_send_buffer_size(end, BUFFER);
    }
    rustix::io::fcntl_setfd(&other, rustix::io::FdFlags::empty())?;
    rustix::io::ioctl_fionbio(&guest, true)?;
    Ok((guest, other))
}

/// What passt is told. By itself it takes the host's addresses for the guest's, publishes nothing, and lets the
/// gateway's address stand for the host: the last is switched off, as it is for `--net user`.
fn arguments(spec: &Spec, published: &[Published], fd: i32) -> Vec<OsString> {
    let mut words: Vec<String> = vec![
        "--quiet".into(),
        "--no-map-gw".into(),
        "--fd".into(),
        fd.to_string(),
    ];
    let mut add = |option: &str, value: String| words.extend([option.to_owned(), value]);
    for Network { address, prefix } in &spec.addresses {
        add("--address", address.to_string());
        if address.is_ipv4() {
            add("--netmask", prefix.to_string());
        }
    }
    for gateway in &spec.gateways {
        add("--gateway", gateway.to_string());
    }
    if let Some(mtu) = spec.mtu {
        add("--mtu", mtu.to_string());
    }
    for port in published {
        let option = match port.protocol {
            Protocol::Tcp => "--tcp-ports",
            Protocol::Udp => "--udp-ports",
        };
        add(option, port_text(port));
    }
    words.into_iter().map(Into::into).collect()
}

fn port_text(port: &Published) -> String {
    let ports = format!("{}:{}", port.host_port, port.guest_port);
    match port.host {
        None => ports,
        Some(IpAddr::V4(host)) => format!("{host}/{ports}"),
        Some(IpAddr::V6(host)) => format!("{host}/{ports}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{publish, spec};

    #[test]
    fn a_port_that_the_host_is_to_pick_is_refused() {
        let published = publish::parse("80/udp").expect("valid");
        let error = refuse_free_ports(&published).expect_err("no host port");
        assert!(
            error.to_string().contains("-p :80/udp: host port"),
            "{error}"
        );
        let published = publish::parse("8000-8010:80").expect("valid");
        let error = refuse_free_ports(&published).expect_err("a choice");
        assert!(error.to_string().ends_with("8000-8010"), "{error}");
        let published = publish::parse("8080:80").expect("valid");
        assert!(refuse_free_ports(&published).is_ok());
    }

    #[test]
    fn passt_is_told_what_the_options_say() {
        let spec = spec::parse("passt,ip=10.0.0.2/24,gw=10.0.0.1,mtu=9000")
            .expect("valid")
            .expect("not none");
        let mut published = publish::parse("127.0.0.1:8080:80").expect("valid");
        published.extend(publish::parse("53:53/udp").expect("valid"));
        let expected = "--quiet --no-map-gw --fd 9 --address 10.0.0.2 --netmask 24 --gateway 10.0.0.1 --mtu 9000 \
                        --tcp-ports 127.0.0.1/8080:80 --udp-ports 53:53";
        let expected: Vec<OsString> = expected.split_ascii_whitespace().map(Into::into).collect();
        assert_eq!(arguments(&spec, &published, 9), expected);
    }
}
