//! Groups that we are in, and how routers and switches hear of it: IGMPv3 and MLDv2, or IGMPv2 and MLDv1
//! where such a querier was heard (RFC 3376, RFC 2236, RFC 3810, RFC 2710).
//!
//! Membership is without source filters. Reports repeat once; answers to a query come at a random
//! moment of the time that it gives.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hashbrown::HashMap;

use super::header::{Header, IPV4_HEADER_LEN, IPV6_HEADER_LEN, protocol, set_ipv4_checksum};
use super::ndp;
use crate::bytes::{ipv4_at, ipv6_at, u16_at};
use crate::checksum;
use crate::link::neighbour::earlier;
use crate::random::{KeyedHash, Random};
use crate::time::{Duration, Instant};

/// Most groups of one interface (`igmp_max_memberships` is 20 for each socket).
const MOST: usize = 256;

/// Between the first report and its repetition, at most (RFC 3376, section 8.11).
const REPEAT: u64 = 1_000;

/// How long an old querier makes us speak its version (RFC 3376, section 8.12: about 260 s).
const OLD_QUERIER: Duration = Duration::from_secs(260);

const ALL_ROUTERS_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 2);
const ALL_IGMPV3_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 22);
const ALL_SYSTEMS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
const ALL_MLDV2_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);

const IGMP_QUERY: u8 = 0x11;
const IGMP_V2_REPORT: u8 = 0x16;
const IGMP_LEAVE: u8 = 0x17;
const IGMP_V3_REPORT: u8 = 0x22;

/// ICMPv6 types.
pub(crate) const MLD_QUERY: u8 = 130;
pub(crate) const MLD_V1_REPORT: u8 = 131;
pub(crate) const MLD_DONE: u8 = 132;
const MLD_V2_REPORT: u8 = 143;

/// What a report says of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Record {
    /// We are in it.
    Member,
    /// We have just joined it.
    Joined,
    /// We have just left it.
    Left,
}

impl Record {
    /// Record types of IGMPv3 and MLDv2, without sources.
    fn number(self) -> u8 {
        match self {
            Self::Member => 2,
            Self::Left => 3,
            Self::Joined => 4,
        }
    }
}

/// A membership.
#[derive(Debug)]
struct Membership {
    /// How often it was joined.
    count: u32,
    /// When it is to be reported, and how.
    report: Option<(Instant, Record)>,
}

/// The groups of one interface.
#[derive(Debug)]
pub(crate) struct Groups {
    table: HashMap<IpAddr, Membership, KeyedHash>,
    next: Option<Instant>,
    /// Until then queriers are IGMPv2, or MLDv1.
    old_v4: Option<Instant>,
    old_v6: Option<Instant>,
}

/// A packet to a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) destination: IpAddr,
    pub(crate) packet: Vec<u8>,
}

impl Groups {
    /// None.
    pub(crate) fn new(hash: KeyedHash) -> Self {
        Self {
            table: HashMap::with_hasher(hash),
            next: None,
            old_v4: None,
            old_v6: None,
        }
    }

    /// Whether we are in `group`.
    pub(crate) fn contains(&self, group: IpAddr) -> bool {
        self.table.contains_key(&group)
    }

    /// Joins a group once more. What is no group, or one too many, is not joined.
    pub(crate) fn join(&mut self, now: Instant, group: IpAddr) {
        if !group.is_multicast() {
            return;
        }
        if let Some(membership) = self.table.get_mut(&group) {
            membership.count = membership.count.saturating_add(1);
        } else if self.table.len() < MOST {
            let report = is_reported(group).then_some((now, Record::Joined));
            self.table.insert(group, Membership { count: 1, report });
            self.next = earlier(self.next, report.map(|(at, _)| at));
        }
    }

    /// Leaves it once; returns what to tell the routers if that was the last time.
    pub(crate) fn leave(&mut self, now: Instant, group: IpAddr, own: Own) -> Option<Report> {
        let membership = self.table.get_mut(&group)?;
        membership.count -= 1;
        if membership.count > 0 {
            return None;
        }
        self.table.remove(&group);
        is_reported(group)
            .then(|| self.report(now, group, Record::Left, own))
            .flatten()
    }

    /// When [`Self::poll`] wants to be called.
    pub(crate) fn poll_at(&self) -> Option<Instant> {
        self.next
    }

    /// The reports that are due.
    pub(crate) fn poll(&mut self, now: Instant, own: Own, random: &mut Random) -> Vec<Report> {
        if self.next.is_none_or(|next| now < next) {
            return Vec::new();
        }
        let mut due = Vec::new();
        for (&group, membership) in &mut self.table {
            let Some((_, record)) = membership.report.filter(|&(at, _)| at <= now) else {
                continue;
            };
            due.push((group, record));
            let again = now + Duration::from_millis(1 + random.below(REPEAT));
            membership.report = (record == Record::Joined).then_some((again, Record::Member));
        }
        let reports = self.table.values().map(|membership| membership.report);
        self.next = reports
            .map(|report| report.map(|(at, _)| at))
            .fold(None, earlier);
        let reports = due
            .into_iter()
            .filter_map(|(group, record)| self.report(now, group, record, own));
        reports.collect()
    }

    /// An IGMP message came, with a good checksum.
    pub(crate) fn hear_igmp(&mut self, now: Instant, message: &[u8], random: &mut Random) {
        let [IGMP_QUERY, code, ..] = *message else {
            return;
        };
        let Some(group) = ipv4_at(message, 4) else {
            return;
        };
        let is_old = message.len() == 8;
        if is_old {
            self.old_v4 = Some(now + OLD_QUERIER);
        }
        // In tenths of a second; IGMPv1 says zero and means ten.
        let tenths = match code {
            0 => 100,
            _ if is_old => u64::from(code),
            _ => u64::from(exponential(code.into(), 7, 4)),
        };
        let all = group.is_unspecified().then_some(IpAddr::V4(group));
        self.answer(now, all, group.into(), tenths * 100, random);
    }

    /// An MLD query came, with a good checksum.
    pub(crate) fn hear_mld(&mut self, now: Instant, message: &[u8], random: &mut Random) {
        let (Some(code), Some(group)) = (u16_at(message, 4), ipv6_at(message, 8)) else {
            return;
        };
        let is_old = message.len() == 24;
        if is_old {
            self.old_v6 = Some(now + OLD_QUERIER);
        }
        let millis = if is_old {
            u64::from(code)
        } else {
            u64::from(exponential(code, 15, 12))
        };
        let all = group.is_unspecified().then_some(IpAddr::V6(group));
        self.answer(now, all, group.into(), millis, random);
    }

    /// Puts the reports that a query asks for on times of its choosing.
    fn answer(
        &mut self,
        now: Instant,
        all_like: Option<IpAddr>,
        group: IpAddr,
        millis: u64,
        random: &mut Random,
    ) {
        for (&own, membership) in &mut self.table {
            let is_asked = match all_like {
                Some(family) => family.is_ipv4() == own.is_ipv4(),
                None => own == group,
            };
            if !is_asked || !is_reported(own) {
                continue;
            }
            let at = now + Duration::from_millis(random.below(millis.max(1)));
            let is_sooner = membership.report.is_none_or(|(other, _)| at < other);
            if is_sooner {
                membership.report = Some((at, Record::Member));
                self.next = earlier(self.next, Some(at));
            }
        }
    }

    fn report(&self, now: Instant, group: IpAddr, record: Record, own: Own) -> Option<Report> {
        let is_old = |until: Option<Instant>| until.is_some_and(|until| now < until);
        match group {
            IpAddr::V4(group) => Some(igmp(group, record, own.v4, is_old(self.old_v4))),
            IpAddr::V6(group) => Some(mld(group, record, own.v6?, is_old(self.old_v6))),
        }
    }
}

/// Addresses that reports come from: any IPv4 one, and the link-local IPv6 one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Own {
    pub(crate) v4: Ipv4Addr,
    pub(crate) v6: Option<Ipv6Addr>,
}

/// Whether routers care for a group (RFC 3376, section 5; RFC 3810, section 6).
fn is_reported(group: IpAddr) -> bool {
    match group {
        IpAddr::V4(group) => group != ALL_SYSTEMS,
        IpAddr::V6(group) => {
            let scope = group.octets()[1] & 0x0f;
            group != ndp::ALL_NODES && scope > 1
        }
    }
}

/// A time of IGMPv3 or MLDv2: a number, or from 1 << `bits` on an exponent and a mantissa of so many
/// bits.
fn exponential(code: u16, bits: u32, mantissa_bits: u32) -> u32 {
    let code = u32::from(code);
    if code < 1 << bits {
        return code;
    }
    let mantissa = code & ((1 << mantissa_bits) - 1) | 1 << mantissa_bits;
    let exponent = code >> mantissa_bits & 7;
    mantissa << (exponent + 3)
}

fn igmp(group: Ipv4Addr, record: Record, source: Ipv4Addr, is_old: bool) -> Report {
    let (destination, mut message) = if is_old {
        let (to, kind) = match record {
            Record::Left => (ALL_ROUTERS_V4, IGMP_LEAVE),
            Record::Member | Record::Joined => (group, IGMP_V2_REPORT),
        };
        (to, alloc::vec![kind, 0, 0, 0])
    } else {
        let mut message = alloc::vec![IGMP_V3_REPORT, 0, 0, 0, 0, 0, 0, 1];
        message.extend_from_slice(&[record.number(), 0, 0, 0]);
        (ALL_IGMPV3_ROUTERS, message)
    };
    message.extend_from_slice(&group.octets());
    checksum::fill(&mut message, 2, 0);
    // The router alert option makes the header one word longer (RFC 2113).
    const HEADER_LEN: usize = IPV4_HEADER_LEN + 4;
    let mut packet = alloc::vec![0; HEADER_LEN];
    packet.extend_from_slice(&message);
    Header {
        source: source.into(),
        destination: destination.into(),
        protocol: protocol::IGMP,
        hop_limit: 1,
        traffic_class: 0xc0,
        dont_fragment: true,
        identification: 0,
    }
    .emit(&mut packet);
    if let Some(header) = packet.get_mut(..HEADER_LEN) {
        header[0] = 0x46;
        header[IPV4_HEADER_LEN..].copy_from_slice(&[0x94, 4, 0, 0]);
        set_ipv4_checksum(header);
    }
    Report {
        destination: destination.into(),
        packet,
    }
}

fn mld(group: Ipv6Addr, record: Record, source: Ipv6Addr, is_old: bool) -> Report {
    let (destination, mut message) = if is_old {
        let (to, kind) = match record {
            Record::Left => (ndp::ALL_ROUTERS, MLD_DONE),
            Record::Member | Record::Joined => (group, MLD_V1_REPORT),
        };
        (to, alloc::vec![kind, 0, 0, 0, 0, 0, 0, 0])
    } else {
        let mut message = alloc::vec![MLD_V2_REPORT, 0, 0, 0, 0, 0, 0, 1];
        message.extend_from_slice(&[record.number(), 0, 0, 0]);
        (ALL_MLDV2_ROUTERS, message)
    };
    message.extend_from_slice(&group.octets());
    let sum = checksum::pseudo_header(
        source.into(),
        destination.into(),
        protocol::ICMPV6,
        message.len(),
    );
    checksum::fill(&mut message, 2, sum);
    let mut packet = alloc::vec![0; IPV6_HEADER_LEN];
    // Hop-by-hop options: router alert for MLD (RFC 2711), and padding.
    packet.extend_from_slice(&[protocol::ICMPV6, 0, 5, 2, 0, 0, 1, 0]);
    packet.extend_from_slice(&message);
    Header {
        source: source.into(),
        destination: destination.into(),
        protocol: protocol::HOP_BY_HOP,
        hop_limit: 1,
        traffic_class: 0,
        dont_fragment: true,
        identification: 0,
    }
    .emit(&mut packet);
    Report {
        destination: destination.into(),
        packet,
    }
}

#[cfg(test)]
mod tests {
    use super::super::ipv4::Ipv4Packet;
    use super::super::ipv6::{Behind, Ipv6Packet};
    use super::*;

    const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(239, 1, 2, 3));

    fn own() -> Own {
        Own {
            v4: Ipv4Addr::new(10, 0, 0, 1),
            v6: "fe80::1".parse().ok(),
        }
    }

    fn groups() -> (Groups, Random) {
        (Groups::new(KeyedHash::new([4; 16])), Random::new([5; 16]))
    }

    /// The IGMP messages in reports.
    fn messages(reports: &[Report]) -> Vec<Vec<u8>> {
        let messages = reports.iter().map(|report| {
            let packet = Ipv4Packet::parse(&report.packet).expect("a packet");
            assert_eq!((packet.hop_limit, packet.header_len), (1, 24));
            assert!(checksum::is_good_alone(packet.payload()));
            packet.payload().to_vec()
        });
        messages.collect()
    }

    #[test]
    fn joining_is_reported_twice_and_leaving_once() {
        let (mut groups, mut random) = groups();
        let now = Instant::from_secs(1);
        groups.join(now, GROUP);
        groups.join(now, GROUP);
        let reports = messages(&groups.poll(now, own(), &mut random));
        assert_eq!(reports, [reports[0].clone()]);
        assert_eq!(reports[0][8..], [4, 0, 0, 0, 239, 1, 2, 3]);
        let later = now + Duration::from_secs(2);
        let again = messages(&groups.poll(later, own(), &mut random));
        assert_eq!(again[0][8], 2, "the state, not the change");
        assert_eq!(groups.poll_at(), None);
        assert_eq!(groups.leave(later, GROUP, own()), None, "joined twice");
        let left = groups.leave(later, GROUP, own()).expect("a report");
        assert_eq!(messages(&[left])[0][8], 3);
        assert!(!groups.contains(GROUP));
        assert_eq!(groups.leave(later, GROUP, own()), None);
    }

    #[test]
    fn a_query_is_answered_in_its_time_and_its_version() {
        let (mut groups, mut random) = groups();
        let now = Instant::from_secs(1);
        groups.join(now, GROUP);
        groups.poll(now, own(), &mut random);
        groups.poll(now + Duration::from_secs(2), own(), &mut random);
        let asked = Instant::from_secs(10);
        groups.hear_igmp(asked, &[0x11, 0, 0, 0, 239, 9, 9, 9], &mut random);
        assert_eq!(groups.poll_at(), None, "another group");
        groups.hear_igmp(asked, &[0x11, 20, 0, 0, 0, 0, 0, 0], &mut random);
        let at = groups.poll_at().expect("an answer");
        assert!(at >= asked && at <= asked + Duration::from_secs(2));
        let reports = groups.poll(at, own(), &mut random);
        assert_eq!(messages(&reports)[0][0], IGMP_V2_REPORT);
        assert_eq!(reports[0].destination, GROUP);
        let left = groups.leave(at, GROUP, own()).expect("a report");
        assert_eq!(left.destination, IpAddr::V4(ALL_ROUTERS_V4));
    }

    #[test]
    fn ipv6_groups_are_reported_behind_a_router_alert() {
        let (mut groups, mut random) = groups();
        let group: Ipv6Addr = "ff02::fb".parse().expect("an address");
        groups.join(Instant::ZERO, group.into());
        let reports = groups.poll(Instant::ZERO, own(), &mut random);
        let packet = Ipv6Packet::parse(&reports[0].packet).expect("a packet");
        let behind = Behind::Transport {
            protocol: 58,
            at: 48,
        };
        assert_eq!(packet.behind(), Some(behind));
        assert_eq!(packet.hop_limit, 1);
        let (source, to) = (packet.source.into(), packet.destination.into());
        assert!(checksum::is_good(source, to, 58, &packet.whole[48..]));
        assert_eq!(packet.whole[48], MLD_V2_REPORT);
    }

    #[test]
    fn what_routers_do_not_care_for_and_too_many_are_left_out() {
        let (mut groups, _) = groups();
        for group in ["224.0.0.1", "ff02::1", "ff01::5", "10.0.0.1"] {
            groups.join(Instant::ZERO, group.parse().expect("an address"));
        }
        assert_eq!((groups.poll_at(), groups.table.len()), (None, 3));
        for number in 0..1000_u32 {
            let group = Ipv4Addr::from_bits(0xe001_0000 + number);
            groups.join(Instant::ZERO, group.into());
        }
        assert_eq!(groups.table.len(), MOST);
    }

    #[test]
    fn long_times_are_exponential() {
        assert_eq!(exponential(100, 7, 4), 100);
        assert_eq!(exponential(0x80, 7, 4), 128);
        assert_eq!(exponential(0xff, 7, 4), 31 << 10);
        assert_eq!(exponential(0xffff, 15, 12), 0x1fff << 10);
    }
}
