//! `/proc`: the system as a whole, and `/proc/sys`.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use libos_abi::handle::HandleKind;

use crate::errno::{Errno, Result};
use crate::fs::pseudo::{Item, Row, table, text};
use crate::mm;
use crate::task::limits::NR_OPEN;
use crate::task::{Thread, Tid, uts, with_current};
use crate::time::Instant;
use crate::views::procfs::{boot, net_settings as net};

const NS: u64 = 1_000_000_000;

/// The host's first processor block: the program has one CPU. Read from the host when it is asked for.
pub fn cpuinfo(_: Tid) -> Vec<u8> {
    let Some(boot) = boot() else {
        return Vec::new();
    };
    // SAFETY: the tender's array stays mapped and unchanged.
    let mut handles = unsafe { boot.handles.as_slice() }.iter();
    let Some(handle) = handles.find(|handle| handle.kind == HandleKind::CpuInfo) else {
        return Vec::new();
    };
    let mut text = alloc::vec![0; 8192];
    let read = crate::hypercall::pread(handle, text.as_mut_ptr(), text.len(), 0);
    text.truncate(read.unwrap_or(0));
    if let Some(end) = text.windows(2).position(|pair| pair == b"\n\n") {
        text.truncate(end + 2);
    }
    text
}

pub fn filesystems(_: Tid) -> Vec<u8> {
    b"nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\n".to_vec()
}

fn thread_count() -> usize {
    with_current(|thread| thread.process().threads.lock().len())
}

/// The load is what can run now: averages are not kept.
pub fn loadavg(_: Tid) -> Vec<u8> {
    let running = crate::sched::runnable() + 1;
    let last = with_current(|thread| thread.process().threads.lock().keys().next_back());
    text(|out| {
        let (threads, last) = (thread_count(), last.unwrap_or(0));
        writeln!(
            out,
            "{running}.00 {running}.00 {running}.00 {running}/{threads} {last}"
        )
    })
}

pub fn meminfo(_: Tid) -> Vec<u8> {
    let figures = mm::statistics();
    let free = figures.limit.saturating_sub(figures.in_use);
    let shared = crate::fs::root().inode().statistics();
    let files = shared.blocks.saturating_sub(shared.blocks_free) * shared.block_size;
    let files = usize::try_from(files).unwrap_or(usize::MAX);
    text(|out| {
        let mut line = |name: &str, bytes: usize| {
            let name = alloc::format!("{name}:");
            writeln!(out, "{name:<16}{:8} kB", bytes / 1024)
        };
        line("MemTotal", figures.limit)?;
        line("MemFree", free)?;
        line("MemAvailable", free)?;
        line("Buffers", 0)?;
        line("Cached", files)?;
        line("SwapCached", 0)?;
        line("Mlocked", figures.locked)?;
        line("SwapTotal", 0)?;
        line("SwapFree", 0)?;
        line("AnonPages", figures.in_use)?;
        line("Mapped", figures.file_resident)?;
        line("Shmem", files)?;
        line("Slab", figures.heap)?;
        line("CommitLimit", figures.limit)?;
        line("Committed_AS", figures.in_use)?;
        writeln!(out, "HugePages_Total:       0\nHugePages_Free:        0")?;
        writeln!(out, "HugePages_Rsvd:        0\nHugePages_Surp:        0")?;
        writeln!(out, "Hugepagesize:       2048 kB")
    })
}

/// CPU time of all threads, in nanoseconds.
fn cpu_ns() -> u64 {
    with_current(|thread| {
        let threads = thread.process().threads.lock();
        let cpu = |thread: &alloc::sync::Arc<Thread>| crate::time::clock::thread_cpu_ns(thread);
        threads.values().map(cpu).sum()
    })
}

pub fn stat(_: Tid) -> Vec<u8> {
    const TICK: u64 = NS / 100;
    let now = Instant::now().as_ns();
    let busy = cpu_ns() / TICK;
    let started = boot().map_or(0, |boot| boot.started_ns);
    let idle = (now.saturating_sub(started) / TICK).saturating_sub(busy);
    let booted = crate::time::realtime_ns().saturating_sub(now) / NS;
    text(|out| {
        writeln!(out, "cpu  {busy} 0 0 {idle} 0 0 0 0 0 0")?;
        writeln!(out, "cpu0 {busy} 0 0 {idle} 0 0 0 0 0 0")?;
        writeln!(
            out,
            "intr {}\nctxt 0\nbtime {booted}",
            crate::sched::ticks()
        )?;
        writeln!(out, "processes {}", thread_count())?;
        writeln!(
            out,
            "procs_running {}\nprocs_blocked 0",
            crate::sched::runnable() + 1
        )
    })
}

/// Seconds since the system's start and those that its CPU was idle, in hundredths.
pub fn uptime(_: Tid) -> Vec<u8> {
    let now = Instant::now().as_ns();
    let idle = now.saturating_sub(cpu_ns());
    let show = |ns: u64| alloc::format!("{}.{:02}", ns / NS, ns % NS / (NS / 100));
    text(|out| writeln!(out, "{} {}", show(now), show(idle)))
}

pub fn version(_: Tid) -> Vec<u8> {
    text(|out| {
        writeln!(
            out,
            "{} version {} {}",
            uts::SYSNAME,
            uts::RELEASE,
            uts::VERSION
        )
    })
}

/// `/proc/sys`.
pub const SYS: &[Row] = &[
    ("fs", |_| table(0, FS)),
    ("kernel", |_| table(0, KERNEL)),
    ("net", |_| table(0, net::SETTINGS)),
    ("vm", |_| table(0, VM)),
];

const FS: &[Row] = &[
    ("file-max", |_| {
        Item::Text(|_| b"9223372036854775807\n".to_vec())
    }),
    ("inotify", |_| table(0, INOTIFY)),
    ("nr_open", |_| Item::Text(|_| line(NR_OPEN))),
    ("pipe-max-size", |_| Item::Text(|_| line(1 << 20))),
];

const INOTIFY: &[Row] = &[
    ("max_queued_events", |_| Item::Text(|_| line(16_384))),
    ("max_user_instances", |_| Item::Text(|_| line(128))),
    ("max_user_watches", |_| Item::Text(|_| line(65_536))),
];

const KERNEL: &[Row] = &[
    ("cap_last_cap", |_| Item::Text(|_| line(40))),
    ("core_pattern", |_| Item::Text(|_| b"core\n".to_vec())),
    ("hostname", |_| Item::Setting(hostname, set_hostname)),
    ("ngroups_max", |_| Item::Text(|_| line(65_536))),
    ("osrelease", |_| Item::Text(|_| word(uts::RELEASE))),
    ("ostype", |_| Item::Text(|_| word(uts::SYSNAME))),
    ("pid_max", |_| Item::Text(|_| line(1 << 22))),
    ("random", |_| table(0, RANDOM)),
    ("threads-max", |_| Item::Text(|_| line(1 << 15))),
    ("version", |_| Item::Text(|_| word(uts::VERSION))),
];

const RANDOM: &[Row] = &[
    ("boot_id", |_| Item::Text(boot_id)),
    ("entropy_avail", |_| Item::Text(|_| line(256))),
    ("poolsize", |_| Item::Text(|_| line(256))),
    ("uuid", |_| Item::Text(uuid)),
];

const VM: &[Row] = &[
    ("max_map_count", |_| Item::Text(|_| line(65_530))),
    ("mmap_min_addr", |_| Item::Text(|_| line(65_536))),
    ("overcommit_memory", |_| Item::Text(|_| line(1))),
];

pub(super) fn line(value: u64) -> Vec<u8> {
    word(&alloc::format!("{value}"))
}

pub(super) fn word(value: &str) -> Vec<u8> {
    text(|out| writeln!(out, "{value}"))
}

fn hostname(_: Tid) -> Vec<u8> {
    let name = uts::hostname();
    let len = name
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(name.len());
    word(&String::from_utf8_lossy(&name[..len]))
}

fn set_hostname(_: Tid, bytes: &[u8]) -> Result<()> {
    // As sethostname(2) without CAP_SYS_ADMIN, which nobody has here.
    let _ = bytes;
    Err(Errno::EPERM)
}

/// 16 random bytes as a version-4 UUID (RFC 4122).
fn format_uuid(mut bytes: [u8; 16]) -> Vec<u8> {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    text(|out| {
        for (index, byte) in bytes.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                out.push('-');
            }
            write!(out, "{byte:02x}")?;
        }
        writeln!(out)
    })
}

fn uuid(_: Tid) -> Vec<u8> {
    let mut bytes = [0; 16];
    crate::random::fill(&mut bytes);
    format_uuid(bytes)
}

/// One UUID for the whole run.
fn boot_id(_: Tid) -> Vec<u8> {
    static BOOT_ID: crate::sync::SpinLock<Option<[u8; 16]>> = crate::sync::SpinLock::new(None);
    let bytes = *BOOT_ID.lock().get_or_insert_with(|| {
        let mut bytes = [0; 16];
        crate::random::fill(&mut bytes);
        bytes
    });
    format_uuid(bytes)
}
