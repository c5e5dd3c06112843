//! The host's name servers and search domains, for a guest that is told no others.

use std::net::IpAddr;

/// What resolv.conf(5) says, as far as a guest can use it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolvers {
    /// Name servers beyond the host's own loopback.
    pub servers: Vec<IpAddr>,
    /// Domains to search.
    pub search: Vec<String>,
}

/// Where they are looked for: behind a local stub (127.0.0.53) lie those of systemd-resolved.
const FILES: [&str; 2] = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

/// The most that resolvers use: glibc's MAXNS.
const MOST_SERVERS: usize = 3;

/// The host's, now. Those of the first file that names a server which the guest can reach.
pub fn of_host() -> Resolvers {
    let mut first = None;
    for file in FILES {
        let text = std::fs::read(file).unwrap_or_default();
        let resolvers = parse(&String::from_utf8_lossy(&text));
        if !resolvers.servers.is_empty() {
            return resolvers;
        }
        first.get_or_insert(resolvers);
    }
    first.unwrap_or_default()
}

fn parse(text: &str) -> Resolvers {
    let mut resolvers = Resolvers::default();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("nameserver") => {
                // A link-local server with a scope means nothing in the guest.
                let server = words.next().and_then(|word| word.parse::<IpAddr>().ok());
                resolvers
                    .servers
                    .extend(server.filter(|server| !server.is_loopback()));
            }
            // The last line of these counts.
            Some("search" | "domain") => {
                let names = words.take_while(|word| !word.starts_with(['#', ';']));
                resolvers.search = names.filter(|name| *name != ".").map(Into::into).collect();
            }
            _ => {}
        }
    }
    resolvers.servers.truncate(MOST_SERVERS);
    resolvers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_servers_are_left_out_and_the_last_search_counts() {
        let text = "# nameserver 192.0.2.9\ndomain old.example\nnameserver 127.0.0.53\nnameserver ::1\n\
                    nameserver 192.0.2.1 \nnameserver fe80::1%eth0\nnameserver\n nameserver 2001:db8::1\n\
                    search a.example b.example # c\noptions ndots:2\n";
        let resolvers = parse(text);
        let expected: [IpAddr; 2] =
            ["192.0.2.1", "2001:db8::1"].map(|text| text.parse().expect("an address"));
        assert_eq!(resolvers.servers, expected);
        assert_eq!(resolvers.search, ["a.example", "b.example"]);
    }

    #[test]
    fn no_more_than_three_servers() {
        assert_eq!(
            parse(&"nameserver 192.0.2.1\n".repeat(5)).servers.len(),
            MOST_SERVERS
        );
        assert_eq!(parse(""), Resolvers::default());
    }
}
