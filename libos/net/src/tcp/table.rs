//! Which connection: by its number, and by its addresses through a hash that needs a key, so that nobody
//! can choose addresses that collide.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hash::{BuildHasher, Hash, Hasher};
use core::net::IpAddr;

use hashbrown::HashMap;
use siphasher::sip::SipHasher13;

use super::ConnectionId;
use super::connection::Connection;
use crate::address::Flow;

/// A flow's addresses and ports, packed for hashing. Scope and flow label are not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    bytes: [u8; 36],
    len: u8,
}

impl Key {
    pub fn new(flow: &Flow) -> Self {
        let mut bytes = [0; 36];
        let half = match (flow.local.ip(), flow.remote.ip()) {
            (IpAddr::V4(local), IpAddr::V4(remote)) => {
                bytes[4..8].copy_from_slice(&local.octets());
                bytes[8..12].copy_from_slice(&remote.octets());
                4
            }
            (local, remote) => {
                bytes[4..20].copy_from_slice(&v6(local));
                bytes[20..36].copy_from_slice(&v6(remote));
                16
            }
        };
        bytes[..2].copy_from_slice(&flow.local.port().to_be_bytes());
        bytes[2..4].copy_from_slice(&flow.remote.port().to_be_bytes());
        Self {
            bytes,
            len: 4 + 2 * half,
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len.into()]
    }
}

fn v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.as_bytes());
    }
}

/// Makes hashers that need the key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keyed {
    key: [u8; 16],
}

impl Keyed {
    pub fn new(key: [u8; 16]) -> Self {
        Self { key }
    }
}

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(&self.key)
    }
}

#[derive(Debug, Default)]
struct Slot {
    /// How often the slot was filled: the upper half of an id.
    generation: u32,
    connection: Option<Box<Connection>>,
}

/// All connections.
#[derive(Debug, Default)]
pub(crate) struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
    flows: HashMap<Key, u32, Keyed>,
}

impl Table {
    pub fn new(key: [u8; 16]) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            flows: HashMap::with_hasher(Keyed::new(key)),
        }
    }

    /// How many slots there are, filled or not.
    pub fn slots(&self) -> u32 {
        u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
    }

    /// Adds a connection whose addresses are not in use.
    pub fn insert(&mut self, key: Key, connection: Connection) -> u32 {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.slots() - 1
        });
        if let Some(slot) = self.slots.get_mut(at(index)) {
            slot.generation = slot.generation.wrapping_add(1);
            slot.connection = Some(Box::new(connection));
        }
        self.flows.insert(key, index);
        index
    }

    /// Takes one out; its addresses are free if they still were its own.
    pub fn remove(&mut self, index: u32) -> Option<Box<Connection>> {
        let connection = self.slots.get_mut(at(index))?.connection.take()?;
        self.free.push(index);
        self.unbind(index, &connection.flow);
        Some(connection)
    }

    /// Frees the addresses of a connection that stays only to be read.
    pub fn unbind(&mut self, index: u32, flow: &Flow) {
        let key = Key::new(flow);
        if self.flows.get(&key) == Some(&index) {
            self.flows.remove(&key);
        }
    }

    pub fn find(&self, key: &Key) -> Option<u32> {
        self.flows.get(key).copied()
    }

    /// The slot of an id, if it still means that connection.
    pub fn index(&self, id: ConnectionId) -> Option<u32> {
        let index = u32::try_from(id.0 & 0xffff_ffff).ok()?;
        (self.id(index) == id).then_some(index)
    }

    /// The id of what is in a slot now.
    pub fn id(&self, index: u32) -> ConnectionId {
        let generation = self.slots.get(at(index)).map_or(0, |slot| slot.generation);
        ConnectionId(u64::from(generation) << 32 | u64::from(index))
    }

    pub fn get(&self, index: u32) -> Option<&Connection> {
        self.slots.get(at(index))?.connection.as_deref()
    }

    pub fn get_mut(&mut self, index: u32) -> Option<&mut Connection> {
        self.slots.get_mut(at(index))?.connection.as_deref_mut()
    }

    pub fn iter(&self) -> impl Iterator<Item = (u32, &Connection)> {
        (0..)
            .zip(&self.slots)
            .filter_map(|(index, slot)| Some((index, slot.connection.as_deref()?)))
    }
}

fn at(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_four_addresses() {
        let flow = |local: &str, remote: &str| {
            Key::new(&Flow {
                local: local.parse().expect("an address"),
                remote: remote.parse().expect("an address"),
            })
        };
        let one = flow("10.0.0.1:80", "10.0.0.2:1000");
        assert_eq!(one, flow("10.0.0.1:80", "10.0.0.2:1000"));
        for other in [
            flow("10.0.0.2:80", "10.0.0.1:1000"),
            flow("10.0.0.1:1000", "10.0.0.2:80"),
            flow("[::ffff:10.0.0.1]:80", "[::ffff:10.0.0.2]:1000"),
            flow("10.0.0.1:80", "10.0.0.2:1001"),
        ] {
            assert_ne!(one, other);
        }
        assert_eq!(one.as_bytes().len(), 12);
        assert_eq!(flow("[::1]:1", "[::2]:2").as_bytes().len(), 36);
    }
}
