//! The host's name servers, as resolv.conf(5) has them.
//!
//! The file is read once, before the helper is confined: a resolver that changes later is not noticed. Most hosts
//! have a local stub (127.0.0.53) there, which does.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};

/// Port of the domain name service.
const PORT: u16 = 53;

/// How many are used: what glibc uses (MAXNS).
const MOST: usize = 3;

/// What `/etc/resolv.conf` says now; as in resolv.conf(5), a host without has its own server.
pub fn of_host() -> Vec<SocketAddr> {
    let text = std::fs::read("/etc/resolv.conf").unwrap_or_default();
    parse(&String::from_utf8_lossy(&text))
}

fn parse(text: &str) -> Vec<SocketAddr> {
    let servers = text.lines().filter_map(server).take(MOST);
    let servers: Vec<_> = servers.collect();
    if servers.is_empty() {
        return vec![(Ipv4Addr::LOCALHOST, PORT).into()];
    }
    servers
}

fn server(line: &str) -> Option<SocketAddr> {
    let mut words = line.split_ascii_whitespace();
    (words.next()? == "nameserver").then_some(())?;
    let word = words.next()?;
    if let Ok(address) = word.parse::<IpAddr>() {
        return Some((address, PORT).into());
    }
    let (address, scope) = word.split_once('%')?;
    let scope = scope.parse().ok().or_else(|| interface_index(scope))?;
    Some(SocketAddrV6::new(address.parse().ok()?, PORT, 0, scope).into())
}

fn interface_index(name: &str) -> Option<u32> {
    if name.contains('/') {
        return None;
    }
    let text = std::fs::read_to_string(format!("/sys/class/net/{name}/ifindex")).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_taken_in_order_and_the_rest_is_passed_over() {
        let text = "# comment\nsearch example.org\nnameserver 127.0.0.53\n\
                    options edns0\nnameserver\nnameserver nonsense\n nameserver\t2001:db8::1 # x\n";
        let expected = ["127.0.0.53:53", "[2001:db8::1]:53"];
        assert_eq!(
            parse(text),
            expected.map(|text| text.parse().expect("an address"))
        );
    }

    #[test]
    fn a_scope_is_kept() {
        let expected: SocketAddr = "[fe80::1%7]:53".parse().expect("an address");
        assert_eq!(parse("nameserver fe80::1%7\n"), [expected]);
        assert_eq!(
            parse("nameserver fe80::1%lo\n").len(),
            1,
            "an interface by name"
        );
        assert!(
            server("nameserver fe80::1%../x").is_none(),
            "a path is no name"
        );
    }

    #[test]
    fn no_more_than_three_and_the_own_host_if_none() {
        let many = "nameserver 192.0.2.1\n".repeat(5);
        assert_eq!(parse(&many).len(), MOST);
        assert_eq!(parse(""), [SocketAddr::from(([127, 0, 0, 1], 53))]);
    }
}
