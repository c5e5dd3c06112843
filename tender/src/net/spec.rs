//! `--net`: the text of the option to a checked description of an interface.
//!
//! Main types: [`Spec`], [`Attachment`]. Nothing here looks at the host.

use super::address::{self, Network, Unfit};
use super::error::NetError;
use libos_usernet::config::{GREATEST_MTU as GREATEST_MTU_USER, LEAST_MTU as LEAST_MTU_USER};
use std::net::IpAddr;

/// What the interface's frames go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attachment {
    /// An existing tap of this name.
    Tap(String),
    /// An existing interface of this name, through a packet socket.
    Packet(String),
    /// The user-mode network.
    User,
    /// passt(1).
    Passt,
}

/// A route, as given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where to.
    pub destination: Network,
    /// By whom; none for a network on the link.
    pub gateway: Option<IpAddr>,
    /// Lower wins among equal prefixes.
    pub metric: u32,
}

/// One `--net`, checked. What it leaves out is decided when the interface is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent keys of the option"
)]
pub struct Spec {
    /// Frames go there.
    pub attachment: Attachment,
    /// Own addresses.
    pub addresses: Vec<Network>,
    /// Default gateways, at most one of each IP version.
    pub gateways: Vec<IpAddr>,
    /// Further routes.
    pub routes: Vec<Route>,
    /// Ethernet address.
    pub mac: Option<[u8; 6]>,
    /// Longest IP packet in bytes.
    pub mtu: Option<u16>,
    /// Name servers.
    pub dns: Vec<IpAddr>,
    /// Domains to search.
    pub search: Vec<String>,
    /// Name in the guest.
    pub name: Option<String>,
    /// Ask for an IPv4 address.
    pub dhcp: bool,
    /// Take IPv6 addresses from routers.
    pub slaac: bool,
    /// Remove the addresses that the guest takes over from the host's interface (`packet` alone).
    pub take: bool,
    /// The gateway's address reaches the host's loopback (`user` alone).
    pub host_loopback: bool,
}

/// The keys, as messages list them.
const KEYS: &str =
    "ip, gw, route, mac, mtu, dns, search, name, dhcp, slaac, take (packet), host-loopback (user)";

/// Least MTU in bytes: every IPv4 host takes such packets (RFC 791).
const LEAST_MTU: u16 = 576;

/// Least MTU of an interface with IPv6 (RFC 8200, section 5), in bytes.
const LEAST_MTU_IPV6: u16 = 1280;

/// Longest name of a network interface, in bytes: IFNAMSIZ less its NUL.
const LONGEST_NAME: usize = 15;

/// Longest domain name, in bytes (RFC 1035).
const LONGEST_DOMAIN: usize = 253;

/// All `--net` of a command line: none if there is none, empty for `--net none`.
///
/// # Errors
/// The first value that makes no sense.
pub fn parse_all(texts: &[String]) -> Result<Option<Vec<Spec>>, NetError> {
    if texts.is_empty() {
        return Ok(None);
    }
    let mut specs = Vec::with_capacity(texts.len());
    for text in texts {
        specs.extend(parse(text)?);
    }
    if specs.len() < texts.len() && texts.len() > 1 {
        let found = format!("{} options beside it", texts.len() - 1);
        return Err(value("none", "--net", "`--net none` alone", found));
    }
    check_names(&specs)?;
    Ok(Some(specs))
}

/// One `--net`; none for `none`.
///
/// # Errors
/// A value that makes no sense.
pub fn parse(text: &str) -> Result<Option<Spec>, NetError> {
    let mut parts = text.split(',');
    let first = parts.next().unwrap_or_default();
    let attachment = match first.split_once('=') {
        Some(("tap", name)) => Attachment::Tap(interface_name(text, "tap", name)?),
        Some(("packet", name)) => Attachment::Packet(interface_name(text, "packet", name)?),
        None if first == "user" => Attachment::User,
        None if first == "passt" => Attachment::Passt,
        None if text == "none" => return Ok(None),
        _ => {
            let expected = "tap=NAME, packet=INTERFACE, user, passt or none first";
            return Err(value(text, "kind", expected, format!("{first:?}")));
        }
    };
    let mut spec = Spec::new(attachment);
    for part in parts {
        spec.read_key(text, part)?;
    }
    spec.check(text)?;
    Ok(Some(spec))
}

impl Spec {
    /// With everything left out.
    pub fn new(attachment: Attachment) -> Self {
        Self {
            attachment,
            addresses: Vec::new(),
            gateways: Vec::new(),
            routes: Vec::new(),
            mac: None,
            mtu: None,
            dns: Vec::new(),
            search: Vec::new(),
            name: None,
            dhcp: false,
            slaac: false,
            take: false,
            host_loopback: false,
        }
    }

    /// Whether ports of the host can stand for the guest's.
    pub fn can_publish(&self) -> bool {
        matches!(self.attachment, Attachment::User | Attachment::Passt)
    }

    fn read_key(&mut self, text: &str, part: &str) -> Result<(), NetError> {
        let (key, given) = match part.split_once('=') {
            Some((key, given)) => (key, Some(given)),
            None => (part, None),
        };
        match (key, given) {
            ("ip", Some(given)) => self.addresses.push(own_address(text, given)?),
            ("gw", Some(given)) => self.gateways.push(host_address(text, "gw", given)?),
            ("route", Some(given)) => self.routes.push(route(text, given)?),
            ("mac", Some(given)) => once(text, "mac", &mut self.mac, mac(text, given)?)?,
            ("mtu", Some(given)) => {
                let given = mtu(text, given, &self.attachment)?;
                once(text, "mtu", &mut self.mtu, given)?;
            }
            ("dns", Some(given)) => self.dns.push(ip(text, "dns", given)?),
            ("search", Some(given)) => self.search.push(domain(text, given)?),
            ("name", Some(given)) => {
                let name = interface_name(text, "name", given)?;
                once(text, "name", &mut self.name, name)?;
            }
            ("dhcp", None) => self.dhcp = true,
            ("slaac", None) => self.slaac = true,
            ("take", None) if matches!(self.attachment, Attachment::Packet(_)) => self.take = true,
            ("host-loopback", None) if self.attachment == Attachment::User => {
                self.host_loopback = true
            }
            ("ip" | "gw" | "route" | "mac" | "mtu" | "dns" | "search" | "name", None) => {
                return Err(value(
                    text,
                    "key",
                    format!("{key}=VALUE"),
                    format!("{part:?}"),
                ));
            }
            ("dhcp" | "slaac" | "take" | "host-loopback", Some(_)) => {
                return Err(value(
                    text,
                    "key",
                    format!("{key} without a value"),
                    format!("{part:?}"),
                ));
            }
            _ => {
                return Err(NetError::UnknownKey {
                    option: option(text),
                    key: key.into(),
                    known: KEYS.into(),
                });
            }
        }
        Ok(())
    }

    /// What no key shows alone.
    fn check(&self, text: &str) -> Result<(), NetError> {
        for (index, network) in self.addresses.iter().enumerate() {
            if self.addresses[..index]
                .iter()
                .any(|other| other.address == network.address)
            {
                return Err(value(
                    text,
                    "ip",
                    "each address once",
                    network.address.to_string(),
                ));
            }
        }
        for (index, gateway) in self.gateways.iter().enumerate() {
            let same_version = |other: &IpAddr| other.is_ipv4() == gateway.is_ipv4();
            if self.gateways[..index].iter().any(same_version) {
                let expected =
                    "one gateway of each IP version (`route=NETWORK@GATEWAY` for others)";
                return Err(value(text, "gw", expected, gateway.to_string()));
            }
            self.check_gateway(text, "gw", *gateway)?;
        }
        for route in &self.routes {
            if let Some(gateway) = route.gateway {
                self.check_gateway(text, "route", gateway)?;
            }
        }
        let has_ipv6 = self.slaac
            || self
                .addresses
                .iter()
                .any(|network| network.address.is_ipv6());
        match self.mtu {
            Some(mtu) if has_ipv6 && mtu < LEAST_MTU_IPV6 => {
                let expected = "at least 1280 bytes on an interface with IPv6";
                Err(value(text, "mtu", expected, mtu.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// A gateway lies in a network of its interface, unless the interface has no network but only single
    /// addresses (/32, /128), or the gateway is link-local.
    fn check_gateway(
        &self,
        text: &str,
        key: &'static str,
        gateway: IpAddr,
    ) -> Result<(), NetError> {
        if matches!(gateway, IpAddr::V6(gateway) if gateway.is_unicast_link_local()) {
            return Ok(());
        }
        let same_version = |network: &&Network| network.address.is_ipv4() == gateway.is_ipv4();
        let networks: Vec<&Network> = self.addresses.iter().filter(same_version).collect();
        if networks.iter().any(|network| network.address == gateway) {
            return Err(value(
                text,
                key,
                "a gateway other than the guest",
                gateway.to_string(),
            ));
        }
        // Addresses of the host's interface are not known yet, nor those of a lease.
        let adopts = matches!(self.attachment, Attachment::Packet(_)) && self.addresses.is_empty();
        if networks.is_empty() && !adopts {
            let expected = "an address (`ip=`) of the gateway's IP version";
            return Err(value(text, key, expected, gateway.to_string()));
        }
        let around = networks.iter().find(|network| network.contains(gateway));
        if let Some(network) = around {
            return network
                .check_place(gateway)
                .map_err(|unfit| of_unfit(text, key, unfit));
        }
        if networks.iter().all(|network| network.is_host()) {
            return Ok(());
        }
        let all: Vec<String> = networks
            .iter()
            .map(|network| network.masked_text())
            .collect();
        Err(value(
            text,
            key,
            format!("a gateway in {}", all.join(" or ")),
            gateway.to_string(),
        ))
    }
}

/// Names in the guest must differ; those that are not given are made to.
fn check_names(specs: &[Spec]) -> Result<(), NetError> {
    for (index, spec) in specs.iter().enumerate() {
        let Some(name) = &spec.name else { continue };
        if specs[..index]
            .iter()
            .any(|other| other.name.as_ref() == Some(name))
        {
            return Err(value(
                "…",
                "name",
                "a name of its own for each interface",
                format!("{name:?} twice"),
            ));
        }
    }
    Ok(())
}

fn option(text: &str) -> String {
    format!("--net {text}")
}

fn value(
    text: &str,
    key: &'static str,
    expected: impl Into<std::borrow::Cow<'static, str>>,
    found: String,
) -> NetError {
    NetError::Value {
        option: option(text),
        key,
        expected: expected.into(),
        found,
    }
}

fn of_unfit(text: &str, key: &'static str, unfit: Unfit) -> NetError {
    value(text, key, unfit.expected, unfit.found)
}

fn once<T>(text: &str, key: &'static str, place: &mut Option<T>, given: T) -> Result<(), NetError> {
    if place.replace(given).is_some() {
        return Err(value(text, key, "the key once", "it twice".into()));
    }
    Ok(())
}

fn own_address(text: &str, given: &str) -> Result<Network, NetError> {
    let network = Network::parse(given).ok_or_else(|| {
        value(
            text,
            "ip",
            "ADDRESS/PREFIX, such as 10.0.0.2/24 or fd00::2/64",
            format!("{given:?}"),
        )
    })?;
    network
        .check_own()
        .map_err(|unfit| of_unfit(text, "ip", unfit))?;
    Ok(network)
}

fn ip(text: &str, key: &'static str, given: &str) -> Result<IpAddr, NetError> {
    given
        .parse()
        .map_err(|_| value(text, key, "an IP address", format!("{given:?}")))
}

fn host_address(text: &str, key: &'static str, given: &str) -> Result<IpAddr, NetError> {
    let address = ip(text, key, given)?;
    address::check_unicast(address).map_err(|unfit| of_unfit(text, key, unfit))?;
    Ok(address)
}

/// `NETWORK` on the link, or `NETWORK@GATEWAY`.
fn route(text: &str, given: &str) -> Result<Route, NetError> {
    let (network, gateway) = match given.split_once('@') {
        Some((network, gateway)) => (network, Some(host_address(text, "route", gateway)?)),
        None => (given, None),
    };
    let refuse = |found: String| {
        value(
            text,
            "route",
            "NETWORK/PREFIX[@GATEWAY] of one IP version",
            found,
        )
    };
    let destination = Network::parse(network).ok_or_else(|| refuse(format!("{given:?}")))?;
    if gateway.is_some_and(|gateway| gateway.is_ipv4() != destination.address.is_ipv4()) {
        return Err(refuse(format!("{given:?}")));
    }
    if destination.masked_text() != format!("{}/{}", destination.address, destination.prefix) {
        let expected = format!("a network, such as {}", destination.masked_text());
        return Err(value(text, "route", expected, format!("{network:?}")));
    }
    Ok(Route {
        destination,
        gateway,
        metric: 0,
    })
}

fn mac(text: &str, given: &str) -> Result<[u8; 6], NetError> {
    let refuse = |expected: &'static str| value(text, "mac", expected, format!("{given:?}"));
    let bytes: Option<Vec<u8>> = given.split([':', '-']).map(hex_byte).collect();
    let bytes: Option<[u8; 6]> = bytes.and_then(|bytes| bytes.try_into().ok());
    let mac = bytes.ok_or_else(|| refuse("six bytes in hexadecimal, such as 02:00:00:00:00:01"))?;
    if mac[0] & 1 != 0 {
        return Err(refuse(
            "the address of one station; the lowest bit of the first byte marks a group (multicast)",
        ));
    }
    if mac == [0; 6] {
        return Err(refuse("an address other than zero"));
    }
    Ok(mac)
}

fn hex_byte(digits: &str) -> Option<u8> {
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    (digits.len() == 2 && is_hex).then(|| u8::from_str_radix(digits, 16).ok())?
}

fn mtu(text: &str, given: &str, attachment: &Attachment) -> Result<u16, NetError> {
    let is_number = given.bytes().all(|byte| byte.is_ascii_digit());
    let (range, expected) = match attachment {
        Attachment::User => (LEAST_MTU_USER..=GREATEST_MTU_USER, "1280 to 65520 bytes"),
        _ => (LEAST_MTU..=u16::MAX, "576 to 65535 bytes"),
    };
    let mtu = given
        .parse()
        .ok()
        .filter(|mtu| is_number && range.contains(mtu));
    mtu.ok_or_else(|| value(text, "mtu", expected, format!("{given:?}")))
}

fn interface_name(text: &str, key: &'static str, given: &str) -> Result<String, NetError> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"/:".contains(&byte);
    let fits = (1..=LONGEST_NAME).contains(&given.len()) && given.bytes().all(is_plain);
    if !fits || given == "." || given == ".." || (key == "name" && given == "lo") {
        let expected = "the name of an interface: 1 to 15 characters without `/`, `:` or space";
        return Err(value(text, key, expected, format!("{given:?}")));
    }
    Ok(given.into())
}

fn domain(text: &str, given: &str) -> Result<String, NetError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if !(1..=LONGEST_DOMAIN).contains(&given.len()) || !given.bytes().all(is_plain) {
        return Err(value(text, "search", "a domain name", format!("{given:?}")));
    }
    Ok(given.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> Spec {
        parse(text)
            .unwrap_or_else(|error| panic!("{error}"))
            .expect("not none")
    }

    fn refused(text: &str) -> String {
        parse(text).expect_err(text).to_string()
    }

    #[test]
    fn every_key_is_read() {
        let text = "tap=tap0,ip=10.0.0.2/24,ip=fd00::2/64,gw=10.0.0.1,gw=fe80::1,mac=02:00:00:00:00:0a,mtu=9000,\
                    dns=10.0.0.1,dns=fd00::1,search=example.org,name=net0,dhcp,slaac,route=10.8.0.0/16@10.0.0.9";
        let expected = Spec {
            addresses: vec![
                Network {
                    address: [10, 0, 0, 2].into(),
                    prefix: 24,
                },
                Network {
                    address: "fd00::2".parse().expect("an address"),
                    prefix: 64,
                },
            ],
            gateways: vec![[10, 0, 0, 1].into(), "fe80::1".parse().expect("an address")],
            routes: vec![Route {
                destination: Network {
                    address: [10, 8, 0, 0].into(),
                    prefix: 16,
                },
                gateway: Some([10, 0, 0, 9].into()),
                metric: 0,
            }],
            mac: Some([2, 0, 0, 0, 0, 10]),
            mtu: Some(9000),
            dns: vec![[10, 0, 0, 1].into(), "fd00::1".parse().expect("an address")],
            search: vec!["example.org".into()],
            name: Some("net0".into()),
            dhcp: true,
            slaac: true,
            ..Spec::new(Attachment::Tap("tap0".into()))
        };
        assert_eq!(spec(text), expected);
        assert_eq!(
            spec("packet=veth1,take").attachment,
            Attachment::Packet("veth1".into())
        );
        assert!(spec("packet=veth1,take").take);
        assert!(spec("user,host-loopback").host_loopback);
        assert_eq!(spec("user").attachment, Attachment::User);
        assert_eq!(spec("passt").attachment, Attachment::Passt);
        assert_eq!(parse("none").expect("valid"), None);
    }

    #[test]
    fn values_that_make_no_sense_are_refused_with_what_was_found() {
        for (text, word) in [
            ("", "kind"),
            ("bridge", "kind"),
            ("tap", "kind"),
            ("none,ip=10.0.0.1/24", "kind"),
            ("tap=", "tap: expected the name"),
            ("tap=a/b", "\"a/b\""),
            ("tap=sixteencharacter", "15 characters"),
            ("tap=t,", "found the key \"\""),
            ("tap=t,colour=red", "found the key \"colour\""),
            ("tap=t,IP=10.0.0.2/24", "found the key \"IP\""),
            ("tap=t,take", "found the key \"take\""),
            ("tap=t,ip", "ip=VALUE"),
            ("tap=t,dhcp=yes", "dhcp without"),
            ("tap=t,ip=10.0.0.2/33", "ADDRESS/PREFIX"),
            ("tap=t,ip=10.0.0.0/24", "address of the network"),
            ("tap=t,ip=10.0.0.255/24", "broadcast"),
            ("tap=t,ip=224.0.0.5/24", "multicast"),
            ("tap=t,ip=10.0.0.2/24,ip=10.0.0.2/16", "each address once"),
            ("tap=t,gw=10.0.0.1", "an address (`ip=`)"),
            (
                "tap=t,ip=10.0.0.2/24,gw=10.0.1.1",
                "a gateway in 10.0.0.0/24",
            ),
            ("tap=t,ip=10.0.0.2/24,gw=fd00::1", "an address (`ip=`)"),
            ("tap=t,ip=10.0.0.2/24,gw=10.0.0.2", "other than the guest"),
            ("tap=t,ip=10.0.0.2/24,gw=10.0.0.255", "broadcast"),
            ("tap=t,ip=10.0.0.2/24,gw=10.0.0.0", "network"),
            (
                "tap=t,ip=10.0.0.2/24,gw=10.0.0.1,gw=10.0.0.3",
                "one gateway",
            ),
            ("tap=t,ip=10.0.0.2/24,gw=0.0.0.0", "unspecified"),
            (
                "tap=t,ip=10.0.0.2/24,route=10.8.1.0/16",
                "such as 10.8.0.0/16",
            ),
            (
                "tap=t,ip=10.0.0.2/24,route=10.8.0.0/16@fd00::1",
                "one IP version",
            ),
            ("tap=t,mac=01:00:5e:00:00:01", "multicast"),
            ("tap=t,mac=00:00:00:00:00:00", "other than zero"),
            ("tap=t,mac=02:00:00:00:00", "six bytes"),
            ("tap=t,mac=02:00:00:00:00:+1", "six bytes"),
            ("tap=t,mac=2:0:0:0:0:1", "six bytes"),
            ("tap=t,mac=02:00:00:00:00:01,mac=02:00:00:00:00:02", "twice"),
            ("tap=t,mtu=575", "576 to 65535"),
            ("user,mtu=1279", "1280 to 65520"),
            ("user,mtu=65521", "1280 to 65520"),
            ("tap=t,mtu=65536", "576 to 65535"),
            ("tap=t,mtu=+1500", "576 to 65535"),
            ("tap=t,mtu=1000,ip=fd00::2/64", "1280"),
            ("tap=t,mtu=1000,slaac", "1280"),
            ("tap=t,dns=resolver", "IP address"),
            ("tap=t,search=a b", "domain"),
            ("tap=t,name=lo", "name of an interface"),
        ] {
            let error = refused(text);
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn a_single_address_may_have_its_gateway_elsewhere() {
        assert_eq!(
            spec("tap=t,ip=203.0.113.7/32,gw=169.254.1.1")
                .gateways
                .len(),
            1
        );
        assert_eq!(
            spec("tap=t,ip=203.0.113.7,gw=169.254.1.1").gateways.len(),
            1
        );
        assert_eq!(spec("tap=t,ip=fd00::7/128,gw=fd01::1").gateways.len(), 1);
        assert_eq!(spec("packet=eth0,gw=10.0.0.1").gateways.len(), 1);
        assert!(refused("tap=t,ip=203.0.113.7/31,gw=169.254.1.1").contains("203.0.113.6/31"));
    }

    #[test]
    fn several_interfaces_are_kept_in_order() {
        let texts = |all: &[&str]| all.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let specs = parse_all(&texts(&["user", "tap=t"]))
            .expect("valid")
            .expect("given");
        assert_eq!(specs.len(), 2);
        assert_eq!(parse_all(&[]).expect("valid"), None);
        assert_eq!(parse_all(&texts(&["none"])).expect("valid"), Some(vec![]));
        assert!(parse_all(&texts(&["none", "user"])).is_err());
        let error =
            parse_all(&texts(&["user,name=a", "tap=t,name=a"])).expect_err("one name twice");
        assert!(error.to_string().contains("\"a\" twice"), "{error}");
    }
}
