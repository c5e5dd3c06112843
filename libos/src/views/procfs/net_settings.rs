//! `/proc/sys/net`: the limits of the network that programs read. They tell what holds here, and
//! cannot be changed.

use alloc::vec::Vec;

use super::system::{line, word};
use crate::fs::inode::FileType;
use crate::fs::pseudo::{Item, Listing, Row, table};
use crate::net::inet::interfaces;
use crate::net::inet::ports::{EPHEMERAL, FIRST_UNPRIVILEGED};
use crate::net::options::DEFAULT_BUFFER;

/// What `/proc/sys/net` holds.
pub const SETTINGS: &[Row] = &[
    ("core", |_| table(0, CORE)),
    ("ipv4", |_| table(0, IPV4)),
    ("ipv6", |_| table(0, IPV6)),
    ("unix", |_| {
        table(0, &[("max_dgram_qlen", |_| Item::Text(|_| line(512)))])
    }),
];

const CORE: &[Row] = &[
    ("rmem_default", |_| Item::Text(|_| buffer())),
    ("rmem_max", |_| Item::Text(|_| buffer())),
    ("somaxconn", |_| Item::Text(|_| line(4096))),
    ("wmem_default", |_| Item::Text(|_| buffer())),
    ("wmem_max", |_| Item::Text(|_| buffer())),
];

fn buffer() -> Vec<u8> {
    line(DEFAULT_BUFFER as u64)
}

const IPV4: &[Row] = &[
    ("conf", |_| {
        Item::Directory(alloc::sync::Arc::new(Conf(CONF_V4)))
    }),
    ("icmp_echo_ignore_broadcasts", |_| Item::Text(|_| line(1))),
    ("igmp_max_memberships", |_| Item::Text(|_| line(20))),
    ("igmp_max_msf", |_| Item::Text(|_| line(10))),
    ("ip_default_ttl", |_| Item::Text(|_| line(64))),
    ("ip_forward", |_| Item::Text(|_| line(0))),
    ("ip_local_port_range", |_| Item::Text(|_| local_ports())),
    ("ip_nonlocal_bind", |_| Item::Text(|_| line(0))),
    ("ip_unprivileged_port_start", |_| {
        Item::Text(|_| line(FIRST_UNPRIVILEGED.into()))
    }),
    ("ping_group_range", |_| {
        Item::Text(|_| word("0\t2147483647"))
    }),
    ("tcp_fastopen", |_| Item::Text(|_| line(0))),
    ("tcp_fin_timeout", |_| Item::Text(|_| line(60))),
    ("tcp_keepalive_intvl", |_| Item::Text(|_| line(75))),
    ("tcp_keepalive_probes", |_| Item::Text(|_| line(9))),
    ("tcp_keepalive_time", |_| Item::Text(|_| line(7200))),
    ("tcp_window_scaling", |_| Item::Text(|_| line(1))),
];

fn local_ports() -> Vec<u8> {
    word(&alloc::format!(
        "{}\t{}",
        EPHEMERAL.start(),
        EPHEMERAL.end()
    ))
}

const IPV6: &[Row] = &[
    ("bindv6only", |_| Item::Text(|_| line(0))),
    ("conf", |_| {
        Item::Directory(alloc::sync::Arc::new(Conf(CONF_V6)))
    }),
];

/// What each interface's directory holds.
const CONF_V4: &[Row] = &[("forwarding", |_| Item::Text(|_| line(0)))];

const CONF_V6: &[Row] = &[
    ("disable_ipv6", |_| Item::Text(|_| line(0))),
    ("forwarding", |_| Item::Text(|_| line(0))),
    ("hop_limit", |_| Item::Text(|_| line(64))),
];

/// A directory for all interfaces, for new ones, and for each.
struct Conf(&'static [Row]);

impl Listing for Conf {
    fn get(&self, name: &[u8]) -> Option<Item> {
        let known = name == b"all" || name == b"default" || interfaces::by_name(name).is_some();
        known.then(|| table(0, self.0))
    }

    fn names(&self) -> Vec<(Vec<u8>, FileType)> {
        let all = interfaces::all()
            .into_iter()
            .map(|one| one.name.into_bytes());
        [b"all".to_vec(), b"default".to_vec()]
            .into_iter()
            .chain(all)
            .map(|name| (name, FileType::Directory))
            .collect()
    }

    fn is_stable(&self) -> bool {
        false
    }
}
