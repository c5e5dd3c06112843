//! `/proc`: what programs read about themselves and the system.
//!
//! - [`process`]: `/proc/PID`, `/proc/self`, threads, descriptors.
//! - [`net`]: interfaces, routes, sockets; [`net_settings`]: `/proc/sys/net`.
//! - [`system`]: memory, CPUs, versions, `/proc/sys`.
//!
//! The figures come from the subsystems that own them. What has no meaning here is absent rather
//! than made up.

mod descriptors;
mod net;
mod net_settings;
mod process;
mod system;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicPtr, Ordering};

use libos_abi::boot::{Array, BootInfo, Text};

use crate::fs::inode::{FileType, Inode};
use crate::fs::pseudo::{Item, Listing, PseudoFs, Row, table};
use crate::fs::vfs::Path;
use crate::sync::SpinLock;
use crate::task::with_current;

/// `PROC_SUPER_MAGIC`.
const MAGIC: u64 = 0x9fa0;

static BOOT: AtomicPtr<BootInfo> = AtomicPtr::new(core::ptr::null_mut());
/// The program's own file.
static PROGRAM: SpinLock<Option<Path>> = SpinLock::new(None);

/// Keeps what the command line, the environment and the CPU's description come from.
pub fn set_boot(boot: &'static BootInfo) {
    BOOT.store(core::ptr::from_ref(boot).cast_mut(), Ordering::Relaxed);
}

/// Says which file the program is.
pub fn set_program(program: Path) {
    *PROGRAM.lock() = Some(program);
}

fn boot() -> Option<&'static BootInfo> {
    // SAFETY: null, or the tender's record, which stays mapped and unchanged.
    unsafe { BOOT.load(Ordering::Relaxed).as_ref() }
}

/// Texts of the boot information, each with a NUL behind it.
fn joined(texts: &Array<Text>) -> Vec<u8> {
    // SAFETY: the tender's arrays and texts stay mapped and unchanged.
    let texts = unsafe { texts.as_slice() };
    let mut bytes = Vec::new();
    for text in texts {
        // SAFETY: as above.
        bytes.extend_from_slice(unsafe { text.as_slice() });
        bytes.push(0);
    }
    bytes
}

/// The content of `/proc`.
pub fn build() -> Arc<dyn Inode> {
    PseudoFs::root(MAGIC, Arc::new(Root))
}

struct Root;

const ROWS: &[Row] = &[
    ("self", |_| Item::Link(|_| own_pid())),
    ("thread-self", |_| Item::Link(process::thread_self)),
    ("net", |_| Item::Link(|_| b"self/net".to_vec())),
    ("mounts", |_| Item::Link(|_| b"self/mounts".to_vec())),
    ("cmdline", |_| Item::Text(|_| b"libos\n".to_vec())),
    ("cpuinfo", |_| Item::Text(system::cpuinfo)),
    ("filesystems", |_| Item::Text(system::filesystems)),
    ("loadavg", |_| Item::Text(system::loadavg)),
    ("meminfo", |_| Item::Text(system::meminfo)),
    ("stat", |_| Item::Text(system::stat)),
    ("uptime", |_| Item::Text(system::uptime)),
    ("version", |_| Item::Text(system::version)),
    ("sys", |_| table(0, system::SYS)),
];

fn own_pid() -> Vec<u8> {
    let pid = with_current(|thread| thread.process().pid());
    alloc::format!("{pid}").into_bytes()
}

impl Listing for Root {
    fn get(&self, name: &[u8]) -> Option<Item> {
        if let Some(row) = ROWS.iter().find(|(known, _)| known.as_bytes() == name) {
            return Some(row.1(0));
        }
        // Any thread's id finds its process, though only processes are listed.
        let tid = core::str::from_utf8(name).ok()?.parse().ok()?;
        process::find(tid).map(|_| process::directory(tid))
    }

    fn names(&self) -> Vec<(Vec<u8>, FileType)> {
        let fixed = ROWS
            .iter()
            .map(|(name, make)| (name.as_bytes().to_vec(), make(0).file_type()));
        fixed.chain([(own_pid(), FileType::Directory)]).collect()
    }

    fn is_stable(&self) -> bool {
        false
    }
}
