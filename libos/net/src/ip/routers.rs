//! What routers say becomes addresses and routes (RFC 4861, section 6.3.4; RFC 4862, section 5.5), and
//! what becomes of an address that somebody else has. A router that falls silent is not left before its
//! lifetime ends.

use core::net::{IpAddr, Ipv6Addr};

use super::addresses::{Address, Origin};
use super::input::Input;
use super::ndp;
use super::route;
use super::slaac::{self, Advertisement, Prefix};
use crate::address::Network;
use crate::config::{Mac, Route};
use crate::link::ethernet::EtherType;
use crate::time::{Duration, Instant};

/// How long others have to object to a new address (RFC 4862: one question, RetransTimer).
pub(crate) const PROBATION: Duration = Duration::from_secs(1);

/// How often an address is made anew when somebody has it (`idgen_retries`).
const MOST_CONFLICTS: u8 = 3;

/// RFC 4862, section 5.5.3, (e): nobody can shorten a lifetime below this, in seconds.
const LEAST_LIFETIME: u32 = 2 * 60 * 60;

impl Input<'_> {
    /// Asks all routers, if it is time to.
    pub(crate) fn ask_routers(&mut self, now: Instant) {
        let Some(interface) = self.interface() else {
            return;
        };
        let asks = interface
            .slaac
            .as_mut()
            .is_some_and(|slaac| slaac.asks(now));
        if !asks {
            return;
        }
        let source = interface.link_local().unwrap_or(Ipv6Addr::UNSPECIFIED);
        let packet = ndp::router_solicitation(source, interface.config.mac);
        let group = Mac::of_group(ndp::ALL_ROUTERS.into());
        interface.send_control(group, EtherType::Ipv6, &packet);
    }

    /// A router's advertisement came, with a good checksum, from the link.
    pub(crate) fn advertised_by_router(&mut self, router: Ipv6Addr, message: &[u8]) {
        let takes = self
            .interface()
            .is_some_and(|interface| interface.slaac.is_some());
        if !takes {
            return self.not_ours();
        }
        let Some(said) = Advertisement::parse(message) else {
            return self.malformed();
        };
        if !router.is_unicast_link_local() {
            return self.malformed();
        }
        let now = self.internet.now;
        let mut changed = false;
        if let Some(mac) = said.mac
            && let Some(interface) = self.interface()
        {
            let waiting = interface.neighbours.meet(now, router.into(), mac);
            self.release(waiting, mac);
        }
        let anywhere = Network {
            address: Ipv6Addr::UNSPECIFIED.into(),
            prefix: 0,
        };
        let mut routes = alloc::vec![(anywhere, u32::from(said.lifetime), said.metric)];
        routes.extend_from_slice(&said.routes);
        for (destination, seconds, metric) in routes {
            changed |= self.route_by_router(destination, Some(router.into()), seconds, metric);
        }
        for prefix in &said.prefixes {
            if prefix.is_on_link {
                changed |= self.route_by_router(prefix.network, None, prefix.valid, 256);
            }
            if prefix.is_for_addresses {
                changed |= self.address_by_router(prefix);
            }
        }
        if let Some(slaac) = self.interface().and_then(|found| found.slaac.as_mut()) {
            changed |= slaac.hear(now, &said);
        }
        self.internet.rearm();
        if changed {
            self.tell();
        }
    }

    /// Adds, renews or removes a way that a router names; says whether it is another one than before.
    fn route_by_router(
        &mut self,
        destination: Network,
        gateway: Option<IpAddr>,
        seconds: u32,
        metric: u32,
    ) -> bool {
        let (id, now) = (self.id, self.internet.now);
        let is_it = |entry: &route::Entry| {
            entry.interface == id
                && entry.origin == route::Origin::Router
                && entry.route.gateway == gateway
                && entry.route.destination == destination
        };
        let routes = &mut self.internet.routes;
        if seconds == 0 {
            return routes.retain(|entry| !is_it(entry));
        }
        let is_new = !routes.iter().any(is_it);
        routes.add(route::Entry {
            interface: id,
            route: Route {
                destination,
                gateway,
                metric,
            },
            origin: route::Origin::Router,
            expires: slaac::end(now, seconds),
        });
        is_new
    }

    /// RFC 4862, section 5.5.3; says whether there is an address more.
    fn address_by_router(&mut self, prefix: &Prefix) -> bool {
        let (id, now) = (self.id, self.internet.now);
        let IpAddr::V6(first) = prefix.network.address else {
            return false;
        };
        let Some(interface) = self.interface() else {
            return false;
        };
        let Some(slaac) = &interface.slaac else {
            return false;
        };
        let is_usable = prefix.network.prefix == 64 && prefix.preferred <= prefix.valid;
        if !is_usable || slaac.conflicts > MOST_CONFLICTS {
            return false;
        }
        let own = slaac::address(first, interface.config.mac, slaac.identifier);
        let old = interface.addresses.get_mut(own.into()).copied();
        let valid = match old {
            Some(old) if old.origin != Origin::Router => return false,
            Some(old) => lifetime(now, old.expires, prefix.valid),
            None => prefix.valid,
        };
        if valid == 0 {
            return false;
        }
        let address = Address {
            network: Network {
                address: own.into(),
                prefix: 64,
            },
            origin: Origin::Router,
            deprecated: slaac::end(now, prefix.preferred),
            expires: slaac::end(now, valid),
            tentative: Some(now + PROBATION),
            defended: None,
        };
        self.internet.add_address(id, address);
        old.is_none()
    }

    /// Somebody else has an address of ours. One that we made is given up, and another made; one that was
    /// given to us stays.
    pub(crate) fn conflict(&mut self, address: Ipv6Addr) {
        let (id, now) = (self.id, self.internet.now);
        let chosen = self.internet.random.next();
        let Some(interface) = self.interface() else {
            return;
        };
        interface.counters.received_dropped += 1;
        let Some(own) = interface.addresses.get_mut(address.into()).copied() else {
            return;
        };
        let is_made = matches!(own.origin, Origin::LinkLocal | Origin::Router);
        if !is_made || own.tentative.is_none_or(|until| until <= now) {
            return;
        }
        let mac = interface.config.mac;
        let mut again = None;
        if let Some(slaac) = &mut interface.slaac {
            slaac.conflicts = slaac.conflicts.saturating_add(1);
            slaac.identifier = Some(chosen);
            again = (slaac.conflicts <= MOST_CONFLICTS).then_some(chosen);
        }
        self.remove_addresses(|own| own.network.address != address);
        if again.is_some() {
            let made = slaac::address(address, mac, again);
            let network = Network {
                address: made.into(),
                prefix: 64,
            };
            let tentative = Some(now + PROBATION);
            self.internet.add_address(
                id,
                Address {
                    network,
                    tentative,
                    ..own
                },
            );
        }
        self.internet.rearm();
        self.tell();
    }
}

/// RFC 4862, section 5.5.3, (e): the seconds that an address has after a router said `told`.
fn lifetime(now: Instant, expires: Option<Instant>, told: u32) -> u32 {
    let left = match expires {
        Some(end) if end > now => u32::try_from((end - now).secs()).unwrap_or(u32::MAX),
        Some(_) => 0,
        None => u32::MAX,
    };
    if told > LEAST_LIFETIME || told > left {
        told
    } else {
        left.min(LEAST_LIFETIME)
    }
}
