//! What went through IP and ICMP, counted where it passes.
//!
//! - [`Traffic`]: the counts of both versions of IP. Each interface has one; [`crate::stack::Stack::traffic`] is their sum.
//! - [`Ip`]: the counts of IP, of which [`IP_NAMES`] are the names in `/proc/net/snmp`, `snmp6` and `netstat`.
//! - [`Types`]: ICMP messages by their types.
//!
//! TCP and UDP count for themselves.

use alloc::vec::Vec;
use core::net::IpAddr;

/// The counts of IP, as RFC 4293 and Linux have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as the RFC and the kernel have them")]
pub enum Ip {
    InReceives,
    InHdrErrors,
    InAddrErrors,
    InUnknownProtos,
    InDelivers,
    OutRequests,
    OutDiscards,
    OutNoRoutes,
    ReasmTimeout,
    ReasmReqds,
    ReasmOks,
    ReasmFails,
    FragOks,
    FragFails,
    FragCreates,
    OutTransmits,
    InOctets,
    OutOctets,
    InMcastPkts,
    InMcastOctets,
    OutMcastPkts,
    OutMcastOctets,
    InBcastPkts,
    InBcastOctets,
    OutBcastPkts,
    OutBcastOctets,
    /// The first of four, in the order of the ECN field's values (RFC 3168).
    InNoEctPkts,
    InEct1Pkts,
    InEct0Pkts,
    InCePkts,
}

/// The kernel's names of [`Ip`], in its order, with a space between.
pub const IP_NAMES: &str = "InReceives InHdrErrors InAddrErrors InUnknownProtos InDelivers OutRequests OutDiscards OutNoRoutes \
    ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates OutTransmits InOctets \
    OutOctets InMcastPkts InMcastOctets OutMcastPkts OutMcastOctets InBcastPkts InBcastOctets \
    OutBcastPkts OutBcastOctets InNoECTPkts InECT1Pkts InECT0Pkts InCEPkts";

/// How many they are.
const IP_COUNT: usize = Ip::InCePkts as usize + 1;

/// How many messages there were of each type that there was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Types(Vec<(u8, u64)>);

impl Types {
    /// Counts `by` messages of type `kind`.
    pub fn add(&mut self, kind: u8, by: u64) {
        match self.0.binary_search_by_key(&kind, |&(kind, _)| kind) {
            Ok(at) => self.0[at].1 += by,
            Err(at) => self.0.insert(at, (kind, by)),
        }
    }

    /// Types and how often they came or went, the lowest first.
    pub fn iter(&self) -> impl Iterator<Item = (u8, u64)> {
        self.0.iter().copied()
    }

    /// How many messages of one type there were.
    pub fn of(&self, kind: u8) -> u64 {
        self.iter().find(|one| one.0 == kind).map_or(0, |one| one.1)
    }
}

/// What went through one version of IP and its ICMP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// By [`Ip`].
    pub ip: [u64; IP_COUNT],
    /// Messages that came.
    pub icmp_in: Types,
    /// Messages that went.
    pub icmp_out: Types,
    /// Messages that came and were malformed or had a wrong checksum.
    pub icmp_errors: u64,
    /// Those with a wrong checksum.
    pub icmp_bad_sums: u64,
    /// UDP datagrams that came and were malformed or had a wrong checksum.
    pub udp_errors: u64,
    /// Those with a wrong checksum.
    pub udp_bad_sums: u64,
}

impl Version {
    /// Counts one.
    pub fn count(&mut self, what: Ip) {
        self.ip[what as usize] += 1;
    }

    /// A packet with this traffic class came: its congestion mark.
    pub(crate) fn count_mark(&mut self, traffic_class: u8) {
        self.ip[Ip::InNoEctPkts as usize + usize::from(traffic_class & 3)] += 1;
    }

    /// Counts a packet of `len` bytes, and its bytes, which has the count next to that of packets.
    pub(crate) fn count_packet(&mut self, packets: Ip, len: usize) {
        self.ip[packets as usize] += 1;
        self.ip[packets as usize + 1] += u64::try_from(len).unwrap_or(0);
    }

    /// Counts bytes.
    pub(crate) fn count_bytes(&mut self, what: Ip, len: usize) {
        self.ip[what as usize] += u64::try_from(len).unwrap_or(0);
    }

    /// Adds what `other` counted.
    pub fn add(&mut self, other: &Self) {
        for (sum, count) in self.ip.iter_mut().zip(other.ip) {
            *sum += count;
        }
        for (sum, types) in [
            (&mut self.icmp_in, &other.icmp_in),
            (&mut self.icmp_out, &other.icmp_out),
        ] {
            types.iter().for_each(|(kind, count)| sum.add(kind, count));
        }
        self.icmp_errors += other.icmp_errors;
        self.icmp_bad_sums += other.icmp_bad_sums;
        self.udp_errors += other.udp_errors;
        self.udp_bad_sums += other.udp_bad_sums;
    }
}

/// What went through both versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// IPv4 and ICMP.
    pub v4: Version,
    /// IPv6 and ICMPv6.
    pub v6: Version,
}

impl Traffic {
    /// The version of an address.
    pub fn of(&mut self, address: IpAddr) -> &mut Version {
        if address.is_ipv4() {
            &mut self.v4
        } else {
            &mut self.v6
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_their_names() {
        let names: Vec<_> = IP_NAMES.split(' ').collect();
        assert_eq!(names.len(), IP_COUNT);
        assert_eq!(names[Ip::ReasmOks as usize], "ReasmOKs");
        assert_eq!(names[Ip::OutOctets as usize], "OutOctets");
        assert_eq!(names[Ip::InCePkts as usize], "InCEPkts");
        for packets in [
            Ip::InMcastPkts,
            Ip::OutMcastPkts,
            Ip::InBcastPkts,
            Ip::OutBcastPkts,
        ] {
            let [name, next] = [0, 1].map(|more| names[packets as usize + more]);
            assert_eq!(name.replace("Pkts", "Octets"), next);
        }
        let mut version = Version::default();
        version.count_mark(0b1010_1011);
        assert_eq!(version.ip[Ip::InCePkts as usize], 1);
    }

    #[test]
    fn sums_are_of_all_types() {
        let mut one = Traffic::default();
        one.v6.icmp_out.add(135, 2);
        let mut other = one.clone();
        other.v6.icmp_out.add(1, 1);
        other.v6.count(Ip::InDelivers);
        one.v6.add(&other.v6);
        let types: Vec<_> = one.v6.icmp_out.iter().collect();
        assert_eq!(types, [(1, 1), (135, 4)]);
        assert_eq!(one.v6.icmp_out.of(136), 0);
        assert_eq!(one.v6.ip[Ip::InDelivers as usize], 1);
    }
}
