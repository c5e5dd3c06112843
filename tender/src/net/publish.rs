//! `-p`: ports of the host that stand for ports of the guest, as docker has them.
//!
//! Main type: [`Published`], which the user-mode network and passt are given.

use super::error::NetError;
use std::net::{IpAddr, Ipv6Addr};

pub use libos_usernet::{Protocol, Published};

const FORM: &str =
    "[ADDRESS:]HOST:GUEST[/tcp|/udp], ports or ranges of ports, an IPv6 address in brackets";

/// All ports of one `-p`.
///
/// # Errors
/// A value that makes no sense.
pub fn parse(text: &str) -> Result<Vec<Published>, NetError> {
    let refuse = |key: &'static str, expected: &'static str, found: String| NetError::Value {
        option: format!("-p {text}"),
        key,
        expected: expected.into(),
        found,
    };
    let malformed = || refuse("form", FORM, format!("{text:?}"));
    let (ports, protocol) = match text.split_once('/') {
        None | Some((_, "tcp")) => (text.strip_suffix("/tcp").unwrap_or(text), Protocol::Tcp),
        Some((ports, "udp")) => (ports, Protocol::Udp),
        Some((_, other)) => return Err(refuse("protocol", "tcp or udp", format!("{other:?}"))),
    };
    let (rest, guest) = match ports.rsplit_once(':') {
        Some((rest, guest)) => (Some(rest), guest),
        None => (None, ports),
    };
    let guest = range(guest).ok_or_else(malformed)?;
    if guest.0 == 0 {
        return Err(refuse("guest port", "1 to 65535", "0".into()));
    }
    let (address, host) = match rest.map(split_address) {
        None => (None, ""),
        Some(split) => split.ok_or_else(malformed)?,
    };
    let host = match host {
        "" => (0, 0),
        host => range(host).ok_or_else(malformed)?,
    };
    let (wanted, given) = (guest.1 - guest.0, host.1 - host.0);
    if host.0 != 0 && wanted != given {
        let found = format!("{} and {}", u32::from(given) + 1, u32::from(wanted) + 1);
        return Err(refuse("ranges", "as many host ports as guest ports", found));
    }
    let published = (0..=wanted).map(|offset| Published {
        protocol,
        host: address,
        host_port: if host.0 == 0 { 0 } else { host.0 + offset },
        guest_port: guest.0 + offset,
    });
    Ok(published.collect())
}

/// `[ADDRESS:]HOST`, where HOST may be empty.
fn split_address(text: &str) -> Option<(Option<IpAddr>, &str)> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (address, rest) = bracketed.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        return Some((Some(address.into()), rest.strip_prefix(':')?));
    }
    match text.rsplit_once(':') {
        None => Some((None, text)),
        Some((address, host)) => Some((Some(IpAddr::V4(address.parse().ok()?)), host)),
    }
}

/// `PORT` or `FIRST-LAST`.
fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    (first <= last && (first != 0 || last == 0)).then_some((first, last))
}

fn port(text: &str) -> Option<u16> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Published {
        let all = parse(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(all.len(), 1, "{text}");
        all[0]
    }

    #[test]
    fn docker_s_forms_are_read() {
        let (tcp, udp) = (Protocol::Tcp, Protocol::Udp);
        let loopback = Some(IpAddr::from([127, 0, 0, 1]));
        let six = Some("::1".parse().expect("an address"));
        for (text, protocol, host, host_port, guest_port) in [
            ("8080:80", tcp, None, 8080, 80),
            ("8080:80/tcp", tcp, None, 8080, 80),
            ("53:5353/udp", udp, None, 53, 5353),
            ("127.0.0.1:8080:80", tcp, loopback, 8080, 80),
            ("127.0.0.1::80", tcp, loopback, 0, 80),
            ("[::1]:8080:80", tcp, six, 8080, 80),
            ("[::1]::80/udp", udp, six, 0, 80),
            ("80", tcp, None, 0, 80),
            ("0:80", tcp, None, 0, 80),
            (":80", tcp, None, 0, 80),
            ("65535:65535", tcp, None, 65535, 65535),
        ] {
            assert_eq!(
                one(text),
                Published {
                    protocol,
                    host,
                    host_port,
                    guest_port
                },
                "{text}"
            );
        }
    }

    #[test]
    fn ranges_are_port_for_port() {
        let all = parse("8000-8010:9000-9010/udp").expect("valid");
        let pairs: Vec<_> = all
            .iter()
            .map(|port| (port.host_port, port.guest_port))
            .collect();
        let expected: Vec<_> = (0..=10)
            .map(|offset| (8000 + offset, 9000 + offset))
            .collect();
        assert_eq!(pairs, expected);
        assert!(all.iter().all(|port| port.protocol == Protocol::Udp));
        assert_eq!(parse("80-82").expect("valid").len(), 3);
        assert_eq!(parse("1-65535:1-65535").expect("valid").len(), 65535);
    }

    #[test]
    fn values_that_make_no_sense_are_refused() {
        for (text, word) in [
            ("", "form"),
            ("x", "form"),
            ("8080:", "form"),
            ("8080:80:", "form"),
            ("8080:80/sctp", "tcp or udp"),
            ("8080:80/", "tcp or udp"),
            ("65536:80", "form"),
            ("8080:0", "guest port"),
            ("-1:80", "form"),
            ("+1:80", "form"),
            ("8010-8000:80-90", "form"),
            ("8000-8010:80-81", "as many"),
            ("8000-8010:80", "as many"),
            ("::1:8080:80", "form"),
            ("[::1]8080:80", "form"),
            ("[::1:8080:80", "form"),
            ("[127.0.0.1]:8080:80", "form"),
            ("localhost:8080:80", "form"),
            ("127.0.0.1:80:80:80", "form"),
            ("0-5:80-85", "form"),
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
