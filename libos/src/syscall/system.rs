//! Names, limits, entropy and what is refused for good.
//!
//! A call that reaches beyond the image (modules, reboot, swap, raw I/O …) answers what Linux
//! answers in a container without privileges; the table says why.

use alloc::sync::Arc;

use crate::errno::{Errno, Result, SysResult};
use crate::random;
use crate::task::credentials::Capabilities;
use crate::task::limits::{Limit, Raise, Resource};
use crate::task::{self, Process, uts};
use crate::time::Instant;
use crate::user::{Dest, MAX_TRANSFER, Plain, UserPtr};

/// See uname(2).
pub fn uname(name: UserPtr<uts::UtsName>) -> SysResult {
    name.write(uts::uname())?;
    Ok(0)
}

/// `struct sysinfo`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct SysInfo {
    /// Seconds since boot.
    uptime: i64,
    /// Load averages, scaled by 2^16.
    loads: [u64; 3],
    total_ram: u64,
    free_ram: u64,
    shared_ram: u64,
    buffer_ram: u64,
    total_swap: u64,
    free_swap: u64,
    processes: u16,
    padding: u16,
    reserved: u32,
    total_high: u64,
    free_high: u64,
    /// Bytes per unit of the sizes above.
    unit: u32,
    tail: u32,
}

// SAFETY: integers without gaps: every pattern is valid, nothing is owned.
unsafe impl Plain for SysInfo {}
const _: () = assert!(size_of::<SysInfo>() == 112);

/// See sysinfo(2).
pub fn sysinfo(info: UserPtr<SysInfo>) -> SysResult {
    let (total, used) = (
        crate::mm::BUDGET.limit() as u64,
        crate::mm::BUDGET.in_use() as u64,
    );
    let threads = task::current_process().threads.lock().len();
    info.write(SysInfo {
        uptime: i64::try_from(Instant::now().as_ns() / 1_000_000_000).unwrap_or(i64::MAX),
        total_ram: total,
        free_ram: total.saturating_sub(used),
        processes: u16::try_from(threads).unwrap_or(u16::MAX),
        unit: 1,
        ..SysInfo::default()
    })?;
    Ok(0)
}

bitflags::bitflags! {
    /// `GRND_*`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct GetRandom: u32 {
        const NONBLOCK = 1;
        const RANDOM = 2;
        const INSECURE = 4;
    }
}

/// See getrandom(2).
pub fn getrandom(buffer: UserPtr<u8>, len: usize, flags: u32) -> SysResult {
    let flags = GetRandom::from_bits(flags).ok_or(Errno::EINVAL)?;
    if flags.contains(GetRandom::RANDOM | GetRandom::INSECURE) {
        return Err(Errno::EINVAL);
    }
    // The generator is keyed before the application starts, so nothing ever blocks.
    random::fill_dest(&mut Dest::user(buffer, len.min(MAX_TRANSFER)))
}

/// See getrlimit(2).
pub fn getrlimit(resource: i32, limit: UserPtr<Limit>) -> SysResult {
    let resource = Resource::from_number(resource)?;
    limit.write(task::current_process().limits.get(resource))?;
    Ok(0)
}

/// See setrlimit(2).
pub fn setrlimit(resource: i32, limit: UserPtr<Limit>) -> SysResult {
    let new = limit.read()?;
    change_limit(
        &task::current_process(),
        Resource::from_number(resource)?,
        new,
    )?;
    Ok(0)
}

/// See prlimit64(2).
pub fn prlimit64(pid: i32, resource: i32, new: UserPtr<Limit>, old: UserPtr<Limit>) -> SysResult {
    let new = new.non_null().map(UserPtr::read).transpose()?;
    let process = task::current_process();
    if pid != 0 && pid != process.pid() && !process.threads.lock().contains_key(&pid) {
        return Err(Errno::ESRCH);
    }
    let resource = Resource::from_number(resource)?;
    let before = match new {
        Some(new) => change_limit(&process, resource, new)?,
        None => process.limits.get(resource),
    };
    if let Some(old) = old.non_null() {
        old.write(before)?;
    }
    Ok(0)
}

fn change_limit(process: &Arc<Process>, resource: Resource, new: Limit) -> Result<Limit> {
    let may_raise = if process.identity.capable(Capabilities::SYS_RESOURCE) {
        Raise::Allowed
    } else {
        Raise::Refused
    };
    process.limits.set(resource, new, may_raise)
}

/// What personality(2) answers and accepts: plain Linux, and the flag that says addresses are not
/// random, which setarch(8) and debuggers set for children.
const PER_LINUX: u32 = 0;

/// See personality(2).
pub fn personality(persona: u32) -> SysResult {
    const QUERY: u32 = u32::MAX;
    match persona {
        QUERY | PER_LINUX => Ok(0),
        _ => Err(Errno::EINVAL.because("only the plain Linux personality exists")),
    }
}

/// See ioprio_get(2).
pub fn ioprio_get(which: i32, who: i32) -> SysResult {
    check_ioprio_target(which, who)?;
    Ok(0)
}

/// See ioprio_set(2).
pub fn ioprio_set(which: i32, who: i32, priority: i32) -> SysResult {
    /// Bits that the class stands above.
    const CLASS_SHIFT: i32 = 13;
    check_ioprio_target(which, who)?;
    match priority >> CLASS_SHIFT {
        0..=3 => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

/// `which` is process (1), group (2) or user (3); files in memory have no I/O priority to keep.
fn check_ioprio_target(which: i32, who: i32) -> Result<()> {
    let process = task::current_process();
    match which {
        1 if who == 0 || process.threads.lock().contains_key(&who) => Ok(()),
        2 if who == 0 || who == process.pid() => Ok(()),
        3 => Ok(()),
        1 | 2 => Err(Errno::ESRCH),
        _ => Err(Errno::EINVAL),
    }
}

/// See seccomp(2).
pub fn seccomp(operation: u32, flags: u64, argument: UserPtr<u32>) -> SysResult {
    /// `SECCOMP_GET_ACTION_AVAIL`.
    const ACTION_AVAILABLE: u32 = 2;
    match operation {
        ACTION_AVAILABLE if flags == 0 => {
            argument.read()?;
            Err(Errno::EOPNOTSUPP)
        }
        _ => Err(Errno::EINVAL.because("filters inside the image are not supported")),
    }
}

/// Calls that are refused before their arguments are looked at.
macro_rules! refused {
    ($($name:ident => $errno:ident;)*) => {
        $(
            #[doc = concat!("See ", stringify!($name), "(2).")]
            pub fn $name() -> SysResult {
                Err(Errno::$errno)
            }
        )*
    };
}

refused! {
    sethostname => EPERM;
    setdomainname => EPERM;
    syslog => EPERM;
    reboot => EPERM;
    acct => EPERM;
    vhangup => EPERM;
    swapon => EPERM;
    swapoff => EPERM;
    bpf => EPERM;
    perf_event_open => EACCES;
    userfaultfd => EPERM;
    io_uring_setup => ENOSYS;
    io_uring_enter => ENOSYS;
    io_uring_register => ENOSYS;
    landlock_create_ruleset => EOPNOTSUPP;
    quotactl => EPERM;
    init_module => EPERM;
    delete_module => EPERM;
    kexec_load => EPERM;
    iopl => EPERM;
    ioperm => EPERM;
    add_key => ENOSYS;
    request_key => ENOSYS;
    keyctl => ENOSYS;
    modify_ldt => ENOSYS;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ptr<T>(place: &mut T) -> UserPtr<T> {
        UserPtr::new(core::ptr::from_mut(place) as usize)
    }

    #[test]
    fn getrandom_checks_its_flags() {
        let mut bytes = [0_u8; 8];
        let place = UserPtr::new(bytes.as_mut_ptr() as usize);
        let cases = [
            (0, Ok(8)),
            (1, Ok(8)),
            (2, Ok(8)),
            (4, Ok(8)),
            (6, Err(Errno::EINVAL)),
            (8, Err(Errno::EINVAL)),
        ];
        for (flags, expected) in cases {
            assert_eq!(getrandom(place, 8, flags), expected, "flags {flags}");
        }
        assert_eq!(getrandom(UserPtr::new(0), 8, 0), Err(Errno::EFAULT));
        assert_eq!(getrandom(UserPtr::new(0), 0, 0), Ok(0));
    }

    #[test]
    fn prlimit_sets_and_tells_in_one_call() {
        let null = UserPtr::new(0);
        let mut old = Limit { soft: 0, hard: 0 };
        let fsize = Resource::Fsize as i32;
        let mut new = Limit { soft: 5, hard: 10 };
        assert_eq!(prlimit64(0, fsize, ptr(&mut new), ptr(&mut old)), Ok(0));
        assert_eq!(old.soft, u64::MAX);
        assert_eq!(prlimit64(0, fsize, null, ptr(&mut old)), Ok(0));
        assert_eq!(old, new);
        assert_eq!(prlimit64(0, 16, null, null), Err(Errno::EINVAL));
        assert_eq!(prlimit64(4242, fsize, null, null), Err(Errno::ESRCH));
        new.soft = 11;
        assert_eq!(setrlimit(fsize, ptr(&mut new)), Err(Errno::EINVAL));
        assert_eq!(getrlimit(fsize, null), Err(Errno::EFAULT));
    }

    #[test]
    fn only_the_plain_personality_exists() {
        assert_eq!(personality(u32::MAX), Ok(0));
        assert_eq!(personality(0), Ok(0));
        assert_eq!(personality(0x0004_0000), Err(Errno::EINVAL));
    }

    #[test]
    fn io_priorities_are_checked_and_forgotten() {
        assert_eq!(ioprio_get(1, 0), Ok(0));
        assert_eq!(ioprio_set(1, 0, (2 << 13) | 4), Ok(0));
        assert_eq!(ioprio_set(1, 0, 4 << 13), Err(Errno::EINVAL));
        assert_eq!(ioprio_get(4, 0), Err(Errno::EINVAL));
        assert_eq!(ioprio_get(1, 4242), Err(Errno::ESRCH));
    }
}
