//! Puts fragments together (RFC 791, section 3.2; RFC 8200, section 4.5), within bounds.
//!
//! Fragments that overlap take their whole packet with them (RFC 5722; Linux does so for IPv4 too): no
//! honest sender makes them. Exact repetitions are dropped. What is incomplete goes after a while, or when
//! newer ones need its room.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;

use hashbrown::HashMap;

use super::header::set_ipv4_checksum;
use crate::config::InterfaceId;
use crate::random::KeyedHash;
use crate::time::{Duration, Instant};

/// Most packets that are incomplete at a time.
const MOST_PACKETS: usize = 64;

/// Most bytes of all of them together (`ipfrag_high_thresh`).
const MOST_BYTES: usize = 4 << 20;

/// What a fragment costs beyond its bytes, about.
const COST: usize = 64;

/// Longest packet behind its header, in bytes.
const LONGEST: usize = 65_535;

/// How long a packet is waited for: `ipfrag_time`, and `ip6frag_time` (RFC 8200: 60 s).
const PATIENCE_IPV4: Duration = Duration::from_secs(30);
const PATIENCE_IPV6: Duration = Duration::from_secs(60);

/// Which packet a fragment belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) identification: u32,
    /// IPv4 only, else zero.
    pub(crate) protocol: u8,
    /// Fragments by several interfaces are not of one packet.
    pub(crate) interface: InterfaceId,
}

/// A piece of a packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'a> {
    /// What is before the pieces, as the whole packet is to have it but for its lengths.
    pub(crate) header: &'a [u8],
    /// Place among the pieces in bytes.
    pub(crate) offset: usize,
    /// Whether others follow.
    pub(crate) more: bool,
    pub(crate) data: &'a [u8],
}

/// What became of a piece.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Others are missing.
    Waiting,
    /// The whole packet.
    Whole(Vec<u8>),
    /// It contradicts others, and took them with it; or it cannot be.
    Contradiction,
}

/// A packet that stayed incomplete.
#[derive(Debug)]
pub(crate) struct Incomplete {
    pub(crate) key: Key,
    /// Its header and first piece.
    pub(crate) beginning: Vec<u8>,
}

#[derive(Debug)]
struct Assembly {
    expires: Instant,
    /// Of the first piece.
    header: Vec<u8>,
    pieces: BTreeMap<usize, Vec<u8>>,
    received: usize,
    /// Length of all pieces, once the last has come.
    total: Option<usize>,
}

/// Packets that are incomplete.
#[derive(Debug)]
pub(crate) struct Reassembly {
    table: HashMap<Key, Assembly, KeyedHash>,
    bytes: usize,
    /// Packets that were given up because their time was over, and for want of room; of IPv4 and of IPv6.
    pub(crate) timeouts: [u64; 2],
    pub(crate) evicted: [u64; 2],
    /// No later than the first expiry.
    next: Option<Instant>,
}

impl Reassembly {
    /// None yet.
    pub(crate) fn new(hash: KeyedHash) -> Self {
        Self {
            table: HashMap::with_hasher(hash),
            bytes: 0,
            timeouts: [0; 2],
            evicted: [0; 2],
            next: None,
        }
    }

    /// A piece came.
    pub(crate) fn add(&mut self, now: Instant, key: Key, piece: Piece<'_>) -> Outcome {
        let end = piece.offset + piece.data.len();
        let is_even = piece.data.len().is_multiple_of(8);
        if piece.data.is_empty() || (piece.more && !is_even) || end > LONGEST {
            return Outcome::Contradiction;
        }
        if !self.table.contains_key(&key) {
            self.begin(now, key);
        }
        let Some(assembly) = self.table.get_mut(&key) else {
            return Outcome::Contradiction;
        };
        let before = assembly.cost();
        let fits = assembly.add(piece);
        self.bytes = self.bytes + assembly.cost() - before;
        if !fits {
            self.remove(key);
            return Outcome::Contradiction;
        }
        if assembly.is_whole() {
            return self
                .remove(key)
                .and_then(Assembly::into_packet)
                .map_or(Outcome::Contradiction, Outcome::Whole);
        }
        while self.bytes > MOST_BYTES && self.evict() {}
        Outcome::Waiting
    }

    /// How many packets of IPv4 and of IPv6 are incomplete, and the bytes of both together.
    pub(crate) fn load(&self) -> ([usize; 2], usize) {
        let v6 = self.table.keys().filter(|key| key.source.is_ipv6()).count();
        ([self.table.len() - v6, v6], self.bytes)
    }

    /// When [`Self::poll`] wants to be called.
    pub(crate) fn poll_at(&self) -> Option<Instant> {
        self.next
    }

    /// Gives up on packets that were waited for long enough. Returns those of which the first piece is there.
    pub(crate) fn poll(&mut self, now: Instant) -> Vec<Incomplete> {
        if self.next.is_none_or(|next| now < next) {
            return Vec::new();
        }
        let expired = self.table.iter().filter(|(_, one)| one.expires <= now);
        let expired: Vec<Key> = expired.map(|(&key, _)| key).collect();
        let removed = expired
            .into_iter()
            .filter_map(|key| Some((key, self.remove(key)?)));
        let removed: Vec<(Key, Assembly)> = removed.collect();
        for (key, _) in &removed {
            self.timeouts[usize::from(key.source.is_ipv6())] += 1;
        }
        self.next = self.table.values().map(|one| one.expires).min();
        let beginnings = removed.into_iter().filter_map(|(key, mut one)| {
            let mut beginning = core::mem::take(&mut one.header);
            beginning.extend_from_slice(one.pieces.get(&0)?);
            Some(Incomplete { key, beginning })
        });
        beginnings.collect()
    }

    fn begin(&mut self, now: Instant, key: Key) {
        if self.table.len() >= MOST_PACKETS {
            self.evict();
        }
        let expires = now
            + match key.source {
                IpAddr::V4(_) => PATIENCE_IPV4,
                IpAddr::V6(_) => PATIENCE_IPV6,
            };
        let assembly = Assembly {
            expires,
            header: Vec::new(),
            pieces: BTreeMap::new(),
            received: 0,
            total: None,
        };
        self.next = Some(self.next.map_or(expires, |next| next.min(expires)));
        self.table.insert(key, assembly);
    }

    fn remove(&mut self, key: Key) -> Option<Assembly> {
        let assembly = self.table.remove(&key)?;
        self.bytes -= assembly.cost();
        Some(assembly)
    }

    /// Gives up on the packet that would expire first.
    fn evict(&mut self) -> bool {
        let oldest = self.table.iter().min_by_key(|(_, one)| one.expires);
        let Some(key) = oldest.map(|(&key, _)| key) else {
            return false;
        };
        self.evicted[usize::from(key.source.is_ipv6())] += 1;
        self.remove(key).is_some()
    }
}

impl Assembly {
    fn cost(&self) -> usize {
        self.received + self.pieces.len() * COST + self.header.len()
    }

    fn is_whole(&self) -> bool {
        self.total == Some(self.received)
    }

    /// Takes a piece; false if it contradicts the others.
    fn add(&mut self, piece: Piece<'_>) -> bool {
        let end = piece.offset + piece.data.len();
        let before = self.pieces.range(..=piece.offset).next_back();
        if let Some((&offset, data)) = before {
            if offset == piece.offset && data.len() == piece.data.len() {
                // Repeated: the first one stays.
                return true;
            }
            if offset + data.len() > piece.offset {
                return false;
            }
        }
        let after = self.pieces.range(piece.offset..).next();
        if after.is_some_and(|(&offset, _)| offset < end) {
            return false;
        }
        if self.total.is_some_and(|total| end > total) {
            return false;
        }
        if !piece.more {
            let last = self.pieces.last_key_value();
            let reached = last.map_or(0, |(offset, data)| offset + data.len());
            if self.total.is_some() || reached > end {
                return false;
            }
            self.total = Some(end);
        }
        if piece.offset == 0 {
            self.header = piece.header.to_vec();
        }
        self.received += piece.data.len();
        self.pieces.insert(piece.offset, piece.data.to_vec());
        true
    }

    /// The packet; none if it is longer than packets can be.
    fn into_packet(self) -> Option<Vec<u8>> {
        let mut packet = self.header;
        let header_len = packet.len();
        packet.reserve(self.received);
        for data in self.pieces.values() {
            packet.extend_from_slice(data);
        }
        let len = packet.len();
        if packet.first()? >> 4 == 4 {
            let total = u16::try_from(len).ok()?;
            let header = packet.get_mut(..header_len)?;
            header.get_mut(2..4)?.copy_from_slice(&total.to_be_bytes());
            header.get_mut(6..8)?.fill(0);
            set_ipv4_checksum(header);
        } else {
            let payload = u16::try_from(len.checked_sub(40)?).ok()?;
            packet
                .get_mut(4..6)?
                .copy_from_slice(&payload.to_be_bytes());
        }
        Some(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    fn key(identification: u32) -> Key {
        Key {
            source: Ipv4Addr::new(10, 0, 0, 1).into(),
            destination: Ipv4Addr::new(10, 0, 0, 2).into(),
            identification,
            protocol: 17,
            interface: InterfaceId(0),
        }
    }

    /// A piece of a packet whose bytes count up.
    struct Sender {
        header: Vec<u8>,
        data: Vec<u8>,
    }

    impl Sender {
        fn new() -> Self {
            let mut header = alloc::vec![0; 20];
            header[0] = 0x45;
            let data = (0..=255).cycle().take(65_536).collect();
            Self { header, data }
        }

        fn piece(&self, offset: usize, len: usize, more: bool) -> Piece<'_> {
            Piece {
                header: &self.header,
                offset,
                more,
                data: &self.data[offset..offset + len],
            }
        }
    }

    fn table() -> Reassembly {
        Reassembly::new(KeyedHash::new([1; 16]))
    }

    #[test]
    fn pieces_in_any_order_make_the_packet() {
        let sender = Sender::new();
        let pieces = [(0, 16, true), (16, 24, true), (40, 5, false)];
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]] {
            let mut table = table();
            let mut outcomes = order.map(|index| {
                let (offset, len, more) = pieces[index];
                table.add(Instant::ZERO, key(1), sender.piece(offset, len, more))
            });
            let Outcome::Whole(packet) = core::mem::replace(&mut outcomes[2], Outcome::Waiting)
            else {
                panic!("{order:?}: {outcomes:?}");
            };
            assert_eq!(packet[20..], sender.data[..45]);
            assert!(crate::checksum::is_good_alone(&packet[..20]));
            assert_eq!(table.bytes, 0);
            assert!(table.table.is_empty());
        }
    }

    #[test]
    fn contradictions_take_the_packet_with_them() {
        let sender = Sender::new();
        type Pieces<'a> = &'a [(usize, usize, bool)];
        let cases: [(&str, Pieces<'_>); 9] = [
            ("an overlap behind", &[(0, 16, true), (8, 16, true)]),
            ("an overlap before", &[(8, 16, true), (0, 16, true)]),
            ("a longer repetition", &[(0, 16, true), (0, 24, true)]),
            ("one inside of another", &[(0, 32, true), (8, 8, true)]),
            ("two ends", &[(16, 8, false), (32, 8, false)]),
            ("something behind the end", &[(16, 8, false), (24, 8, true)]),
            ("an end before something", &[(24, 8, true), (8, 8, false)]),
            ("a crooked length", &[(0, 12, true)]),
            ("nothing", &[(0, 0, true)]),
        ];
        for (what, pieces) in cases {
            let mut table = table();
            let last = pieces.iter().map(|&(offset, len, more)| {
                table.add(Instant::ZERO, key(1), sender.piece(offset, len, more))
            });
            assert_eq!(last.last(), Some(Outcome::Contradiction), "{what}");
            assert!(table.table.is_empty(), "{what}");
            assert_eq!(table.bytes, 0, "{what}");
        }
        let mut table = table();
        let long = sender.piece(65_528, 8, false);
        assert_eq!(
            table.add(Instant::ZERO, key(1), long),
            Outcome::Contradiction
        );
    }

    #[test]
    fn repetitions_do_no_harm() {
        let sender = Sender::new();
        let mut table = table();
        for _ in 0..3 {
            let outcome = table.add(Instant::ZERO, key(1), sender.piece(0, 16, true));
            assert_eq!(outcome, Outcome::Waiting);
        }
        let outcome = table.add(Instant::ZERO, key(1), sender.piece(16, 1, false));
        assert!(matches!(outcome, Outcome::Whole(_)));
    }

    #[test]
    fn patience_ends() {
        let sender = Sender::new();
        let mut table = table();
        table.add(Instant::ZERO, key(1), sender.piece(0, 16, true));
        table.add(Instant::ZERO, key(2), sender.piece(16, 16, true));
        assert_eq!(table.poll_at(), Some(Instant::ZERO + PATIENCE_IPV4));
        assert!(table.poll(Instant::from_secs(29)).is_empty());
        let incomplete = table.poll(Instant::from_secs(30));
        assert_eq!(incomplete.len(), 1, "only one has a beginning");
        assert_eq!(incomplete[0].beginning.len(), 36);
        assert_eq!((table.poll_at(), table.bytes), (None, 0));
    }

    #[test]
    fn what_is_incomplete_is_bounded() {
        let sender = Sender::new();
        let mut table = table();
        for number in 0..10_000 {
            table.add(Instant::ZERO, key(number), sender.piece(8, 65_000, true));
            assert!(table.bytes <= MOST_BYTES + 65_200);
        }
        assert!(table.table.len() <= MOST_PACKETS);
        let mut table = self::table();
        for offset in (8..65_000).step_by(16) {
            table.add(Instant::ZERO, key(1), sender.piece(offset, 8, true));
        }
        assert!(table.bytes <= MOST_BYTES);
    }
}
