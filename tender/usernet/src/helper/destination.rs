//! Where the guest's packets go: which host address stands behind the address that the guest names, and
//! which address the guest is shown for a peer.
//!
//! Main types: [`Map`], [`Destination`]. Pure: no socket is opened here. What the guest must not reach by naming
//! an address, such as the host's loopback, is decided here and nowhere else.

use crate::config::Config;
use libos_net::address::Network;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Port of the domain name service.
const DNS_PORT: u16 = 53;

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To this address of the host's world.
    Host(SocketAddr),
    /// To the host's resolvers.
    Resolver,
    /// To an address of the helper's own on which nothing answers: gateway, name server.
    Nobody,
    /// To an address of the guest's own network that no host has.
    NoHost,
    /// Nowhere: no packet from outside of a host has this destination.
    Martian,
}

/// The guest's addresses and the host's.
#[derive(Clone, Debug)]
pub struct Map {
    networks: Vec<Network>,
    gateways: Vec<IpAddr>,
    resolvers: Vec<IpAddr>,
    host_loopback: bool,
}

impl Map {
    /// By the configuration.
    pub fn new(config: &Config) -> Self {
        let v4 = config.ipv4;
        let mut map = Self {
            networks: vec![Network {
                address: v4.gateway.into(),
                prefix: v4.prefix,
            }],
            gateways: vec![v4.gateway.into()],
            resolvers: vec![v4.dns.into()],
            host_loopback: config.host_loopback,
        };
        if let Some(v6) = config.ipv6 {
            map.networks.push(Network {
                address: v6.gateway.into(),
                prefix: v6.prefix,
            });
            map.gateways
                .extend([IpAddr::V6(v6.gateway), config.router.into()]);
            map.resolvers.push(v6.dns.into());
        }
        map
    }

    /// What stands behind an address that the guest names.
    pub fn behind(&self, named: SocketAddr) -> Destination {
        let address = named.ip();
        if is_martian(address) {
            return Destination::Martian;
        }
        if self.resolvers.contains(&address) {
            let is_query = named.port() == DNS_PORT;
            return if is_query {
                Destination::Resolver
            } else {
                Destination::Nobody
            };
        }
        if self.gateways.contains(&address) {
            return self.behind_gateway(named);
        }
        if self.is_local(address) {
            return Destination::NoHost;
        }
        Destination::Host(named)
    }

    fn behind_gateway(&self, named: SocketAddr) -> Destination {
        if !self.host_loopback {
            return Destination::Nobody;
        }
        let loopback = match named.ip() {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        };
        Destination::Host(SocketAddr::new(loopback, named.port()))
    }

    /// Whether pings to it are answered by the helper itself.
    pub fn is_own(&self, address: IpAddr) -> bool {
        self.gateways.contains(&address) || self.resolvers.contains(&address)
    }

    /// Whether the guest can be shown this peer of a published port as it is: if not, it would take the
    /// peer for a neighbour or for itself, and answer elsewhere.
    pub fn can_be_shown(&self, peer: IpAddr) -> bool {
        !is_martian(peer) && !self.is_local(peer)
    }

    /// In the guest's own network, or on its link.
    fn is_local(&self, address: IpAddr) -> bool {
        let on_link = match address {
            IpAddr::V4(_) => false,
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        on_link
            || self
                .networks
                .iter()
                .any(|network| network.contains(address))
    }
}

/// Loopback, "this host", multicast and broadcast; and IPv4 addresses in IPv6 clothes, which the host's kernel
/// would take for what they stand for.
fn is_martian(address: IpAddr) -> bool {
    let special = address.is_loopback() || address.is_unspecified() || address.is_multicast();
    special
        || match address {
            IpAddr::V4(v4) => v4.is_broadcast() || v4.octets()[0] == 0,
            IpAddr::V6(v6) => v6.to_ipv4().is_some(),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behind(host_loopback: bool, named: &str) -> Destination {
        let config = Config {
            host_loopback,
            ..Config::default()
        };
        Map::new(&config).behind(named.parse().expect("an address"))
    }

    #[test]
    fn hosts_are_reached_under_their_own_address() {
        for text in [
            "192.0.2.1:80",
            "[2001:db8::1]:80",
            "169.254.169.254:80",
            "10.0.3.1:53",
        ] {
            let expected = Destination::Host(text.parse().expect("an address"));
            assert_eq!(behind(false, text), expected, "{text}");
        }
    }

    #[test]
    fn no_address_leads_to_the_host_s_loopback_unless_it_is_asked_for() {
        for text in [
            "127.0.0.1:80",
            "127.8.8.8:80",
            "0.0.0.0:80",
            "0.0.0.1:80",
            "[::1]:80",
            "[::]:80",
            "[::ffff:127.0.0.1]:80",
            "[::ffff:192.0.2.1]:80",
            "[::127.0.0.1]:80",
        ] {
            for host_loopback in [false, true] {
                assert_eq!(behind(host_loopback, text), Destination::Martian, "{text}");
            }
        }
        assert_eq!(behind(false, "10.0.2.2:80"), Destination::Nobody);
        let expected = Destination::Host(SocketAddr::from(([127, 0, 0, 1], 80)));
        assert_eq!(behind(true, "10.0.2.2:80"), expected);
        let expected = Destination::Host("[::1]:80".parse().expect("an address"));
        assert_eq!(behind(true, "[fd00::2]:80"), expected);
    }

    #[test]
    fn multicast_and_broadcast_go_nowhere() {
        for text in ["224.0.0.251:5353", "255.255.255.255:68", "[ff02::fb]:5353"] {
            assert_eq!(behind(true, text), Destination::Martian, "{text}");
        }
    }

    #[test]
    fn the_name_server_answers_on_its_port_alone() {
        for text in ["10.0.2.3:53", "[fd00::3]:53"] {
            assert_eq!(behind(false, text), Destination::Resolver, "{text}");
        }
        assert_eq!(behind(true, "10.0.2.3:80"), Destination::Nobody);
    }

    #[test]
    fn the_guest_s_network_has_no_other_hosts() {
        for text in [
            "10.0.2.77:80",
            "10.0.2.255:80",
            "[fd00::77]:80",
            "[fe80::77]:80",
        ] {
            assert_eq!(behind(true, text), Destination::NoHost, "{text}");
        }
    }

    #[test]
    fn peers_that_the_guest_could_not_answer_are_not_shown() {
        let map = Map::new(&Config::default());
        for (text, expected) in [
            ("192.0.2.1", true),
            ("2001:db8::1", true),
            ("127.0.0.1", false),
            ("::1", false),
            ("10.0.2.15", false),
            ("10.0.2.99", false),
            ("fe80::1", false),
            ("fd00::9", false),
        ] {
            let peer = text.parse().expect("an address");
            assert_eq!(map.can_be_shown(peer), expected, "{text}");
        }
    }
}
