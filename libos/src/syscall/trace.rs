//! The trace of guest calls, in strace's form, and the one-time notes on unimplemented calls.
//!
//! Everything comes from the table's argument kinds; results and errors read as in strace(1).

use alloc::string::String;
use core::fmt::Write;
use core::sync::atomic::{AtomicU64, Ordering};

use crate::errno::{Errno, SysResult};
use crate::signal::names::signal_name;
use crate::syscall::table::{self, Entry, Kind};
use crate::user::UserPtr;

/// Longest piece of a buffer or string that is shown, in bytes (strace's default).
const SHOWN: usize = 32;

/// What [`enter`] has to tell [`leave`].
pub struct Entered {
    line: String,
    complete: bool,
}

/// Before the call: formats the arguments that the call does not change.
pub fn enter(number: u64, arguments: &[u64; 6]) -> Entered {
    let mut line = String::new();
    let tid = crate::task::with_current(crate::task::Thread::tid);
    let entry = table::entry(number);
    let name = entry.map_or("syscall", |entry| entry.name);
    let _ = write!(line, "[{tid}] {name}(");
    let fills = entry.is_some_and(|entry| entry.arguments.contains(&Kind::OutBuf));
    if !fills {
        format_arguments(&mut line, number, entry, arguments, None);
    }
    // A call that does not return is written at once.
    if matches!(name, "exit" | "exit_group" | "rt_sigreturn") {
        let _ = write!(line, ") = ?");
        emit(&line);
        line.clear();
        return Entered {
            line,
            complete: true,
        };
    }
    Entered {
        line,
        complete: false,
    }
}

/// After the call: adds what it filled, its result and the reason of an error.
pub fn leave(entered: Entered, number: u64, arguments: &[u64; 6], result: SysResult) {
    let Entered { mut line, complete } = entered;
    if complete {
        return;
    }
    // Taken first: showing what a bad pointer was to receive is a failure of its own.
    let reason = result.err().and_then(Errno::take_reason);
    let entry = table::entry(number);
    if entry.is_some_and(|entry| entry.arguments.contains(&Kind::OutBuf)) {
        format_arguments(
            &mut line,
            number,
            entry,
            arguments,
            Some(result.unwrap_or(0)),
        );
    }
    let _ = match result {
        Ok(value) if value > 0xffff_ffff => write!(line, ") = {value:#x}"),
        Ok(value) => write!(line, ") = {value}"),
        Err(errno) => write!(line, ") = -1 {} ({})", errno.name(), errno.text()),
    };
    if let Some(reason) = reason {
        let _ = write!(line, " [{reason}]");
    }
    emit(&line);
}

fn format_arguments(
    line: &mut String,
    number: u64,
    entry: Option<Entry>,
    arguments: &[u64; 6],
    filled: Option<usize>,
) {
    let Some(entry) = entry else {
        let _ = write!(line, "{number}, {arguments:#x?}");
        return;
    };
    for (index, (&kind, &value)) in entry.arguments.iter().zip(arguments).enumerate() {
        if index > 0 {
            line.push_str(", ");
        }
        let next = arguments.get(index + 1).copied().unwrap_or(0);
        format_argument(line, kind, value, next, filled);
    }
}

fn format_argument(line: &mut String, kind: Kind, value: u64, next: u64, filled: Option<usize>) {
    let low = u32::try_from(value & 0xffff_ffff).unwrap_or(0);
    let _ = match kind {
        Kind::DirFd if low.cast_signed() == -100 => write!(line, "AT_FDCWD"),
        Kind::Fd | Kind::DirFd | Kind::Int => write!(line, "{}", low.cast_signed()),
        Kind::Path | Kind::Str => return format_string(line, value),
        Kind::OutBuf => return format_bytes(line, value, filled.unwrap_or(0)),
        Kind::InBuf => return format_bytes(line, value, usize::try_from(next).unwrap_or(0)),
        Kind::Size => write!(line, "{value}"),
        Kind::Offset => write!(line, "{}", value.cast_signed()),
        Kind::Mode => write!(line, "0{low:o}"),
        Kind::Signal => return line.push_str(signal_name(low)),
        Kind::Clock => return format_clock(line, low),
        Kind::OpenFlags => return format_open_flags(line, low),
        Kind::Prot => return format_bits(line, low.into(), "PROT_NONE", PROT),
        Kind::MapFlags => return format_bits(line, low.into(), "0", MAP),
        Kind::CloneFlags => return format_bits(line, value, "0", CLONE),
        Kind::FutexOp => return format_futex(line, low),
        Kind::Timespec => return format_timespec(line, value),
        Kind::Sigset => return format_sigset(line, value),
        Kind::Ptr | Kind::Iovec if value == 0 => write!(line, "NULL"),
        Kind::Ptr | Kind::Iovec | Kind::Hex => write!(line, "{value:#x}"),
    };
}

fn address(value: u64) -> usize {
    usize::try_from(value).unwrap_or(0)
}

fn format_string(line: &mut String, value: u64) {
    if value == 0 {
        return line.push_str("NULL");
    }
    match UserPtr::<u8>::new(address(value)).read_cstr(4096) {
        Ok(text) => quote(line, &text, text.len()),
        Err(_) => {
            let _ = write!(line, "{value:#x}");
        }
    }
}

fn format_bytes(line: &mut String, value: u64, len: usize) {
    match UserPtr::<u8>::new(address(value)).read_vec(len.min(SHOWN)) {
        Ok(bytes) if value != 0 => quote(line, &bytes, len),
        _ => {
            let _ = write!(line, "{value:#x}");
        }
    }
}

fn quote(line: &mut String, bytes: &[u8], whole: usize) {
    let _ = write!(line, "\"{}\"", bytes.escape_ascii());
    if whole > bytes.len() {
        line.push_str("...");
    }
}

type Names = &'static [(u64, &'static str)];

const PROT: Names = &[(1, "PROT_READ"), (2, "PROT_WRITE"), (4, "PROT_EXEC")];
const MAP: Names = &[
    (0x01, "MAP_SHARED"),
    (0x02, "MAP_PRIVATE"),
    (0x10, "MAP_FIXED"),
    (0x20, "MAP_ANONYMOUS"),
    (0x100, "MAP_GROWSDOWN"),
    (0x4000, "MAP_NORESERVE"),
    (0x8000, "MAP_POPULATE"),
    (0x2_0000, "MAP_STACK"),
    (0x10_0000, "MAP_FIXED_NOREPLACE"),
];
const CLONE: Names = &[
    (0x100, "CLONE_VM"),
    (0x200, "CLONE_FS"),
    (0x400, "CLONE_FILES"),
    (0x800, "CLONE_SIGHAND"),
    (0x4000, "CLONE_VFORK"),
    (0x1_0000, "CLONE_THREAD"),
    (0x4_0000, "CLONE_SYSVSEM"),
    (0x8_0000, "CLONE_SETTLS"),
    (0x10_0000, "CLONE_PARENT_SETTID"),
    (0x20_0000, "CLONE_CHILD_CLEARTID"),
    (0x100_0000, "CLONE_CHILD_SETTID"),
];
const OPEN: Names = &[
    (0o100, "O_CREAT"),
    (0o200, "O_EXCL"),
    (0o400, "O_NOCTTY"),
    (0o1000, "O_TRUNC"),
    (0o2000, "O_APPEND"),
    (0o4000, "O_NONBLOCK"),
    (0o10000, "O_DSYNC"),
    (0o200_000, "O_DIRECTORY"),
    (0o400_000, "O_NOFOLLOW"),
    (0o2_000_000, "O_CLOEXEC"),
    (0o10_000_000, "O_PATH"),
];

fn format_bits(line: &mut String, value: u64, none: &str, names: Names) {
    if value == 0 {
        return line.push_str(none);
    }
    let mut rest = value;
    let mut separator = "";
    for &(bit, name) in names {
        if value & bit == bit {
            let _ = write!(line, "{separator}{name}");
            (separator, rest) = ("|", rest & !bit);
        }
    }
    if rest != 0 {
        let _ = write!(line, "{separator}{rest:#x}");
    }
}

fn format_open_flags(line: &mut String, value: u32) {
    line.push_str(["O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"][(value & 3) as usize]);
    let rest = u64::from(value & !3 & !0o100_000);
    if rest != 0 {
        line.push('|');
        format_bits(line, rest, "", OPEN);
    }
}

fn format_futex(line: &mut String, value: u32) {
    const NAMES: [&str; 14] = [
        "FUTEX_WAIT",
        "FUTEX_WAKE",
        "FUTEX_FD",
        "FUTEX_REQUEUE",
        "FUTEX_CMP_REQUEUE",
        "FUTEX_WAKE_OP",
        "FUTEX_LOCK_PI",
        "FUTEX_UNLOCK_PI",
        "FUTEX_TRYLOCK_PI",
        "FUTEX_WAIT_BITSET",
        "FUTEX_WAKE_BITSET",
        "FUTEX_WAIT_REQUEUE_PI",
        "FUTEX_CMP_REQUEUE_PI",
        "FUTEX_LOCK_PI2",
    ];
    line.push_str(
        NAMES
            .get((value & 127) as usize)
            .copied()
            .unwrap_or("FUTEX_???"),
    );
    if value & 128 != 0 {
        line.push_str("|FUTEX_PRIVATE_FLAG");
    }
    if value & 256 != 0 {
        line.push_str("|FUTEX_CLOCK_REALTIME");
    }
}

fn format_clock(line: &mut String, value: u32) {
    const NAMES: [&str; 8] = [
        "CLOCK_REALTIME",
        "CLOCK_MONOTONIC",
        "CLOCK_PROCESS_CPUTIME_ID",
        "CLOCK_THREAD_CPUTIME_ID",
        "CLOCK_MONOTONIC_RAW",
        "CLOCK_REALTIME_COARSE",
        "CLOCK_MONOTONIC_COARSE",
        "CLOCK_BOOTTIME",
    ];
    match NAMES.get(value as usize) {
        Some(name) => line.push_str(name),
        None => {
            let _ = write!(line, "{}", value.cast_signed());
        }
    }
}

fn format_timespec(line: &mut String, value: u64) {
    if value == 0 {
        return line.push_str("NULL");
    }
    let _ = match UserPtr::<crate::user::Timespec>::new(address(value)).read() {
        Ok(time) => write!(line, "{{tv_sec={}, tv_nsec={}}}", time.sec, time.nsec),
        Err(_) => write!(line, "{value:#x}"),
    };
}

fn format_sigset(line: &mut String, value: u64) {
    if value == 0 {
        return line.push_str("NULL");
    }
    let Ok(set) = UserPtr::<u64>::new(address(value)).read() else {
        let _ = write!(line, "{value:#x}");
        return;
    };
    line.push('[');
    let mut separator = "";
    for signo in (1..=64).filter(|signo| set & (1_u64 << (signo - 1)) != 0) {
        line.push_str(separator);
        line.push_str(signal_name(signo).trim_start_matches("SIG"));
        separator = " ";
    }
    line.push(']');
}

fn emit(line: &str) {
    #[cfg(not(test))]
    {
        let kinds = [
            libos_abi::handle::HandleKind::Log,
            libos_abi::handle::HandleKind::ConsoleErr,
        ];
        if let Some(handle) = kinds.into_iter().find_map(crate::boot::handle) {
            let mut line = String::from(line);
            line.push('\n');
            let _ = crate::hypercall::write(handle, line.as_ptr(), line.len());
        }
    }
    #[cfg(test)]
    let _ = line;
}

/// Names call `number` on standard error, the first time, if unimplemented calls are to be named.
pub fn note_unimplemented(number: u64) {
    static NOTED: [AtomicU64; 8] = [const { AtomicU64::new(0) }; 8];
    let slot = usize::try_from(number / 64).map_or(7, |slot| slot.min(7));
    let bit = 1_u64 << (number % 64);
    let noted_before = NOTED[slot].fetch_or(bit, Ordering::Relaxed) & bit != 0;
    #[cfg(not(test))]
    if !noted_before
        && crate::boot::boot()
            .is_some_and(|boot| boot.options & libos_abi::boot::options::DEBUG != 0)
    {
        let name = table::entry(number).map_or("?", |entry| entry.name);
        let _ = writeln!(
            crate::stderr::LastWords,
            "libos: system call {number} ({name}) is not implemented: ENOSYS"
        );
    }
    #[cfg(test)]
    let _ = noted_before;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(kind: Kind, value: u64) -> String {
        let mut line = String::new();
        format_argument(&mut line, kind, value, 0, None);
        line
    }

    #[test]
    fn arguments_read_as_in_strace() {
        assert_eq!(formatted(Kind::DirFd, 0xffff_ff9c), "AT_FDCWD");
        assert_eq!(formatted(Kind::Fd, u64::from(u32::MAX)), "-1");
        assert_eq!(formatted(Kind::Prot, 3), "PROT_READ|PROT_WRITE");
        assert_eq!(
            formatted(Kind::OpenFlags, 0o2_000_101),
            "O_WRONLY|O_CREAT|O_CLOEXEC"
        );
        assert_eq!(
            formatted(Kind::FutexOp, 128),
            "FUTEX_WAIT|FUTEX_PRIVATE_FLAG"
        );
        assert_eq!(formatted(Kind::Mode, 0o644), "0644");
        assert_eq!(formatted(Kind::Clock, 1), "CLOCK_MONOTONIC");
        assert_eq!(
            formatted(Kind::MapFlags, 0x4_0022),
            "MAP_PRIVATE|MAP_ANONYMOUS|0x40000"
        );
    }

    #[test]
    fn strings_are_escaped_and_signal_sets_named() {
        let text = b"a\n\0";
        assert_eq!(formatted(Kind::Path, text.as_ptr() as u64), "\"a\\n\"");
        let set = 1_u64 << 14 | 1 << 1;
        assert_eq!(formatted(Kind::Sigset, &raw const set as u64), "[INT TERM]");
    }
}
