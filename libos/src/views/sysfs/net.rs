//! `/sys/class/net`: a directory for each interface (Linux has links to such there).

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use libos_net::stack::Counters;

use crate::fs::inode::FileType;
use crate::fs::pseudo::{Item, Listing, text};
use crate::net::inet::interfaces::{self, Interface};

/// The interfaces.
pub struct Interfaces;

impl Listing for Interfaces {
    fn get(&self, name: &[u8]) -> Option<Item> {
        let interface = interfaces::by_name(name).filter(|one| one.name.as_bytes() == name)?;
        Some(Item::Directory(Arc::new(OneInterface(interface.index))))
    }

    fn names(&self) -> Vec<(Vec<u8>, FileType)> {
        interfaces::all()
            .into_iter()
            .map(|one| (one.name.into_bytes(), FileType::Directory))
            .collect()
    }

    fn is_stable(&self) -> bool {
        false
    }
}

/// The directory of the interface with this number.
struct OneInterface(u32);

/// A file's name, and what makes its line.
type Fact = (&'static str, fn(&Interface) -> String);

const FACTS: &[Fact] = &[
    ("addr_len", |_| String::from("6")),
    ("address", |one| colons(one.mac)),
    ("broadcast", |one| colons(one.hardware_broadcast())),
    ("carrier", |one| number(u32::from(one.is_up))),
    ("dev_id", |_| String::from("0x0")),
    ("flags", |one| {
        /// The flags that a user sets; the others are the kernel's.
        const SETTABLE: u32 = 0xffff & !0x40;
        alloc::format!("{:#x}", one.flags() & SETTABLE)
    }),
    ("ifindex", |one| number(one.index)),
    ("iflink", |one| number(one.index)),
    ("mtu", |one| number(one.mtu)),
    ("operstate", |one| {
        let state = match (one.is_loopback(), one.is_up) {
            (true, _) => "unknown",
            (_, true) => "up",
            (_, false) => "down",
        };
        String::from(state)
    }),
    ("tx_queue_len", |_| number(1000)),
    ("type", |one| number(one.hardware_type().into())),
    ("uevent", |one| {
        alloc::format!("INTERFACE={}\nIFINDEX={}", one.name, one.index)
    }),
];

fn number(value: u32) -> String {
    alloc::format!("{value}")
}

fn colons(mac: [u8; 6]) -> String {
    let [a, b, c, d, e, f] = mac;
    alloc::format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

impl Listing for OneInterface {
    fn get(&self, name: &[u8]) -> Option<Item> {
        let index = self.0;
        if name == b"statistics" {
            return Some(Item::Directory(Arc::new(Statistics(index))));
        }
        let (_, fact) = FACTS.iter().find(|(known, _)| known.as_bytes() == name)?;
        Some(line(index, *fact))
    }

    fn names(&self) -> Vec<(Vec<u8>, FileType)> {
        let facts = FACTS
            .iter()
            .map(|(name, _)| (name.as_bytes().to_vec(), FileType::Regular));
        facts
            .chain([(b"statistics".to_vec(), FileType::Directory)])
            .collect()
    }
}

/// A file with one line about the interface `index`.
fn line(index: u32, fact: impl Fn(&Interface) -> String + Send + Sync + 'static) -> Item {
    Item::Made(Arc::new(move || {
        let found = interfaces::by_index(index).map(|one| fact(&one));
        found.map_or_else(Vec::new, |found| {
            text(|out| core::fmt::Write::write_fmt(out, format_args!("{found}\n")))
        })
    }))
}

/// The counters of the interface with this number.
struct Statistics(u32);

/// A counter's name, and where it is.
type Counter = (&'static str, fn(&Counters) -> u64);

const COUNTERS: &[Counter] = &[
    ("rx_bytes", |counters| counters.received_bytes),
    ("rx_dropped", |counters| counters.received_dropped),
    ("rx_errors", |counters| counters.received_errors),
    ("rx_packets", |counters| counters.received_frames),
    ("tx_bytes", |counters| counters.sent_bytes),
    ("tx_dropped", |counters| counters.sent_dropped),
    ("tx_errors", |_| 0),
    ("tx_packets", |counters| counters.sent_frames),
];

impl Listing for Statistics {
    fn get(&self, name: &[u8]) -> Option<Item> {
        let (_, counter) = COUNTERS
            .iter()
            .find(|(known, _)| known.as_bytes() == name)?;
        Some(line(self.0, |one| {
            alloc::format!("{}", counter(&one.counters))
        }))
    }

    fn names(&self) -> Vec<(Vec<u8>, FileType)> {
        COUNTERS
            .iter()
            .map(|(name, _)| (name.as_bytes().to_vec(), FileType::Regular))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(item: Option<Item>) -> String {
        match item {
            Some(Item::Made(make)) => String::from_utf8(make()).expect("text"),
            _ => String::new(),
        }
    }

    #[test]
    fn loopback_is_described() {
        let Some(Item::Directory(lo)) = Interfaces.get(b"lo") else {
            panic!("loopback is always there");
        };
        for (name, expected) in [
            ("address", "00:00:00:00:00:00\n"),
            ("flags", "0x9\n"),
            ("ifindex", "1\n"),
            ("mtu", "65536\n"),
            ("operstate", "unknown\n"),
            ("type", "772\n"),
        ] {
            assert_eq!(read(lo.get(name.as_bytes())), expected, "{name}");
        }
        assert!(lo.get(b"nothing").is_none() && Interfaces.get(b"eth9").is_none());
        assert_eq!(lo.names().len(), FACTS.len() + 1);
    }
}
