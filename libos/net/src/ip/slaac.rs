//! IPv6 from routers (RFC 4861 section 6.3, RFC 4862, RFC 8106): advertisements are read here, and what
//! they name with a lifetime is remembered.
//!
//! [`Advertisement`] is what one says; [`Slaac`] what an interface asks, and which name servers and
//! domains it has. Addresses and routes are in the interface's and the routing table's hands.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};

use super::dhcp::message::{dns_name, is_domain};
use super::ndp;
use crate::address::Network;
use crate::bytes::{array_at, ipv6_at, u16_at, u32_at};
use crate::config::{LEAST_MTU, Mac};
use crate::link::neighbour::earlier;
use crate::time::{Duration, Instant};

/// How often routers are asked, and how long they have to answer (RFC 4861, section 10). The first
/// question goes at once: the random delay before it is for networks whose hosts all start together.
const MOST_QUESTIONS: u8 = 3;
const PATIENCE: Duration = Duration::from_secs(4);

/// Most of each kind that are taken.
const MOST_PREFIXES: usize = 16;
const MOST_SERVERS: usize = 8;
const MOST_DOMAINS: usize = 8;

const PREFIX: u8 = 3;
const MTU: u8 = 5;
const ROUTE: u8 = 24;
const DNS_SERVERS: u8 = 25;
const DNS_DOMAINS: u8 = 31;

/// A prefix that a router names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    pub(crate) network: Network,
    pub(crate) is_on_link: bool,
    pub(crate) is_for_addresses: bool,
    /// In seconds; all ones for ever.
    pub(crate) valid: u32,
    pub(crate) preferred: u32,
}

/// What a router says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Advertisement {
    /// For how many seconds it is a way to everywhere; zero if it is none.
    pub(crate) lifetime: u16,
    /// Metric of the way, by the router's preference (RFC 4191).
    pub(crate) metric: u32,
    pub(crate) mac: Option<Mac>,
    pub(crate) mtu: Option<u16>,
    pub(crate) prefixes: Vec<Prefix>,
    /// More ways (RFC 4191): to where, for how many seconds, and their metric.
    pub(crate) routes: Vec<(Network, u32, u32)>,
    pub(crate) dns: Vec<(Ipv6Addr, u32)>,
    pub(crate) search: Vec<(String, u32)>,
}

impl Advertisement {
    /// Reads an ICMPv6 message whose checksum was verified.
    pub(crate) fn parse(message: &[u8]) -> Option<Self> {
        let options = message.get(16..)?;
        ndp::check_options(options)?;
        let flags = *message.get(5)?;
        let mut read = Self {
            lifetime: u16_at(message, 6)?,
            metric: metric(flags),
            mac: ndp::source_link_address(options),
            ..Self::default()
        };
        if *message.get(1)? != 0 {
            return None;
        }
        for (kind, option) in ndp::options(options) {
            // An option that cannot be is skipped (RFC 4861, section 6.1.2).
            let _ = read.take(kind, option);
        }
        Some(read)
    }

    fn take(&mut self, kind: u8, option: &[u8]) -> Option<()> {
        match kind {
            MTU => {
                let mtu = u16::try_from(u32_at(option, 4)?).ok()?;
                self.mtu = Some(mtu).filter(|&mtu| mtu >= LEAST_MTU);
            }
            PREFIX if self.prefixes.len() < MOST_PREFIXES => {
                let prefix = *option.get(2)?;
                let flags = *option.get(3)?;
                let address = ipv6_at(option, 16)?;
                let is_usable = !address.is_unicast_link_local() && !address.is_multicast();
                (prefix <= 128 && is_usable).then_some(())?;
                self.prefixes.push(Prefix {
                    network: network(address, prefix),
                    is_on_link: flags & 0x80 != 0,
                    is_for_addresses: flags & 0x40 != 0,
                    valid: u32_at(option, 4)?,
                    preferred: u32_at(option, 8)?,
                });
            }
            ROUTE if self.routes.len() < MOST_PREFIXES => {
                let prefix = *option.get(2)?;
                (prefix <= 128).then_some(())?;
                let metric = metric(*option.get(3)?);
                let lifetime = u32_at(option, 4)?;
                let mut octets = [0; 16];
                let told = option.get(8..)?;
                let told = told.get(..16).unwrap_or(told);
                octets.get_mut(..told.len())?.copy_from_slice(told);
                // The prefix must be in what is told.
                (usize::from(prefix) <= told.len() * 8).then_some(())?;
                self.routes
                    .push((network(octets.into(), prefix), lifetime, metric));
            }
            DNS_SERVERS => {
                let lifetime = u32_at(option, 4)?;
                for bytes in option.get(8..)?.chunks_exact(16) {
                    if self.dns.len() < MOST_SERVERS {
                        self.dns.push((array_at::<16>(bytes, 0)?.into(), lifetime));
                    }
                }
            }
            DNS_DOMAINS => {
                let lifetime = u32_at(option, 4)?;
                let mut at = 8;
                while at < option.len() && self.search.len() < MOST_DOMAINS {
                    let (name, next) = dns_name(option, at)?;
                    if is_domain(&name) {
                        self.search.push((name, lifetime));
                    }
                    at = next;
                }
            }
            _ => {}
        }
        Some(())
    }
}

fn network(address: Ipv6Addr, prefix: u8) -> Network {
    Network {
        address: address.into(),
        prefix,
    }
}

/// RFC 4191, section 2.1, around Linux's metric of routes that routers advertise.
fn metric(flags: u8) -> u32 {
    match flags & 0x18 {
        0x08 => 512,
        0x18 => 2048,
        _ => 1024,
    }
}

/// When something that is told to last for so many seconds ends; none for never.
pub(crate) fn end(now: Instant, seconds: u32) -> Option<Instant> {
    (seconds != u32::MAX).then(|| now + Duration::from_secs(seconds.into()))
}

/// The address in `prefix` that the station `mac` makes (RFC 4291, appendix A), or one of a number that
/// the caller chose where that one is taken.
pub(crate) fn address(prefix: Ipv6Addr, mac: Mac, chosen: Option<u64>) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac.0;
    let made = u64::from_be_bytes([a ^ 2, b, c, 0xff, 0xfe, d, e, f]);
    let identifier = chosen.unwrap_or(made);
    let [p0, p1, p2, p3, p4, p5, p6, p7, ..] = prefix.octets();
    let prefix = u64::from_be_bytes([p0, p1, p2, p3, p4, p5, p6, p7]);
    Ipv6Addr::from_bits(u128::from(prefix) << 64 | u128::from(identifier))
}

/// The prefix of link-local addresses.
pub(crate) const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0);

/// What an interface does about routers.
#[derive(Debug)]
pub(crate) struct Slaac {
    questions: u8,
    /// When to ask next; none if a router has answered, or none did.
    next: Option<Instant>,
    dns: Vec<(Ipv6Addr, Option<Instant>)>,
    search: Vec<(String, Option<Instant>)>,
    /// Longest IPv6 packet that a router wants on this link.
    pub(crate) mtu: Option<u16>,
    /// The lower half of addresses, where that of the Ethernet address was taken.
    pub(crate) identifier: Option<u64>,
    /// How often it was.
    pub(crate) conflicts: u8,
}

impl Slaac {
    /// Begins to ask.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            questions: 0,
            next: Some(now),
            dns: Vec::new(),
            search: Vec::new(),
            mtu: None,
            identifier: None,
            conflicts: 0,
        }
    }

    /// Asks anew: the link came back.
    pub(crate) fn restart(&mut self, now: Instant) {
        self.questions = 0;
        self.next = Some(now);
    }

    /// When something is to be done.
    pub(crate) fn poll_at(&self) -> Option<Instant> {
        let servers = self.dns.iter().map(|&(_, end)| end);
        let domains = self.search.iter().map(|(_, end)| *end);
        servers.chain(domains).fold(self.next, earlier)
    }

    /// Whether routers are to be asked now.
    pub(crate) fn asks(&mut self, now: Instant) -> bool {
        if self.next.is_none_or(|next| now < next) {
            return false;
        }
        self.questions += 1;
        self.next = (self.questions < MOST_QUESTIONS).then(|| now + PATIENCE);
        true
    }

    /// Forgets name servers and domains that are over; says whether there were any.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        let before = (self.dns.len(), self.search.len());
        let lasts = |end: &Option<Instant>| end.is_none_or(|end| now < end);
        self.dns.retain(|(_, end)| lasts(end));
        self.search.retain(|(_, end)| lasts(end));
        before != (self.dns.len(), self.search.len())
    }

    /// A router has spoken; says whether name servers or domains changed.
    pub(crate) fn hear(&mut self, now: Instant, said: &Advertisement) -> bool {
        if said.lifetime > 0 {
            self.next = None;
        }
        if said.mtu.is_some() {
            self.mtu = said.mtu;
        }
        let mut changed = false;
        for &(server, seconds) in &said.dns {
            changed |= renew(&mut self.dns, server, seconds, now, MOST_SERVERS);
        }
        for (domain, seconds) in &said.search {
            changed |= renew(
                &mut self.search,
                domain.clone(),
                *seconds,
                now,
                MOST_DOMAINS,
            );
        }
        changed
    }

    /// Name servers.
    pub(crate) fn dns(&self) -> impl Iterator<Item = IpAddr> {
        self.dns.iter().map(|&(server, _)| IpAddr::V6(server))
    }

    /// Domains to search.
    pub(crate) fn search(&self) -> impl Iterator<Item = &String> {
        self.search.iter().map(|(domain, _)| domain)
    }
}

/// Puts an entry among `known` for `seconds`, or takes it away for zero; says whether any came or went.
fn renew<T: PartialEq>(
    known: &mut Vec<(T, Option<Instant>)>,
    value: T,
    seconds: u32,
    now: Instant,
    most: usize,
) -> bool {
    let place = known.iter().position(|(other, _)| *other == value);
    match (place, seconds) {
        (Some(place), 0) => {
            known.remove(place);
            true
        }
        (Some(place), _) => {
            if let Some(entry) = known.get_mut(place) {
                entry.1 = end(now, seconds);
            }
            false
        }
        (None, 0) => false,
        (None, _) if known.len() >= most => false,
        (None, _) => {
            known.push((value, end(now, seconds)));
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([0x02, 0, 0, 0, 0, 1]);

    fn prefix_option(prefix: u8, flags: u8, valid: u32, preferred: u32) -> Vec<u8> {
        let mut option = alloc::vec![PREFIX, 4, prefix, flags];
        option.extend_from_slice(&valid.to_be_bytes());
        option.extend_from_slice(&preferred.to_be_bytes());
        option.extend_from_slice(&[0; 4]);
        option.extend_from_slice(&"2001:db8::".parse::<Ipv6Addr>().expect("one").octets());
        option
    }

    fn message(options: &[Vec<u8>]) -> Vec<u8> {
        let mut message = alloc::vec![134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0];
        message.extend(options.concat());
        message
    }

    #[test]
    fn an_advertisement_is_read() {
        let dns = "2001:db8::53".parse::<Ipv6Addr>().expect("an address");
        let said = Advertisement::parse(&message(&[
            alloc::vec![1, 1, 2, 0, 0, 0, 0, 9],
            alloc::vec![MTU, 1, 0, 0, 0, 0, 0x05, 0x78],
            prefix_option(64, 0xc0, 3600, 1800),
            [&[DNS_SERVERS, 3, 0, 0, 0, 0, 0, 60][..], &dns.octets()].concat(),
            b"\x1f\x03\0\0\0\0\0\x3c\x07example\x03org\0\0\0\0".to_vec(),
            alloc::vec![
                ROUTE, 2, 32, 0x18, 0, 0, 0, 60, 0x20, 0x01, 0x0d, 0xb9, 0, 0, 0, 0
            ],
        ]))
        .expect("an advertisement");
        assert_eq!(
            (said.lifetime, said.metric, said.mtu),
            (1800, 1024, Some(1400))
        );
        assert_eq!(said.mac, Some(Mac([2, 0, 0, 0, 0, 9])));
        assert_eq!(said.prefixes.len(), 1);
        assert!(said.prefixes[0].is_on_link && said.prefixes[0].is_for_addresses);
        assert_eq!(said.dns, [(dns, 60)]);
        assert_eq!(said.search, [("example.org".into(), 60)]);
        assert_eq!(said.routes.len(), 1);
        assert_eq!((said.routes[0].1, said.routes[0].2), (60, 2048));
    }

    #[test]
    fn malformed_options_are_skipped_and_malformed_messages_refused() {
        let said = Advertisement::parse(&message(&[
            prefix_option(129, 0xc0, 1, 1),
            alloc::vec![MTU, 1, 0, 0, 0, 0, 0, 100],
            alloc::vec![PREFIX, 1, 64, 0xc0, 0, 0, 0, 0],
            alloc::vec![ROUTE, 1, 64, 0, 0, 0, 0, 60],
        ]))
        .expect("an advertisement");
        assert!(said.prefixes.is_empty() && said.routes.is_empty());
        assert_eq!(said.mtu, None);
        let good = message(&[prefix_option(64, 0xc0, 1, 1)]);
        for len in 0..good.len() {
            assert_eq!(
                Advertisement::parse(&good[..len]).is_some(),
                len == 16,
                "{len} bytes"
            );
        }
        let mut coded = good;
        coded[1] = 1;
        assert_eq!(Advertisement::parse(&coded), None);
    }

    #[test]
    fn addresses_are_made_of_prefix_and_station() {
        let prefix = "2001:db8::".parse().expect("an address");
        let made = address(prefix, MAC, None);
        assert_eq!(
            made,
            "2001:db8::ff:fe00:1".parse::<Ipv6Addr>().expect("one")
        );
        let other = address(LINK_LOCAL, MAC, Some(5));
        assert_eq!(other, "fe80::5".parse::<Ipv6Addr>().expect("one"));
    }

    #[test]
    fn routers_are_asked_three_times_and_servers_expire() {
        let mut slaac = Slaac::new(Instant::ZERO);
        for seconds in [0, 4, 8] {
            let now = Instant::from_secs(seconds);
            assert_eq!(slaac.poll_at(), Some(now));
            assert!(slaac.asks(now));
            assert!(!slaac.asks(now));
        }
        assert_eq!(slaac.poll_at(), None);
        let server = "fd00::53".parse().expect("an address");
        let mut said = Advertisement {
            dns: alloc::vec![(server, 60)],
            ..Advertisement::default()
        };
        assert!(slaac.hear(Instant::ZERO, &said));
        assert!(!slaac.hear(Instant::ZERO, &said), "renewed");
        assert_eq!(slaac.poll_at(), Some(Instant::from_secs(60)));
        assert!(slaac.expire(Instant::from_secs(60)));
        assert_eq!(slaac.dns().count(), 0);
        slaac.hear(Instant::ZERO, &said);
        said.dns[0].1 = 0;
        assert!(slaac.hear(Instant::ZERO, &said), "taken back");
    }
}
