//! `/proc/PID` and `/proc/PID/task/TID`.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;
use core::sync::atomic::{AtomicI32, Ordering};

use crate::errno::{Errno, Result};
use crate::fs::caller;
use crate::fs::inode::FileType;
use crate::fs::mapping::file_of;
use crate::fs::pseudo::{Item, Listing, Magic, Row, table, text};
use crate::fs::vfs::{Mount, MountFlags, Path, mounts, show};
use crate::mm;
use crate::mm::vma::{Backing, Prot, Vma, VmaFlags};
use crate::task::limits::Resource;
use crate::task::{RunState, Thread, Tid, with_current};
use crate::views::procfs::descriptors::{Infos, Links};
use crate::views::procfs::{PROGRAM, boot, joined};

const PAGE: usize = libos_abi::PAGE_SIZE;
/// Units of CPU time in a second (`USER_HZ`).
const TICKS: u64 = 100;

/// The living thread `tid`.
pub fn find(tid: Tid) -> Option<Arc<Thread>> {
    with_current(|thread| thread.process().thread(tid))
}

/// `/proc/PID` of the process of thread `tid`.
pub fn directory(tid: Tid) -> Item {
    table(tid, PROCESS)
}

/// `/proc/thread-self`.
pub fn thread_self(_: Tid) -> Vec<u8> {
    with_current(|thread| {
        alloc::format!("{}/task/{}", thread.process().pid(), thread.tid()).into_bytes()
    })
}

const PROCESS: &[Row] = &[
    ("auxv", |_| Item::Text(auxv)),
    ("cgroup", |_| Item::Text(|_| b"0::/\n".to_vec())),
    ("cmdline", |_| Item::Text(cmdline)),
    ("comm", |_| Item::Setting(comm, set_comm)),
    ("cwd", |_| magic(caller::cwd)),
    ("environ", |_| Item::Text(environ)),
    ("exe", |_| Item::Magic(Arc::new(Program))),
    ("fd", |tid| Item::Directory(Arc::new(Links(tid)))),
    ("fdinfo", |tid| Item::Directory(Arc::new(Infos(tid)))),
    ("limits", |_| Item::Text(limits)),
    ("maps", |_| Item::Text(maps)),
    ("mountinfo", |_| Item::Text(mountinfo)),
    ("mounts", |_| Item::Text(mount_table)),
    ("oom_score", |_| Item::Text(|_| b"0\n".to_vec())),
    ("oom_score_adj", |_| {
        Item::Setting(oom_score_adj, set_oom_score_adj)
    }),
    ("net", |_| table(0, super::net::NET)),
    ("root", |_| magic(caller::root)),
    ("stat", |_| Item::Text(stat)),
    ("statm", |_| Item::Text(statm)),
    ("status", |_| Item::Text(status)),
    ("task", |tid| Item::Directory(Arc::new(Tasks(tid)))),
];

const TASK: &[Row] = &[
    ("comm", |_| Item::Setting(comm, set_comm)),
    ("fd", |tid| Item::Directory(Arc::new(Links(tid)))),
    ("maps", |_| Item::Text(maps)),
    ("stat", |_| Item::Text(stat)),
    ("status", |_| Item::Text(status)),
];

/// The threads of a process.
struct Tasks(Tid);

impl Listing for Tasks {
    fn get(&self, name: &[u8]) -> Option<Item> {
        let tid = core::str::from_utf8(name).ok()?.parse().ok()?;
        find(tid).map(|_| table(tid, TASK))
    }

    fn names(&self) -> Vec<(Vec<u8>, FileType)> {
        let tids: Vec<Tid> =
            with_current(|thread| thread.process().threads.lock().keys().collect());
        tids.into_iter()
            .map(|tid| (alloc::format!("{tid}").into_bytes(), FileType::Directory))
            .collect()
    }

    fn subject(&self) -> Tid {
        self.0
    }

    fn is_stable(&self) -> bool {
        false
    }
}

/// A magic link to a place that a function finds.
struct Place(fn() -> Path);

fn magic(place: fn() -> Path) -> Item {
    Item::Magic(Arc::new(Place(place)))
}

impl Magic for Place {
    fn text(&self) -> Result<Vec<u8>> {
        Ok(show::show(&(self.0)(), &caller::root()))
    }

    fn target(&self) -> Result<Path> {
        Ok((self.0)())
    }
}

/// `/proc/PID/exe`.
struct Program;

impl Magic for Program {
    fn text(&self) -> Result<Vec<u8>> {
        Ok(show::show(&self.target()?, &caller::root()))
    }

    fn target(&self) -> Result<Path> {
        PROGRAM.lock().clone().ok_or(Errno::ENOENT)
    }
}

fn cmdline(_: Tid) -> Vec<u8> {
    boot().map_or_else(Vec::new, |boot| joined(&boot.args))
}

fn environ(_: Tid) -> Vec<u8> {
    boot().map_or_else(Vec::new, |boot| joined(&boot.env))
}

/// The same vector that the program finds on its stack cannot be told from here; the entries that
/// tools read from this file can.
fn auxv(_: Tid) -> Vec<u8> {
    use linux_raw_sys::auxvec as at;
    let Some(boot) = boot() else {
        return Vec::new();
    };
    let entries = [
        (at::AT_PHDR, boot.app.phdr),
        (at::AT_PHENT, 56),
        (at::AT_PHNUM, boot.app.phnum),
        (at::AT_PAGESZ, PAGE as u64),
        (at::AT_ENTRY, boot.app.entry),
        (at::AT_UID, u64::from(boot.ids[0])),
        (at::AT_EUID, u64::from(boot.ids[1])),
        (at::AT_GID, u64::from(boot.ids[2])),
        (at::AT_EGID, u64::from(boot.ids[3])),
        (at::AT_HWCAP, boot.hwcap[0]),
        (at::AT_HWCAP2, boot.hwcap[1]),
        (at::AT_CLKTCK, TICKS),
        (at::AT_NULL, 0),
    ];
    entries
        .iter()
        .flat_map(|(key, value)| [u64::from(*key), *value])
        .flat_map(u64::to_le_bytes)
        .collect()
}

fn name_of(tid: Tid) -> String {
    let Some(thread) = find(tid) else {
        return String::new();
    };
    let name = *thread.name.lock();
    let len = name
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(name.len());
    String::from_utf8_lossy(&name[..len]).into_owned()
}

/// Kept for whoever reads it back: memory is never taken from the program.
static OOM_SCORE_ADJ: AtomicI32 = AtomicI32::new(0);

fn oom_score_adj(_: Tid) -> Vec<u8> {
    text(|out| writeln!(out, "{}", OOM_SCORE_ADJ.load(Ordering::Relaxed)))
}

fn set_oom_score_adj(_: Tid, bytes: &[u8]) -> Result<()> {
    let value = core::str::from_utf8(bytes).ok();
    let value = value.and_then(|value| value.trim().parse().ok());
    match value {
        Some(value @ -1000..=1000) => {
            OOM_SCORE_ADJ.store(value, Ordering::Relaxed);
            Ok(())
        }
        _ => Err(Errno::EINVAL),
    }
}

fn comm(tid: Tid) -> Vec<u8> {
    text(|out| writeln!(out, "{}", name_of(tid)))
}

fn set_comm(tid: Tid, bytes: &[u8]) -> Result<()> {
    let thread = find(tid).ok_or(Errno::ESRCH)?;
    let mut name = [0; 16];
    let len = bytes.len().min(15);
    name[..len].copy_from_slice(&bytes[..len]);
    *thread.name.lock() = name;
    Ok(())
}

fn limits(_: Tid) -> Vec<u8> {
    let value = |limit: u64| match limit {
        u64::MAX => String::from("unlimited"),
        limit => alloc::format!("{limit}"),
    };
    text(|out| {
        writeln!(
            out,
            "{:<26}{:<21}{:<21}{:<10}",
            "Limit", "Soft Limit", "Hard Limit", "Units"
        )?;
        for resource in Resource::ALL {
            let limit = with_current(|thread| thread.process().limits.get(resource));
            let (name, unit) = resource.description();
            let (soft, hard) = (value(limit.soft), value(limit.hard));
            writeln!(out, "{name:<26}{soft:<21}{hard:<21}{unit:<10}")?;
        }
        Ok(())
    })
}

fn maps(_: Tid) -> Vec<u8> {
    let root = caller::root();
    text(|out| {
        for (extent, vma) in mm::maps() {
            write_mapping(out, extent.start, &vma, &root)?;
        }
        Ok(())
    })
}

fn write_mapping(out: &mut String, start: usize, vma: &Vma, root: &Path) -> core::fmt::Result {
    let letter = |flag: Prot, letter: char| if vma.prot.contains(flag) { letter } else { '-' };
    let shared = vma.flags.contains(VmaFlags::SHARED);
    let (name, inode) = backing(&vma.backing, root);
    let mut line = String::new();
    write!(
        line,
        "{start:08x}-{:08x} {}{}{}{} {:08x} ",
        vma.end,
        letter(Prot::READ, 'r'),
        letter(Prot::WRITE, 'w'),
        letter(Prot::EXEC, 'x'),
        if shared { 's' } else { 'p' },
        vma.backing.offset(),
    )?;
    let (dev, ino) = inode.unwrap_or((0, 0));
    write!(line, "{:02x}:{:02x} {ino} ", dev >> 8, dev & 0xff)?;
    if !name.is_empty() {
        // The kernel pads to a column of names.
        const NAME_COLUMN: usize = 73;
        write!(line, "{:>1$}", "", NAME_COLUMN.saturating_sub(line.len()))?;
        line.push_str(&name);
    }
    writeln!(out, "{line}")
}

/// Name and inode (device, number) of what is behind a mapping.
fn backing(backing: &Backing, root: &Path) -> (String, Option<(u64, u64)>) {
    let named = |path: &Path| {
        let metadata = path.inode().metadata();
        let name = show::show(path, root);
        let name = String::from_utf8_lossy(&name).replace('\n', "\\012");
        (name, Some((metadata.dev, metadata.ino)))
    };
    match backing {
        Backing::Anonymous => (String::new(), None),
        Backing::Heap => ("[heap]".into(), None),
        Backing::Stack => ("[stack]".into(), None),
        Backing::Image(_) => match PROGRAM.lock().clone() {
            Some(program) => named(&program),
            None => (String::new(), None),
        },
        Backing::File(mapping, _) => match file_of(mapping).path() {
            Some(path) => named(path),
            None => ("/dev/zero (deleted)".into(), None),
        },
    }
}

fn all_mounts() -> Vec<Arc<Mount>> {
    mounts(&caller::root().mount)
}

fn mount_point(mount: &Arc<Mount>) -> String {
    let place = Path {
        mount: Arc::clone(mount),
        dentry: Arc::clone(mount.root()),
    };
    String::from_utf8_lossy(&show::show(&place, &caller::root())).into_owned()
}

fn options(flags: MountFlags) -> String {
    let mut text = String::from(if flags.contains(MountFlags::READ_ONLY) {
        "ro"
    } else {
        "rw"
    });
    for (flag, name) in [
        (MountFlags::NOSUID, ",nosuid"),
        (MountFlags::NODEV, ",nodev"),
        (MountFlags::NOEXEC, ",noexec"),
    ] {
        if flags.contains(flag) {
            text.push_str(name);
        }
    }
    text.push_str(",relatime");
    text
}

fn mount_table(_: Tid) -> Vec<u8> {
    text(|out| {
        for mount in all_mounts() {
            let (point, kind) = (mount_point(&mount), mount.kind());
            writeln!(out, "{kind} {point} {kind} {} 0 0", options(mount.flags()))?;
        }
        Ok(())
    })
}

fn mountinfo(_: Tid) -> Vec<u8> {
    text(|out| {
        for mount in all_mounts() {
            let dev = mount.root().inode().metadata().dev;
            let above = mount.place().map_or(0, |place| place.mount.id());
            let kind = mount.kind();
            writeln!(
                out,
                "{} {above} {}:{} / {} {} - {kind} {kind} rw",
                mount.id(),
                dev >> 8,
                dev & 0xff,
                mount_point(&mount),
                options(mount.flags()),
            )?;
        }
        Ok(())
    })
}

/// Letter and word for a thread's state.
fn state(thread: &Thread) -> (char, &'static str) {
    match thread.run_state() {
        RunState::Running | RunState::Runnable | RunState::AboutToSleep => ('R', "running"),
        RunState::Asleep => ('S', "sleeping"),
        RunState::Dead => ('X', "dead"),
    }
}

fn cpu_ticks(thread: &Thread) -> u64 {
    crate::time::clock::thread_cpu_ns(thread) / (1_000_000_000 / TICKS)
}

fn stat(tid: Tid) -> Vec<u8> {
    let Some(thread) = find(tid) else {
        return Vec::new();
    };
    let process = thread.process();
    let threads: Vec<Arc<Thread>> = process.threads.lock().values().map(Arc::clone).collect();
    let figures = mm::statistics();
    let cpu: u64 = match tid == process.pid() {
        true => threads.iter().map(|thread| cpu_ticks(thread)).sum(),
        false => cpu_ticks(&thread),
    };
    let pid = process.pid();
    let nice = process.nice.load(Ordering::Relaxed);
    let (break_start, stack) =
        boot().map_or((0, 0), |boot| (boot.app.break_start, boot.main_stack.end()));
    text(|out| {
        let (letter, _) = state(&thread);
        // Fields 1 to 13: who, and faults, which are not counted.
        write!(
            out,
            "{tid} ({}) {letter} 0 {pid} {pid} 0 -1 4194304 0 0 0 0 ",
            name_of(tid)
        )?;
        // 14 to 25: times, priority, size.
        let resident = (figures.in_use + figures.file_resident) / PAGE;
        write!(
            out,
            "{cpu} 0 0 0 {} {nice} {} 0 0 {} {resident} 18446744073709551615 ",
            20 + nice,
            threads.len(),
            figures.mapped,
        )?;
        // 26 to 52: addresses that matter, the rest 0.
        write!(
            out,
            "0 0 {stack} 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 {break_start} "
        )?;
        writeln!(out, "0 0 0 0 0")
    })
}

fn statm(_: Tid) -> Vec<u8> {
    let figures = mm::statistics();
    let resident = (figures.in_use + figures.file_resident) / PAGE;
    let text_pages = boot().map_or(0, |boot| boot.app.extent.len / PAGE as u64);
    text(|out| {
        writeln!(
            out,
            "{} {resident} {} {text_pages} 0 {} 0",
            figures.mapped / PAGE,
            figures.file_resident / PAGE,
            figures.in_use / PAGE,
        )
    })
}

fn status(tid: Tid) -> Vec<u8> {
    let Some(thread) = find(tid) else {
        return Vec::new();
    };
    text(|out| {
        write_identity(out, &thread)?;
        write_memory(out)?;
        write_rest(out, &thread)
    })
}

fn write_identity(out: &mut String, thread: &Thread) -> core::fmt::Result {
    let process = thread.process();
    let (letter, word) = state(thread);
    let (tid, pid) = (thread.tid(), process.pid());
    writeln!(out, "Name:\t{}", name_of(tid))?;
    writeln!(out, "Umask:\t{:04o}", process.fs.umask())?;
    writeln!(out, "State:\t{letter} ({word})")?;
    writeln!(
        out,
        "Tgid:\t{pid}\nNgid:\t0\nPid:\t{tid}\nPPid:\t0\nTracerPid:\t0"
    )?;
    let credentials = process.identity.credentials();
    for (name, ids) in [("Uid", credentials.user), ("Gid", credentials.group)] {
        let [real, effective] = [ids.real, ids.effective];
        writeln!(
            out,
            "{name}:\t{real}\t{effective}\t{}\t{}",
            ids.saved, ids.filesystem
        )?;
    }
    writeln!(
        out,
        "FDSize:\t{}",
        process.files.capacity().next_multiple_of(64)
    )?;
    write!(out, "Groups:\t")?;
    for group in &*credentials.groups {
        write!(out, "{group} ")?;
    }
    writeln!(out)
}

fn write_memory(out: &mut String) -> core::fmt::Result {
    let figures = mm::statistics();
    let mut line = |name: &str, bytes: usize| writeln!(out, "{name}:\t{:8} kB", bytes / 1024);
    let resident = figures.in_use + figures.file_resident;
    line("VmPeak", figures.mapped)?;
    line("VmSize", figures.mapped)?;
    line("VmLck", figures.locked)?;
    line("VmHWM", resident)?;
    line("VmRSS", resident)?;
    line("RssAnon", figures.in_use)?;
    line("RssFile", figures.file_resident)?;
    line("VmData", figures.mapped)?;
    line("VmSwap", 0)
}

fn write_rest(out: &mut String, thread: &Thread) -> core::fmt::Result {
    let process = thread.process();
    let credentials = process.identity.credentials();
    writeln!(out, "Threads:\t{}", process.threads.lock().len())?;
    for (name, set) in [
        ("CapInh", credentials.inheritable),
        ("CapPrm", credentials.permitted),
        ("CapEff", credentials.effective),
        ("CapBnd", credentials.bounding),
        ("CapAmb", credentials.ambient),
    ] {
        writeln!(out, "{name}:\t{:016x}", set.bits())?;
    }
    writeln!(
        out,
        "NoNewPrivs:\t{}",
        u8::from(credentials.no_new_privileges)
    )?;
    writeln!(out, "Seccomp:\t0\nSeccomp_filters:\t0")?;
    writeln!(out, "Cpus_allowed:\t1\nCpus_allowed_list:\t0")?;
    writeln!(out, "Mems_allowed:\t1\nMems_allowed_list:\t0")
}
