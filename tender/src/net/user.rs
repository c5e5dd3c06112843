//! `--net user`: the user-mode network of `libos-usernet`, a helper process at the other end of a channel.

use super::address::Network;
use super::error::NetError;
use super::spec::Spec;
use libos_usernet::{Config, Published, Started, Subnet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A user-mode network that runs.
#[derive(Debug)]
pub struct User {
    /// The helper.
    pub started: Started,
    /// What the guest's network looks like.
    pub config: Config,
}

/// Starts the helper of the `number`th user-mode network of a run, which publishes `published`.
///
/// # Errors
/// [`NetError::User`].
pub fn open(spec: &Spec, number: u8, published: &[Published]) -> Result<User, NetError> {
    let mut config = config(spec, number);
    if spec
        .addresses
        .iter()
        .all(|network| network.address.is_ipv4())
        && !libos_usernet::host_has_ipv6()
    {
        config.ipv6 = None;
    }
    config.published = published.into();
    let started = libos_usernet::start(&config)?;
    for (port, address) in &started.published {
        if port.is_picked() {
            let protocol = port.protocol.name();
            eprintln!(
                "libos-tender: {address}/{protocol} is the guest's port {}/{protocol}",
                port.guest_port
            );
        }
    }
    Ok(User { started, config })
}

/// What the option says; for the rest the default, shifted so that the networks of a run differ.
fn config(spec: &Spec, number: u8) -> Config {
    let mut config = Config::default();
    let [a, b, c, d] = config.ipv4.guest.octets();
    let guest = Ipv4Addr::new(a, b, c.wrapping_add(number), d);
    let default = Network {
        address: guest.into(),
        prefix: config.ipv4.prefix,
    };
    if let Some((guest, subnet)) = subnet(spec, default, IpAddr::is_ipv4, ipv4) {
        config.guest_mac = mac(guest);
        config.gateway_mac = mac(subnet.gateway);
        config.ipv4 = subnet;
    }
    if let Some(subnet_of_default) = config.ipv6 {
        let guest = u128::from(subnet_of_default.guest) | u128::from(number) << 64;
        let default = Network {
            address: Ipv6Addr::from(guest).into(),
            prefix: subnet_of_default.prefix,
        };
        config.ipv6 = subnet(spec, default, IpAddr::is_ipv6, ipv6).map(|(_, subnet)| subnet);
    }
    config.guest_mac = spec.mac.unwrap_or(config.guest_mac);
    config.mtu = spec.mtu.unwrap_or(config.mtu);
    config.host_loopback = spec.host_loopback;
    config
}

/// The guest's address and network of one IP version: that of the option, else the default. Gateway and name
/// server are the first hosts from 2 on that are free; where there is no room, the same, which [`Config::check`]
/// refuses.
fn subnet<A: Copy>(
    spec: &Spec,
    default: Network,
    is_version: impl Fn(&IpAddr) -> bool,
    convert: impl Fn(IpAddr) -> Option<A>,
) -> Option<(A, Subnet<A>)> {
    let mut given = spec
        .addresses
        .iter()
        .filter(|network| is_version(&network.address));
    let network = *given.next().unwrap_or(&default);
    let guest = network.address;
    let gateway = spec
        .gateways
        .iter()
        .find(|gateway| is_version(gateway))
        .copied();
    let mut free = [2, 3, 1, 4]
        .map(|host| network.host_number(host))
        .into_iter()
        .filter(|host| *host != guest);
    let gateway = gateway.or_else(|| free.next()).unwrap_or(guest);
    let dns = free.find(|host| *host != gateway).unwrap_or(gateway);
    let guest = convert(guest)?;
    let (gateway, dns) = (convert(gateway)?, convert(dns)?);
    Some((
        guest,
        Subnet {
            guest,
            prefix: network.prefix,
            gateway,
            dns,
        },
    ))
}

fn ipv4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

fn ipv6(address: IpAddr) -> Option<Ipv6Addr> {
    match address {
        IpAddr::V6(address) => Some(address),
        IpAddr::V4(_) => None,
    }
}

/// A locally administered address made of an IPv4 address.
pub fn mac(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [0x02, 0, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::spec;

    fn config_of(text: &str, number: u8) -> Config {
        let spec = spec::parse(text).expect("valid").expect("not none");
        let config = config(&spec, number);
        config
            .check()
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        config
    }

    #[test]
    fn the_first_network_is_the_default_one() {
        let (config, default) = (config_of("user", 0), Config::default());
        assert_eq!((config.ipv4, config.ipv6), (default.ipv4, default.ipv6));
        assert_eq!(
            (config.guest_mac, config.gateway_mac),
            (default.guest_mac, default.gateway_mac)
        );
        assert!(!config.host_loopback);
    }

    #[test]
    fn further_networks_differ() {
        let config = config_of("user,host-loopback", 1);
        assert_eq!(config.ipv4.guest, Ipv4Addr::new(10, 0, 3, 15));
        assert_eq!(config.ipv4.gateway, Ipv4Addr::new(10, 0, 3, 2));
        let ipv6 = config.ipv6.expect("both versions");
        assert_eq!(
            ipv6.guest,
            "fd00:0:0:1::15".parse::<Ipv6Addr>().expect("an address")
        );
        assert!(config.host_loopback);
        config_of("user", 253);
    }

    #[test]
    fn gateway_and_name_server_follow_the_guest_s_address() {
        let shown = |text: &str| {
            let Subnet {
                guest,
                prefix,
                gateway,
                dns,
            } = config_of(text, 0).ipv4;
            format!("{guest}/{prefix} {gateway} {dns}")
        };
        assert_eq!(
            shown("user,ip=192.168.5.9/24"),
            "192.168.5.9/24 192.168.5.2 192.168.5.3"
        );
        assert_eq!(
            shown("user,ip=192.168.5.2/24"),
            "192.168.5.2/24 192.168.5.3 192.168.5.1"
        );
        assert_eq!(
            shown("user,ip=192.168.5.9/24,gw=192.168.5.3"),
            "192.168.5.9/24 192.168.5.3 192.168.5.2"
        );
        let ipv6 = config_of("user,ip=fd01::9/64", 0)
            .ipv6
            .expect("both versions");
        assert_eq!(
            ipv6.gateway,
            "fd01::2".parse::<Ipv6Addr>().expect("an address")
        );
    }

    #[test]
    fn what_the_option_says_is_passed_on() {
        let config = config_of("user,mac=02:00:00:00:00:07,mtu=9000", 0);
        assert_eq!((config.guest_mac, config.mtu), ([2, 0, 0, 0, 0, 7], 9000));
    }
}
