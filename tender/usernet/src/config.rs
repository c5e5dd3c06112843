//! What the guest's network looks like.
//!
//! Main types: [`Config`], [`Subnet`], [`Published`]. Values are checked once, by [`Config::check`].

use crate::error::StartError;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The least MTU, in bytes of IP packet: IPv6's (RFC 8200, section 5).
pub const LEAST_MTU: u16 = 1280;

/// The greatest MTU, in bytes of IP packet: what passt and others use, a multiple of eight below 64 KiB.
pub const GREATEST_MTU: u16 = 65_520;

/// The guest's network of one IP version. All addresses lie within `prefix` bits of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet<A> {
    /// The guest's address: DHCP leases it; the peer of published ports.
    pub guest: A,
    /// Length of the network's prefix in bits.
    pub prefix: u8,
    /// The way out. Answers ping. With [`Config::host_loopback`] it stands for the host itself.
    pub gateway: A,
    /// The name server: queries to it, by UDP and TCP, go to the host's resolvers.
    pub dns: A,
}

/// Which transport a port is published for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A port of the host that stands for a port of the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// For which transport.
    pub protocol: Protocol,
    /// The host's address; none for all of them, of both IP versions.
    pub host: Option<IpAddr>,
    /// The host's port; 0 for one that the kernel picks.
    pub host_port: u16,
    /// The last port of a range of which the first free one is taken; `host_port` for that port alone.
    pub host_last: u16,
    /// The guest's port.
    pub guest_port: u16,
}

impl Published {
    /// Whether the host's port is known only once it is bound.
    pub fn is_picked(&self) -> bool {
        self.host_port == 0 || self.host_last != self.host_port
    }
}

/// The user-mode network of one guest.
#[derive(Clone, Debug)]
pub struct Config {
    /// The guest's Ethernet address.
    pub guest_mac: [u8; 6],
    /// The helper's.
    pub gateway_mac: [u8; 6],
    /// Longest IP packet in bytes. TCP crosses the channel in frames of up to 64 KiB whatever the MTU is,
    /// so that 1500 costs nothing.
    pub mtu: u16,
    /// IPv4: 10.0.2.15/24 unless changed.
    pub ipv4: Subnet<Ipv4Addr>,
    /// IPv6: fd00::15/64 unless changed; none for a guest without.
    pub ipv6: Option<Subnet<Ipv6Addr>>,
    /// The gateway's link-local address: router advertisements come from it.
    pub router: Ipv6Addr,
    /// Published ports.
    pub published: Vec<Published>,
    /// Where queries for names go; none for what the host's `/etc/resolv.conf` says now.
    pub resolvers: Option<Vec<SocketAddr>>,
    /// Whether the gateway's address reaches servers on the host's loopback addresses. Off unless asked
    /// for: what listens there counts on nobody but the host's own programs reaching it.
    pub host_loopback: bool,
    /// Whether the helper keeps standard error, for messages of faults and its counters at its end. Without it, it holds
    /// nothing of the caller's.
    pub keep_stderr: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            guest_mac: [0x02, 0, 10, 0, 2, 15],
            gateway_mac: [0x02, 0, 10, 0, 2, 2],
            mtu: 1500,
            ipv4: Subnet {
                guest: Ipv4Addr::new(10, 0, 2, 15),
                prefix: 24,
                gateway: Ipv4Addr::new(10, 0, 2, 2),
                dns: Ipv4Addr::new(10, 0, 2, 3),
            },
            ipv6: Some(Subnet {
                guest: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x15),
                prefix: 64,
                gateway: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2),
                dns: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 3),
            }),
            router: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2),
            published: Vec::new(),
            resolvers: None,
            host_loopback: false,
            keep_stderr: false,
        }
    }
}

impl Config {
    /// Refuses values that contradict each other.
    ///
    /// # Errors
    /// [`StartError::Config`].
    pub fn check(&self) -> Result<(), StartError> {
        for (what, mac) in [
            ("guest MAC", self.guest_mac),
            ("gateway MAC", self.gateway_mac),
        ] {
            check_mac(what, mac)?;
        }
        if self.guest_mac == self.gateway_mac {
            let expected = "another address than the gateway's";
            return Err(refused("guest MAC", expected, mac_text(self.guest_mac)));
        }
        if !(LEAST_MTU..=GREATEST_MTU).contains(&self.mtu) {
            let expected = "1280 to 65520 bytes";
            return Err(refused("MTU", expected, self.mtu.to_string()));
        }
        let Subnet {
            guest,
            prefix,
            gateway,
            dns,
        } = self.ipv4;
        check_subnet([guest, gateway, dns].map(IpAddr::V4), prefix, 30)?;
        if let Some(Subnet {
            guest,
            prefix,
            gateway,
            dns,
        }) = self.ipv6
        {
            check_subnet([guest, gateway, dns].map(IpAddr::V6), prefix, 126)?;
        }
        if !self.router.is_unicast_link_local() {
            let expected = "a link-local address (fe80::/64)";
            return Err(refused("router", expected, self.router.to_string()));
        }
        self.published.iter().try_for_each(check_published)
    }

    /// The guest's address of the version of `like`, if it has one.
    pub fn guest(&self, like: IpAddr) -> Option<IpAddr> {
        match like {
            IpAddr::V4(_) => Some(self.ipv4.guest.into()),
            IpAddr::V6(_) => self.ipv6.map(|subnet| subnet.guest.into()),
        }
    }

    /// The gateway's address of the version of `like`, if there is one.
    pub fn gateway(&self, like: IpAddr) -> Option<IpAddr> {
        match like {
            IpAddr::V4(_) => Some(self.ipv4.gateway.into()),
            IpAddr::V6(_) => self.ipv6.map(|subnet| subnet.gateway.into()),
        }
    }
}

fn refused(what: &'static str, expected: &'static str, found: String) -> StartError {
    StartError::Config {
        what,
        expected,
        found,
    }
}

fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

fn check_mac(what: &'static str, mac: [u8; 6]) -> Result<(), StartError> {
    if mac[0] & 1 != 0 || mac == [0; 6] {
        let expected = "a unicast Ethernet address, such as 02:00:0a:00:02:0f";
        return Err(refused(what, expected, mac_text(mac)));
    }
    Ok(())
}

/// Three different unicast addresses in one network of at most `longest` bits.
fn check_subnet(addresses: [IpAddr; 3], prefix: u8, longest: u8) -> Result<(), StartError> {
    let [guest, gateway, dns] = addresses;
    if prefix == 0 || prefix > longest {
        let expected = "a prefix that leaves room for the guest, the gateway and the name server, such as /24 or /64";
        return Err(refused("subnet", expected, format!("{guest}/{prefix}")));
    }
    let network = libos_net::address::Network {
        address: guest,
        prefix,
    };
    for (what, address) in [
        ("guest address", guest),
        ("gateway", gateway),
        ("name server", dns),
    ] {
        if !network.contains(address) {
            let found = format!("{address}, guest {guest}/{prefix}");
            return Err(refused(what, "an address in the guest's network", found));
        }
        if !is_usable(address) {
            let expected = "a unicast address beyond loopback";
            return Err(refused(what, expected, address.to_string()));
        }
    }
    if guest == gateway || guest == dns || gateway == dns {
        let found = format!("guest {guest}, gateway {gateway}, name server {dns}");
        return Err(refused("subnet", "three different addresses", found));
    }
    Ok(())
}

fn is_usable(address: IpAddr) -> bool {
    let special = address.is_unspecified() || address.is_loopback() || address.is_multicast();
    !special && address != IpAddr::V4(Ipv4Addr::BROADCAST)
}

fn check_published(published: &Published) -> Result<(), StartError> {
    if published.host_last < published.host_port {
        let found = format!("{}-{}", published.host_port, published.host_last);
        let expected = "a range of host ports that ends where it begins or later";
        return Err(refused("published port", expected, found));
    }
    if published.guest_port == 0 {
        let found = format!("{}:0", published.host_port);
        return Err(refused(
            "published port",
            "a guest port of 1 to 65535",
            found,
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid() {
        Config::default().check().expect("the default");
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_both_values() {
        type Case = (&'static str, fn(&mut Config), &'static str);
        let cases: [Case; 10] = [
            (
                "multicast MAC",
                |config| config.guest_mac[0] = 1,
                "01:00:0a:00:02:0f",
            ),
            (
                "same MACs",
                |config| config.gateway_mac = config.guest_mac,
                "02:00:0a:00:02:0f",
            ),
            ("short MTU", |config| config.mtu = 1279, "1279"),
            ("long MTU", |config| config.mtu = 65_521, "65521"),
            (
                "gateway elsewhere",
                |config| config.ipv4.gateway = Ipv4Addr::new(10, 0, 3, 2),
                "10.0.3.2",
            ),
            (
                "gateway is the guest",
                |config| config.ipv4.gateway = config.ipv4.guest,
                "10.0.2.15",
            ),
            ("prefix", |config| config.ipv4.prefix = 31, "/31"),
            (
                "router",
                |config| config.router = Ipv6Addr::LOCALHOST,
                "::1",
            ),
            (
                "guest port",
                |config| {
                    config.published.push(Published {
                        protocol: Protocol::Tcp,
                        host: None,
                        host_port: 80,
                        host_last: 80,
                        guest_port: 0,
                    });
                },
                "80:0",
            ),
            (
                "host ports backwards",
                |config| {
                    config.published.push(Published {
                        protocol: Protocol::Tcp,
                        host: None,
                        host_port: 8080,
                        host_last: 8079,
                        guest_port: 80,
                    });
                },
                "8080-8079",
            ),
        ];
        for (name, change, found) in cases {
            let mut config = Config::default();
            change(&mut config);
            let error = config.check().expect_err(name).to_string();
            assert!(error.contains(found), "{name}: {error}");
        }
    }
}
