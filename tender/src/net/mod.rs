//! The guest's network interfaces: from `--net` and `-p` to open handles and the boot information.
//!
//! - [`spec`], [`publish`]: the options, checked; [`address`]: their addresses.
//! - [`tap`]: an existing tap. [`resolvers`]: the host's name servers.
//! - [`error`]: why a network cannot be attached.
//!
//! Main types: [`Interface`], one handle with what the guest is told of it; [`Networks`], all of a run.
//! Opening happens before descriptors are closed and privileges dropped; afterwards the tender has no part in
//! what goes over a handle.

pub mod address;
pub mod error;
mod ioctl;
pub mod publish;
mod resolvers;
pub mod spec;
mod tap;

use crate::cli::NetConfig;
use address::Network;
use error::NetError;
use libos_abi::manifest::Manifest;
use libos_abi::net::{Framing, flags};
use publish::Published;
use resolvers::Resolvers;
use spec::{Attachment, Route, Spec};
use std::borrow::Cow;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

/// The interfaces of a run, and what concerns all of them.
#[derive(Debug, Default)]
pub struct Networks {
    /// In the order of the command line.
    pub interfaces: Vec<Interface>,
    /// Name servers.
    pub dns: Vec<IpAddr>,
    /// Domains to search.
    pub search: Vec<String>,
}

/// An interface with its handle.
#[derive(Debug)]
pub struct Interface {
    /// Carries its frames, nonblocking. Taken out by [`crate::handles`].
    pub fd: Option<OwnedFd>,
    /// How they lie in it.
    pub framing: Framing,
    /// See [`flags`].
    pub flags: u32,
    /// Longest IP packet in bytes.
    pub mtu: u16,
    /// The guest's Ethernet address.
    pub mac: [u8; 6],
    /// Its name in the guest.
    pub name: String,
    /// Its addresses.
    pub addresses: Vec<Network>,
    /// Routes beyond those that the addresses imply.
    pub routes: Vec<Route>,
}

/// MTU of Ethernet, in bytes of IP packet.
const ETHERNET_MTU: u16 = 1500;

/// The interfaces of a run: those of the command line.
pub fn specs<'a>(config: &'a NetConfig, _manifest: &Manifest) -> Cow<'a, [Spec]> {
    match &config.specs {
        Some(specs) => specs.as_slice().into(),
        None => Cow::Borrowed(&[]),
    }
}

/// Opens everything.
///
/// # Errors
/// The first interface that is not to be had.
pub fn open(specs: &[Spec], published: &[Published]) -> Result<Networks, NetError> {
    let mut networks = Networks::default();
    if let Some(port) = published.first() {
        return Err(NetError::NobodyPublishes(format!(
            "{}:{}",
            port.host_port, port.guest_port
        )));
    }
    for spec in specs {
        let interface = match &spec.attachment {
            Attachment::Tap(name) => open_tap(spec, name)?,
            Attachment::Packet(_) | Attachment::User | Attachment::Passt => {
                return Err(error::system(
                    "--net",
                    "a device of this kind",
                    std::io::Error::from_raw_os_error(libc::ENOSYS),
                ));
            }
        };
        networks.add(spec, interface);
    }
    networks.name();
    Ok(networks)
}

impl Networks {
    fn add(&mut self, spec: &Spec, interface: Interface) {
        let host = Resolvers::for_guest(spec, &interface);
        add_new(&mut self.dns, host.servers);
        add_new(&mut self.search, host.search);
        self.interfaces.push(interface);
    }

    /// Gives the first free name to each interface that has none.
    fn name(&mut self) {
        for index in 0..self.interfaces.len() {
            if !self.interfaces[index].name.is_empty() {
                continue;
            }
            let is_free = |name: &String| self.interfaces.iter().all(|other| other.name != *name);
            let name = (0..).map(|number| format!("eth{number}")).find(is_free);
            self.interfaces[index].name = name.unwrap_or_default();
        }
    }
}

impl Resolvers {
    /// What the option says; else the host's, unless the interface learns of others.
    fn for_guest(spec: &Spec, interface: &Interface) -> Self {
        let learns = interface.flags & (flags::DHCP | flags::SLAAC) != 0;
        let host = if learns && spec.dns.is_empty() {
            Self::default()
        } else {
            resolvers::of_host()
        };
        Self {
            servers: if spec.dns.is_empty() {
                host.servers
            } else {
                spec.dns.clone()
            },
            search: if spec.search.is_empty() {
                host.search
            } else {
                spec.search.clone()
            },
        }
    }
}

fn add_new<T: PartialEq>(list: &mut Vec<T>, items: Vec<T>) {
    for item in items {
        if !list.contains(&item) {
            list.push(item);
        }
    }
}

fn open_tap(spec: &Spec, name: &str) -> Result<Interface, NetError> {
    let tap = tap::open(name)?;
    let mtu = u16::try_from(tap.properties.mtu).unwrap_or(u16::MAX);
    Ok(Interface {
        fd: Some(tap.fd),
        framing: Framing::Header,
        flags: tap.offloads | configuration(spec, spec.addresses.is_empty()),
        mtu: spec.mtu.unwrap_or(mtu),
        mac: spec.mac.unwrap_or_else(|| guest_mac(&spec.addresses)),
        name: spec.name.clone().unwrap_or_default(),
        addresses: spec.addresses.clone(),
        routes: routes(spec),
    })
}

/// The flags for what the interface is to learn: what is asked for, and everything if it knows nothing.
fn configuration(spec: &Spec, knows_nothing: bool) -> u32 {
    let asked = spec.dhcp || spec.slaac;
    let learns_all = knows_nothing && !asked;
    let choose = |on: bool, flag: u32| if on { flag } else { 0 };
    choose(spec.dhcp || learns_all, flags::DHCP) | choose(spec.slaac || learns_all, flags::SLAAC)
}

/// Those of the option, a default route for each gateway first.
fn routes(spec: &Spec) -> Vec<Route> {
    let default = |gateway: &IpAddr| Route {
        destination: Network::all(*gateway),
        gateway: Some(*gateway),
        metric: 0,
    };
    let defaults = spec.gateways.iter().map(default);
    defaults.chain(spec.routes.iter().copied()).collect()
}

/// A locally administered address: made of the IPv4 address if there is one, so that it stays the same from run to
/// run and neighbours need not learn it anew; else random.
fn guest_mac(addresses: &[Network]) -> [u8; 6] {
    let ipv4 = addresses.iter().find_map(|network| match network.address {
        IpAddr::V4(address) => Some(address.octets()),
        IpAddr::V6(_) => None,
    });
    let mut mac = [0x02, 0, 0, 0, 0, 0];
    match ipv4 {
        Some(octets) => mac[2..].copy_from_slice(&octets),
        None => {
            let mut random = [0; 5];
            // Without entropy at start-up all guests would have the address 02:01:….
            let _ = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty());
            mac[1..].copy_from_slice(&random);
            mac[1] |= 1;
        }
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> Spec {
        spec::parse(text).expect("valid").expect("not none")
    }

    fn interface(name: &str) -> Interface {
        Interface {
            fd: None,
            framing: Framing::Header,
            flags: 0,
            mtu: ETHERNET_MTU,
            mac: [2; 6],
            name: name.into(),
            addresses: Vec::new(),
            routes: Vec::new(),
        }
    }

    #[test]
    fn an_interface_that_knows_nothing_learns_all() {
        let flags_of = |text: &str| {
            let spec = spec(text);
            configuration(&spec, spec.addresses.is_empty())
        };
        assert_eq!(flags_of("tap=t"), flags::DHCP | flags::SLAAC);
        assert_eq!(flags_of("tap=t,dhcp"), flags::DHCP);
        assert_eq!(flags_of("tap=t,slaac"), flags::SLAAC);
        assert_eq!(flags_of("tap=t,ip=10.0.0.2/24"), 0);
        assert_eq!(flags_of("tap=t,ip=10.0.0.2/24,slaac"), flags::SLAAC);
    }

    #[test]
    fn gateways_become_default_routes() {
        let routes = routes(&spec(
            "tap=t,ip=10.0.0.2/24,ip=fd00::2/64,gw=10.0.0.1,gw=fd00::1,route=10.8.0.0/16@10.0.0.3",
        ));
        let shown: Vec<_> = routes
            .iter()
            .map(|route| {
                (
                    route.destination.masked_text(),
                    route.gateway.map(|gateway| gateway.to_string()),
                )
            })
            .collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            shown,
            [
                ("0.0.0.0/0".into(), some("10.0.0.1")),
                ("::/0".into(), some("fd00::1")),
                ("10.8.0.0/16".into(), some("10.0.0.3")),
            ]
        );
    }

    #[test]
    fn the_guest_s_mac_is_that_of_one_local_station() {
        assert_eq!(
            guest_mac(&spec("tap=t,ip=10.0.0.2/24").addresses),
            [2, 0, 10, 0, 0, 2]
        );
        let random = guest_mac(&[]);
        assert_eq!(random[0], 2);
        assert_ne!(random, guest_mac(&[]), "five random bytes");
    }

    #[test]
    fn interfaces_without_a_name_get_the_first_free_one() {
        let mut networks = Networks {
            interfaces: ["", "eth0", "", "up"].map(interface).into(),
            ..Networks::default()
        };
        networks.name();
        let names: Vec<_> = networks
            .interfaces
            .iter()
            .map(|interface| interface.name.as_str())
            .collect();
        assert_eq!(names, ["eth1", "eth0", "eth2", "up"]);
    }
}
