//! `/sys`: the entries that runtimes read: the one CPU, huge pages, an empty cgroup directory, and
//! network interfaces ([`net`]).

mod net;

use alloc::sync::Arc;

use crate::fs::inode::Inode;
use crate::fs::pseudo::{Item, PseudoFs, Row, Table, table};

/// `SYSFS_MAGIC`.
const MAGIC: u64 = 0x6265_6572;

/// The content of `/sys`.
pub fn build() -> Arc<dyn Inode> {
    let root = Table {
        subject: 0,
        rows: ROOT,
    };
    PseudoFs::root(MAGIC, Arc::new(root))
}

const ROOT: &[Row] = &[
    ("class", |_| table(0, CLASS)),
    ("devices", |_| table(0, DEVICES)),
    ("fs", |_| table(0, &[("cgroup", |_| table(0, &[]))])),
    ("kernel", |_| table(0, &[("mm", |_| table(0, MM))])),
];

const CLASS: &[Row] = &[("net", |_| Item::Directory(Arc::new(net::Interfaces)))];

const DEVICES: &[Row] = &[("system", |_| table(0, &[("cpu", |_| table(0, CPU))]))];

const CPU: &[Row] = &[
    ("cpu0", |_| {
        table(0, &[("topology", |_| table(0, TOPOLOGY))])
    }),
    ("kernel_max", |_| Item::Text(|_| b"0\n".to_vec())),
    ("offline", |_| Item::Text(|_| b"\n".to_vec())),
    ("online", |_| Item::Text(|_| b"0\n".to_vec())),
    ("possible", |_| Item::Text(|_| b"0\n".to_vec())),
    ("present", |_| Item::Text(|_| b"0\n".to_vec())),
];

const TOPOLOGY: &[Row] = &[
    ("core_id", |_| Item::Text(|_| b"0\n".to_vec())),
    ("core_siblings_list", |_| Item::Text(|_| b"0\n".to_vec())),
    ("physical_package_id", |_| Item::Text(|_| b"0\n".to_vec())),
    ("thread_siblings_list", |_| Item::Text(|_| b"0\n".to_vec())),
];

const MM: &[Row] = &[("transparent_hugepage", |_| table(0, HUGE))];

/// What the host does with huge pages is not known here; none are asked for.
const HUGE: &[Row] = &[
    ("enabled", |_| {
        Item::Text(|_| b"always madvise [never]\n".to_vec())
    }),
    ("hpage_pmd_size", |_| Item::Text(|_| b"2097152\n".to_vec())),
];
