//! The guest's network interfaces: from `--net` and `-p` to open handles and the boot information.
//!
//! - [`spec`], [`publish`]: the options, checked; [`address`]: their addresses.
//! - [`tap`], [`packet`], [`user`], [`passt`]: what frames go to.
//! - [`netlink`], [`ioctl`]: the host's interfaces. [`resolvers`]: the host's name servers.
//! - [`error`]: why a network cannot be attached.
//!
//! Main types: [`Interface`], one handle with what the guest is told of it; [`Networks`], all of a run.
//! Opening happens before descriptors are closed and privileges dropped; afterwards the tender has no part in
//! what goes over a handle.

pub mod address;
pub mod error;
mod ioctl;
mod netlink;
mod packet;
mod passt;
pub mod publish;
mod resolvers;
pub mod spec;
mod tap;
mod user;

use crate::cli::NetConfig;
use address::Network;
use error::NetError;
use ioctl::Properties;
use libos_abi::manifest::{self, Manifest};
use libos_abi::net::{Framing, flags};
use publish::Published;
use resolvers::Resolvers;
use spec::{Attachment, Route, Spec};
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use user::User;

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

/// What a run attaches, decided from the command line and the manifest.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    /// The interfaces.
    pub specs: Vec<Spec>,
    /// The published ports.
    pub published: Vec<Published>,
}

/// Decides: what the command line says goes before the manifest's; a published port asks for the user-mode
/// network; without any of these there is none. The user-mode network is not the default, because starting it
/// takes longer than everything else that the tender does (0.8 ms and 0.55 ms).
///
/// # Errors
/// [`NetError::Value`] for ports of a manifest that make no sense.
pub fn plan(config: &NetConfig, manifest: &Manifest) -> Result<Plan, NetError> {
    let mut published = config.published.clone();
    if published.is_empty() {
        published = publish::parse_all(manifest.publish.iter().map(String::as_str))?;
    }
    let user = || vec![Spec::new(Attachment::User)];
    let specs = match (&config.specs, manifest.network) {
        (Some(specs), _) => specs.clone(),
        (None, Some(manifest::Network::User)) => user(),
        (None, _) if !config.published.is_empty() => user(),
        (None, None) if !published.is_empty() => user(),
        (None, _) => Vec::new(),
    };
    // The manifest's ports are a wish, the command line's an order.
    if config.published.is_empty() && !specs.iter().any(Spec::can_publish) {
        published.clear();
    }
    Ok(Plan { specs, published })
}

/// Opens everything of a plan. The published ports go to the first interface that can publish any.
///
/// # Errors
/// The first interface that is not to be had, or that there is none for the published ports.
pub fn open(plan: &Plan) -> Result<Networks, NetError> {
    let mut networks = Networks::default();
    let mut published = Some(plan.published.as_slice()).filter(|published| !published.is_empty());
    let mut users = 0;
    for spec in &plan.specs {
        let opened = match &spec.attachment {
            Attachment::Tap(name) => open_tap(spec, name)?,
            Attachment::Packet(name) => open_packet(spec, name)?,
            Attachment::User => {
                users += 1;
                open_user(spec, users - 1, published.take().unwrap_or_default())?
            }
            Attachment::Passt => open_passt(spec, published.take().unwrap_or_default())?,
        };
        networks.add(spec, opened);
    }
    if let Some([port, ..]) = published {
        return Err(NetError::NobodyPublishes(format!(
            "{}:{}",
            port.host_port, port.guest_port
        )));
    }
    if users > 0 {
        let disowned = libos_usernet::disown_children();
        disowned
            .map_err(|source| error::system("--net user", "sigaction(2) of SIGCHLD", source))?;
    }
    networks.name();
    Ok(networks)
}

/// An interface, and the name server that lies behind it.
struct Opened {
    interface: Interface,
    server: Option<IpAddr>,
}

impl Networks {
    fn add(&mut self, spec: &Spec, opened: Opened) {
        let resolvers = Resolvers::for_guest(spec, &opened);
        add_new(&mut self.dns, resolvers.servers);
        add_new(&mut self.search, resolvers.search);
        self.interfaces.push(opened.interface);
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
    /// What the option says; else the server behind the interface; else the host's, unless the interface learns of
    /// others.
    fn for_guest(spec: &Spec, opened: &Opened) -> Self {
        let learns = opened.interface.flags & (flags::DHCP | flags::SLAAC) != 0;
        let host = match opened.server {
            None if learns => Self::default(),
            None => resolvers::of_host(),
            Some(server) => Self {
                servers: vec![server],
                ..resolvers::of_host()
            },
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

fn open_tap(spec: &Spec, name: &str) -> Result<Opened, NetError> {
    let tap = tap::open(name)?;
    let interface = Interface {
        fd: Some(tap.fd),
        framing: Framing::Header,
        flags: tap.offloads | configuration(spec, spec.addresses.is_empty()),
        mtu: spec.mtu.unwrap_or_else(|| mtu_of(&tap.properties)),
        mac: spec.mac.unwrap_or_else(|| guest_mac(&spec.addresses)),
        name: spec.name.clone().unwrap_or_default(),
        addresses: spec.addresses.clone(),
        routes: routes(spec),
    };
    Ok(Opened {
        interface,
        server: None,
    })
}

fn open_packet(spec: &Spec, name: &str) -> Result<Opened, NetError> {
    let packet = packet::open(name)?;
    let mac = spec.mac.unwrap_or(packet.mac);
    if mac != packet.mac {
        packet::hear_everything(&packet).map_err(|source| {
            error::system(
                name,
                "setsockopt(2) PACKET_ADD_MEMBERSHIP for `mac`",
                source,
            )
        })?;
    }
    // A link-local address is made from the MAC, by the guest as well.
    let host = packet
        .addresses
        .iter()
        .filter(|address| !address.is_link_local);
    let host: Vec<Network> = host.map(|address| address.network).collect();
    let (addresses, adopted) = match spec.addresses.as_slice() {
        [] => (host, packet.routes.as_slice()),
        given => (given.to_vec(), &[][..]),
    };
    if spec.take {
        packet::take(name, &packet)?;
    } else if let Some(own) = packet
        .addresses
        .iter()
        .find(|own| addresses.contains(&own.network))
    {
        eprintln!(
            "libos-tender: warning: the host answers for {} of {name} too, and resets the guest's connections\n  \
             try: --net packet={name},take to remove it from the host, or a firewall rule",
            own.network.address
        );
    }
    let interface = Interface {
        fd: Some(packet.fd),
        framing: Framing::Header,
        flags: flags::CHECKSUM | flags::SEGMENTATION | configuration(spec, addresses.is_empty()),
        mtu: spec.mtu.unwrap_or_else(|| mtu_of(&packet.properties)),
        mac,
        name: spec.name.clone().unwrap_or_default(),
        addresses,
        routes: adopt(routes(spec), adopted),
    };
    Ok(Opened {
        interface,
        server: None,
    })
}

fn open_user(spec: &Spec, number: u8, published: &[Published]) -> Result<Opened, NetError> {
    let User { started, config } = user::open(spec, number, published)?;
    let mut addresses = Vec::new();
    let mut gateways = Vec::new();
    if !spec.dhcp {
        addresses.push(Network {
            address: config.ipv4.guest.into(),
            prefix: config.ipv4.prefix,
        });
        gateways.push(IpAddr::V4(config.ipv4.gateway));
    }
    if let Some(ipv6) = config.ipv6.filter(|_| !spec.slaac) {
        addresses.push(Network {
            address: ipv6.guest.into(),
            prefix: ipv6.prefix,
        });
        gateways.push(IpAddr::V6(ipv6.gateway));
    }
    let spec = Spec {
        gateways,
        ..spec.clone()
    };
    let interface = Interface {
        fd: Some(started.channel),
        framing: Framing::Header,
        flags: flags::CHECKSUM | flags::SEGMENTATION | configuration(&spec, false),
        mtu: config.mtu,
        mac: config.guest_mac,
        name: spec.name.clone().unwrap_or_default(),
        addresses,
        routes: routes(&spec),
    };
    Ok(Opened {
        interface,
        server: Some(config.ipv4.dns.into()),
    })
}

fn open_passt(spec: &Spec, published: &[Published]) -> Result<Opened, NetError> {
    let fd = passt::open(spec, published)?;
    let interface = Interface {
        fd: Some(fd),
        framing: Framing::Stream,
        flags: configuration(spec, spec.addresses.is_empty()),
        mtu: spec.mtu.unwrap_or(passt::MTU),
        mac: spec.mac.unwrap_or_else(|| guest_mac(&spec.addresses)),
        name: spec.name.clone().unwrap_or_default(),
        addresses: spec.addresses.clone(),
        routes: routes(spec),
    };
    Ok(Opened {
        interface,
        server: None,
    })
}

fn mtu_of(properties: &Properties) -> u16 {
    u16::try_from(properties.mtu).unwrap_or(u16::MAX)
}

/// The host's routes behind those of the option: a default route of the option takes the place of the host's.
fn adopt(mut routes: Vec<Route>, host: &[Route]) -> Vec<Route> {
    let is_new = |route: &&Route| {
        routes
            .iter()
            .all(|own| own.destination != route.destination)
    };
    let host: Vec<Route> = host.iter().filter(is_new).copied().collect();
    routes.extend(host);
    routes
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
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    });
    if let Some(address) = ipv4 {
        return user::mac(address);
    }
    let mut mac = [0; 6];
    // Without entropy at start-up all guests would have the address 06:00:….
    let _ = rustix::rand::getrandom(&mut mac, rustix::rand::GetRandomFlags::empty());
    mac[0] = 0x06;
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
            mtu: 1500,
            mac: [2; 6],
            name: name.into(),
            addresses: Vec::new(),
            routes: Vec::new(),
        }
    }

    fn planned(
        options: &[&str],
        ports: &[&str],
        network: Option<manifest::Network>,
        publish: &[&str],
    ) -> (usize, usize) {
        let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let config = NetConfig {
            specs: spec::parse_all(&texts(options)).expect("valid"),
            published: ports
                .iter()
                .flat_map(|text| publish::parse(text).expect("valid"))
                .collect(),
        };
        let manifest = Manifest {
            network,
            publish: texts(publish),
            ..Manifest::default()
        };
        let plan = plan(&config, &manifest).expect("valid");
        (plan.specs.len(), plan.published.len())
    }

    #[test]
    fn the_command_line_goes_before_the_manifest() {
        let (none, user) = (Some(manifest::Network::None), Some(manifest::Network::User));
        for (options, ports, network, publish, expected) in [
            (&[][..], &[][..], None, &[][..], (0, 0)),
            (&[], &["80:80"], None, &[], (1, 1)),
            (&[], &[], user, &[], (1, 0)),
            (&[], &[], None, &["80:80", "81:81"], (1, 2)),
            (&[], &[], none, &["80:80"], (0, 0)),
            (&[], &["80:80"], none, &[], (1, 1)),
            (&[], &["80:80"], None, &["80:80", "81:81"], (1, 1)),
            (&["none"], &[], user, &["80:80"], (0, 0)),
            (&["none"], &["80:80"], user, &[], (0, 1)),
            (&["user"], &[], none, &["80:80"], (1, 1)),
            (&["tap=t", "user"], &[], None, &["80:80"], (2, 1)),
            (&["tap=t"], &[], None, &["80:80"], (1, 0)),
        ] {
            let found = planned(options, ports, network, publish);
            assert_eq!(
                found, expected,
                "{options:?} {ports:?} {network:?} {publish:?}"
            );
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
        assert_eq!(random[0], 6);
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
