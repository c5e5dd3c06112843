//! Ethernet II headers, and the group addresses that IP groups have there.

use core::net::IpAddr;

use crate::bytes::{array_at, u16_at};
use crate::config::Mac;

/// Length of the header in bytes.
pub(crate) const HEADER_LEN: usize = 14;

/// All stations.
pub(crate) const BROADCAST: Mac = Mac([0xff; 6]);

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EtherType {
    Ipv4,
    Arp,
    Ipv6,
}

impl EtherType {
    fn number(self) -> u16 {
        match self {
            Self::Ipv4 => 0x0800,
            Self::Arp => 0x0806,
            Self::Ipv6 => 0x86dd,
        }
    }

    /// Of packets to or from `address`.
    pub(crate) fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }
}

impl Mac {
    /// Whether it means several stations, or all.
    pub fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// The address of an IP group, or of all for a broadcast (RFC 1112, section 6.4; RFC 2464, section 7).
    pub(crate) fn of_group(group: IpAddr) -> Self {
        match group {
            IpAddr::V4(group) if group.is_multicast() => {
                let [_, b, c, d] = group.octets();
                Self([0x01, 0x00, 0x5e, b & 0x7f, c, d])
            }
            IpAddr::V4(_) => BROADCAST,
            IpAddr::V6(group) => {
                let [.., a, b, c, d] = group.octets();
                Self([0x33, 0x33, a, b, c, d])
            }
        }
    }
}

/// A frame for us.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) kind: EtherType,
    /// Whether it came to us alone.
    pub(crate) is_unicast: bool,
    pub(crate) payload: &'a [u8],
}

/// Why a frame is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Too short, or from a group.
    Malformed,
    /// To another station, or of a protocol that we do not speak.
    NotOurs,
}

impl<'a> Frame<'a> {
    /// Reads a frame's header for the station `own`. Which groups are ours the next layer knows.
    pub(crate) fn parse(bytes: &'a [u8], own: Mac) -> Result<Self, Refused> {
        let destination = Mac(array_at(bytes, 0).ok_or(Refused::Malformed)?);
        let source = Mac(array_at(bytes, 6).ok_or(Refused::Malformed)?);
        let number = u16_at(bytes, 12).ok_or(Refused::Malformed)?;
        let payload = bytes.get(HEADER_LEN..).ok_or(Refused::Malformed)?;
        if source.is_multicast() {
            return Err(Refused::Malformed);
        }
        // Our own frames come back from a packet socket or a hub.
        if source == own || !(destination == own || destination.is_multicast()) {
            return Err(Refused::NotOurs);
        }
        let kind = [EtherType::Ipv4, EtherType::Arp, EtherType::Ipv6]
            .into_iter()
            .find(|kind| kind.number() == number)
            .ok_or(Refused::NotOurs)?;
        Ok(Self {
            kind,
            is_unicast: destination == own,
            payload,
        })
    }
}

/// A header's bytes.
pub(crate) fn header(destination: Mac, source: Mac, kind: EtherType) -> [u8; HEADER_LEN] {
    let [a, b, c, d, e, f] = destination.0;
    let [g, h, i, j, k, l] = source.0;
    let [m, n] = kind.number().to_be_bytes();
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n]
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const OTHER: Mac = Mac([2, 0, 0, 0, 0, 2]);

    fn parse(destination: Mac, source: Mac, number: u16) -> Result<(EtherType, bool), Refused> {
        let mut bytes = header(destination, source, EtherType::Ipv4).to_vec();
        bytes[12..14].copy_from_slice(&number.to_be_bytes());
        Frame::parse(&bytes, OWN).map(|frame| (frame.kind, frame.is_unicast))
    }

    #[test]
    fn frames_to_us_and_to_groups_are_taken() {
        assert_eq!(parse(OWN, OTHER, 0x0800), Ok((EtherType::Ipv4, true)));
        assert_eq!(parse(BROADCAST, OTHER, 0x0806), Ok((EtherType::Arp, false)));
        let group = Mac::of_group("ff02::1:ff00:1".parse().expect("an address"));
        assert_eq!(group, Mac([0x33, 0x33, 0xff, 0, 0, 1]));
        assert_eq!(parse(group, OTHER, 0x86dd), Ok((EtherType::Ipv6, false)));
    }

    #[test]
    fn others_are_refused() {
        assert_eq!(parse(OTHER, OTHER, 0x0800), Err(Refused::NotOurs));
        assert_eq!(parse(OWN, OWN, 0x0800), Err(Refused::NotOurs), "our own");
        assert_eq!(parse(OWN, OTHER, 0x8100), Err(Refused::NotOurs), "VLAN");
        assert_eq!(parse(OWN, OTHER, 64), Err(Refused::NotOurs), "802.3");
        assert_eq!(parse(OWN, BROADCAST, 0x0800), Err(Refused::Malformed));
        assert_eq!(
            Frame::parse(&[0; 13], OWN).map(|_| ()),
            Err(Refused::Malformed)
        );
    }

    #[test]
    fn groups_have_their_stations() {
        for (group, expected) in [
            ("224.0.0.1", [0x01, 0x00, 0x5e, 0, 0, 1]),
            ("239.255.1.2", [0x01, 0x00, 0x5e, 0x7f, 1, 2]),
            ("255.255.255.255", [0xff; 6]),
            ("10.0.0.255", [0xff; 6]),
        ] {
            let group = group.parse().expect("an address");
            assert_eq!(Mac::of_group(group), Mac(expected), "{group}");
        }
    }
}
