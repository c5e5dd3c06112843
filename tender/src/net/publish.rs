//! `-p`: ports of the host that stand for ports of the guest, as docker has them.
//!
//! Main type: [`Published`], which the user-mode network and passt are given.

use super::error::NetError;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

pub use libos_usernet::{Protocol, Published};

const ADDRESS: &str =
    "an address of the host, such as 127.0.0.1 or an IPv6 address in brackets, not a name";

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
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = match protocol {
        name if name.eq_ignore_ascii_case("tcp") => Protocol::Tcp,
        name if name.eq_ignore_ascii_case("udp") => Protocol::Udp,
        other => return Err(refuse("protocol", "tcp or udp", format!("{other:?}"))),
    };
    let (rest, guest) = match ports.rsplit_once(':') {
        Some((rest, guest)) => (Some(rest), guest),
        None => (None, ports),
    };
    let read =
        |key, text| range(text).map_err(|expected| refuse(key, expected, format!("{text:?}")));
    let guest = read("guest port", guest)?;
    if guest.0 == 0 {
        return Err(refuse("guest port", "1 to 65535", "0".into()));
    }
    let (address, host) = split_address(rest.unwrap_or_default())
        .map_err(|(key, expected, found)| refuse(key, expected, format!("{found:?}")))?;
    let host = match host {
        "" => (0, 0),
        host => read("host port", host)?,
    };
    let (wanted, given) = (guest.1 - guest.0, host.1 - host.0);
    if host.0 != 0 && wanted != 0 && wanted != given {
        let found = format!("{} and {}", u32::from(given) + 1, u32::from(wanted) + 1);
        let expected = "as many host ports as guest ports, or one guest port";
        return Err(refuse("ranges", expected, found));
    }
    let published = (0..=wanted).map(|offset| {
        let host_port = if host.0 == 0 { 0 } else { host.0 + offset };
        Published {
            protocol,
            host: address,
            host_port,
            host_last: if wanted == 0 { host.1 } else { host_port },
            guest_port: guest.0 + offset,
        }
    });
    Ok(published.collect())
}

/// All ports of all `-p`, each once.
///
/// # Errors
/// A value that makes no sense, or a port of the host that two of them ask for.
pub fn parse_all<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Vec<Published>, NetError> {
    let mut all: Vec<Published> = Vec::new();
    // By what cannot be had twice, whatever the addresses: few have the same.
    let mut taken: HashMap<(Protocol, u16), Vec<(Published, &str)>> = HashMap::new();
    for text in texts {
        for port in parse(text)? {
            if !port.is_picked() {
                let others = taken.entry((port.protocol, port.host_port)).or_default();
                if others.iter().any(|(other, _)| *other == port) {
                    continue;
                }
                if let Some((_, other)) = others.iter().find(|(other, _)| overlap(*other, port)) {
                    return Err(conflict(text, port, other));
                }
                others.push((port, text));
            }
            all.push(port);
        }
    }
    Ok(all)
}

/// Whether the host cannot have both, the ports being equal. Without an address a port is published on all of both
/// IP versions; an IPv6 socket takes IPv6 alone.
fn overlap(one: Published, other: Published) -> bool {
    let (Some(one), Some(other)) = (one.host, other.host) else {
        return true;
    };
    one.is_ipv4() == other.is_ipv4()
        && (one == other || one.is_unspecified() || other.is_unspecified())
}

fn conflict(text: &str, port: Published, other: &str) -> NetError {
    NetError::Value {
        option: format!("-p {text}"),
        key: "host port",
        expected: "each port of the host once".into(),
        found: format!(
            "{}/{}, which -p {other} publishes",
            port.host_port,
            port.protocol.name()
        ),
    }
}

/// `[ADDRESS:]HOST`, where HOST may be empty; else which part is to be what, and what it is. As docker does, it reads
/// an IPv6 address without brackets too.
fn split_address(text: &str) -> Result<(Option<IpAddr>, &str), (&'static str, &'static str, &str)> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let split = bracketed.split_once("]:").and_then(|(address, host)| {
            let address: Ipv6Addr = address.parse().ok()?;
            Some((Some(address.into()), host))
        });
        return split.ok_or(("form", FORM, text));
    }
    let Some((address, host)) = text.rsplit_once(':') else {
        return Ok((None, text));
    };
    match address.parse() {
        Ok(address) => Ok((Some(address), host)),
        // An empty one is docker's too: `:8080:80`.
        Err(_) if address.is_empty() => Ok((None, host)),
        Err(_) => Err(("address", ADDRESS, address)),
    }
}

/// `PORT` or `FIRST-LAST`; else what was expected.
fn range(text: &str) -> Result<(u16, u16), &'static str> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (Some(first), Some(last)) = (port(first), port(last)) else {
        return Err("a port, 0 to 65535, or a range FIRST-LAST");
    };
    if first > last {
        return Err("a range that ends where it begins or later");
    }
    if first == 0 && last != 0 {
        return Err("a range that begins with 1 or more");
    }
    Ok((first, last))
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
            ("::1:8080:80", tcp, six, 8080, 80),
            (":8080:80/UDP", udp, None, 8080, 80),
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
                    host_last: host_port,
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
    fn of_a_range_for_one_port_any_will_do() {
        for text in ["8000-8010:80", "127.0.0.1:8000-8010:80/udp"] {
            let port = one(text);
            let ports = (port.host_port, port.host_last, port.guest_port);
            assert_eq!(ports, (8000, 8010, 80), "{text}");
            assert!(port.is_picked(), "{text}");
        }
        assert!(!one("8000-8000:80").is_picked());
    }

    #[test]
    fn a_port_of_the_host_is_published_once() {
        let count = |texts: &[&str]| parse_all(texts.iter().copied()).map(|all| all.len());
        for (texts, expected) in [
            (&["8080:80", "8080:80"][..], 1),
            (&["8080:80", "8080:80/udp"], 2),
            (&["8080:80", "8081:80"], 2),
            (&["127.0.0.1:8080:80", "127.0.0.2:8080:81"], 2),
            (&["127.0.0.1:8080:80", "[::1]:8080:81"], 2),
            (&["0.0.0.0:8080:80", "[::]:8080:81"], 2),
            (&["80", "80"], 2),
            (&["127.0.0.1::80", "81"], 2),
            (&["8000-8010:80", "8000-8010:81", "8000:82"], 3),
        ] {
            let found = count(texts).unwrap_or_else(|error| panic!("{texts:?}: {error}"));
            assert_eq!(found, expected, "{texts:?}");
        }
        for texts in [
            ["8080:80", "8080:81"],
            ["127.0.0.1:8080:80", "8080:80"],
            ["8080:80", "[::1]:8080:80"],
            ["127.0.0.1:8080:80", "0.0.0.0:8080:80"],
            ["8000-8090:8000-8090", "8080:80"],
        ] {
            let error = parse_all(texts).expect_err(texts[1]).to_string();
            let second = format!("-p {}: host port: expected each port", texts[1]);
            assert!(error.starts_with(&second), "{error}");
            let first = format!("8080/tcp, which -p {} publishes", texts[0]);
            assert!(error.ends_with(&first), "{error}");
        }
    }

    #[test]
    fn values_that_make_no_sense_are_refused() {
        for (text, word) in [
            ("", "guest port: expected a port"),
            ("x", "guest port: expected a port"),
            ("8080:", "guest port"),
            ("8080:80:", "guest port"),
            ("8080:80/sctp", "tcp or udp"),
            ("8080:80/", "tcp or udp"),
            ("65536:80", "host port: expected a port, 0 to 65535"),
            ("8080:0", "guest port"),
            ("-1:80", "host port"),
            ("+1:80", "host port"),
            ("8010-8000:80-90", "ends where it begins"),
            ("8000-8010:80-81", "as many"),
            ("8000-8010:80-81/udp", "as many"),
            ("[::1]8080:80", "form"),
            ("[::1:8080:80", "form"),
            ("[127.0.0.1]:8080:80", "form"),
            (
                "localhost:8080:80",
                "address: expected an address of the host",
            ),
            ("127.0.0.1:80:80:80", "found \"127.0.0.1:80\""),
            ("0-5:80-85", "begins with 1"),
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
