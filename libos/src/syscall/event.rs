//! Descriptors made by a call of their own (pipe(2), eventfd(2), …).

use alloc::sync::Arc;
use core::time::Duration;

use linux_raw_sys::general::{
    CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM, CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_REALTIME_ALARM,
    EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE, MFD_ALLOW_SEALING, MFD_CLOEXEC, MFD_EXEC,
    MFD_HUGETLB, MFD_NOEXEC_SEAL, TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET,
};

use crate::errno::{Errno, Result, SysResult};
use crate::fs::caller;
use crate::fs::eventfd::{EventFd, Take};
use crate::fs::file::{File, OpenFile, OpenFlags};
use crate::fs::inotify::{Inotify, Mask};
use crate::fs::memfd::{self, Sealing};
use crate::fs::pipe;
use crate::fs::signalfd::SignalFd;
use crate::fs::timerfd::{Setting, TimerFd};
use crate::fs::vfs::walk::Follow;
use crate::fs::vfs::{AccessMode, PATH_MAX, check_access};
use crate::signal::set::SignalSet;
use crate::task;
use crate::time::Instant;
use crate::user::{Plain, Timespec, UserPtr};

/// Opens a descriptor of the running process on `file`.
///
/// # Errors
/// EMFILE.
pub(super) fn open_descriptor(file: Arc<dyn File>, flags: OpenFlags) -> Result<i32> {
    let close_on_exec = flags.contains(OpenFlags::CLOEXEC);
    let file = OpenFile::new(file, flags.difference(OpenFlags::CLOEXEC));
    task::with_current(|thread| thread.process().files.insert(file, close_on_exec, 0))
}

/// A fresh descriptor as a call's result.
pub(super) fn descriptor(fd: Result<i32>) -> SysResult {
    usize::try_from(fd?).map_err(|_| Errno::EMFILE)
}

/// Checks that `flags` holds no more than CLOEXEC, NONBLOCK and `others`; returns the first two.
///
/// # Errors
/// EINVAL.
pub(super) fn creation_flags(flags: u32, others: u32) -> Result<OpenFlags> {
    let common = (OpenFlags::CLOEXEC | OpenFlags::NONBLOCK).bits();
    if flags & !(common | others) != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(OpenFlags::from_bits_retain(flags & common))
}

/// See pipe(2).
pub fn pipe(descriptors: UserPtr<i32>) -> SysResult {
    pipe2(descriptors, 0)
}

/// See pipe2(2).
pub fn pipe2(descriptors: UserPtr<i32>, flags: u32) -> SysResult {
    let direct = OpenFlags::DIRECT.bits();
    let flags = creation_flags(flags, direct)? | OpenFlags::from_bits_retain(flags & direct);
    let (reader, writer) = pipe::new();
    open_pair(
        [(reader, flags), (writer, flags | OpenFlags::WRONLY)],
        descriptors,
    )
}

/// Opens two descriptors and tells their numbers, or neither.
pub(super) fn open_pair(
    files: [(Arc<dyn File>, OpenFlags); 2],
    descriptors: UserPtr<i32>,
) -> SysResult {
    let [(first, first_flags), (second, second_flags)] = files;
    let first = open_descriptor(first, first_flags)?;
    let second = open_descriptor(second, second_flags);
    let told = second.and_then(|second| descriptors.cast().write([first, second]));
    if let Err(error) = told {
        task::with_current(|thread| {
            let files = &thread.process().files;
            let opened = [Some(first), second.ok()];
            opened
                .into_iter()
                .flatten()
                .for_each(|fd| drop(files.remove(fd)));
        });
        return Err(error);
    }
    Ok(0)
}

/// See eventfd(2).
pub fn eventfd(count: u32) -> SysResult {
    eventfd2(count, 0)
}

/// See eventfd2(2).
pub fn eventfd2(count: u32, flags: u32) -> SysResult {
    const _: () = assert!(EFD_CLOEXEC == OpenFlags::CLOEXEC.bits());
    const _: () = assert!(EFD_NONBLOCK == OpenFlags::NONBLOCK.bits());
    let common = creation_flags(flags, EFD_SEMAPHORE)?;
    let take = if flags & EFD_SEMAPHORE == 0 {
        Take::All
    } else {
        Take::One
    };
    let file = Arc::new(EventFd::new(u64::from(count), take));
    descriptor(open_descriptor(file, common | OpenFlags::RDWR))
}

/// `struct itimerspec`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Itimerspec {
    interval: Timespec,
    value: Timespec,
}

// SAFETY: four integers without padding: every pattern is valid, nothing is owned.
unsafe impl Plain for Itimerspec {}

impl From<Setting> for Itimerspec {
    fn from(setting: Setting) -> Self {
        let spec = |duration: Duration| {
            Timespec::from_ns(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
        };
        Self {
            interval: spec(setting.period),
            value: spec(setting.first),
        }
    }
}

/// See timerfd_create(2).
pub fn timerfd_create(clock: u32, flags: u32) -> SysResult {
    let flags = creation_flags(flags, 0)?;
    if !matches!(
        clock,
        CLOCK_REALTIME
            | CLOCK_MONOTONIC
            | CLOCK_BOOTTIME
            | CLOCK_REALTIME_ALARM
            | CLOCK_BOOTTIME_ALARM
    ) {
        return Err(Errno::EINVAL);
    }
    let clock = i32::try_from(clock).map_err(|_| Errno::EINVAL)?;
    descriptor(open_descriptor(
        TimerFd::new(clock),
        flags | OpenFlags::RDWR,
    ))
}

/// See timerfd_settime(2). The clocks are never set, so TFD_TIMER_CANCEL_ON_SET has no effect.
pub fn timerfd_settime(
    fd: i32,
    flags: u32,
    new: UserPtr<Itimerspec>,
    old: UserPtr<Itimerspec>,
) -> SysResult {
    let new = new.read()?;
    if flags & !(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) != 0 {
        return Err(Errno::EINVAL);
    }
    let (first, period) = (new.value.to_ns()?, new.interval.to_duration()?);
    let file = open_file(fd)?;
    let timer = file.downcast::<TimerFd>().ok_or(Errno::EINVAL)?;
    let first = match first {
        0 => None,
        at if flags & TFD_TIMER_ABSTIME != 0 => Some(on_monotonic(timer.clock(), at)),
        ns => Some(Instant::now().after(Duration::from_nanos(ns))),
    };
    let before = timer.set(first, period);
    if let Some(old) = old.non_null() {
        old.write(before.into())?;
    }
    Ok(0)
}

/// See timerfd_gettime(2).
pub fn timerfd_gettime(fd: i32, current: UserPtr<Itimerspec>) -> SysResult {
    let file = open_file(fd)?;
    let timer = file.downcast::<TimerFd>().ok_or(Errno::EINVAL)?;
    current.write(timer.get().into())?;
    Ok(0)
}

/// The moment `at` (nanoseconds) of `clock`, on CLOCK_MONOTONIC. One that has passed is "now": only
/// the count of periods since matters then.
fn on_monotonic(clock: i32, at: u64) -> Instant {
    let host_clock = match u32::try_from(clock) {
        Ok(CLOCK_REALTIME | CLOCK_REALTIME_ALARM) => CLOCK_REALTIME,
        Ok(CLOCK_BOOTTIME | CLOCK_BOOTTIME_ALARM) => CLOCK_BOOTTIME,
        _ => return Instant::from_ns(at),
    };
    let host_clock = i32::try_from(host_clock).unwrap_or(0);
    let (here, there) = (
        Instant::now().as_ns(),
        crate::hypercall::clock_ns(host_clock),
    );
    Instant::from_ns(here.saturating_add(at).saturating_sub(there))
}

/// The open file description of `fd` in the running process.
pub(super) fn open_file(fd: i32) -> Result<Arc<OpenFile>> {
    task::with_current(|thread| thread.process().files.get(fd))
}

/// See signalfd(2).
pub fn signalfd(fd: i32, mask: UserPtr<u64>, mask_size: usize) -> SysResult {
    signalfd4(fd, mask, mask_size, 0)
}

/// See signalfd4(2).
pub fn signalfd4(fd: i32, mask: UserPtr<u64>, mask_size: usize, flags: u32) -> SysResult {
    if mask_size != size_of::<u64>() {
        return Err(Errno::EINVAL);
    }
    let wanted = SignalSet::from_bits(mask.read()?);
    let flags = creation_flags(flags, 0)?;
    if fd == -1 {
        let file = SignalFd::new(wanted);
        return descriptor(open_descriptor(file, flags | OpenFlags::RDWR));
    }
    let file = open_file(fd)?;
    file.downcast::<SignalFd>()
        .ok_or(Errno::EINVAL)?
        .set(wanted);
    descriptor(Ok(fd))
}

/// Longest name of memfd_create(2) in bytes, without `memfd:` before it.
const MEMFD_NAME_MAX: usize = 249;

/// See memfd_create(2).
pub fn memfd_create(name: UserPtr<u8>, flags: u32) -> SysResult {
    const KNOWN: u32 = MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC;
    if flags & MFD_HUGETLB != 0 {
        return Err(Errno::EINVAL.because("there are no huge pages"));
    }
    let both = MFD_EXEC | MFD_NOEXEC_SEAL;
    if flags & !KNOWN != 0 || flags & both == both {
        return Err(Errno::EINVAL);
    }
    let name = name
        .read_cstr(MEMFD_NAME_MAX + 1)
        .map_err(|error| match error {
            Errno::ENAMETOOLONG => Errno::EINVAL,
            error => error,
        })?;
    let no_exec = flags & MFD_NOEXEC_SEAL != 0;
    let sealing = if no_exec || flags & MFD_ALLOW_SEALING != 0 {
        Sealing::Allowed
    } else {
        Sealing::Refused
    };
    let mode = if no_exec { 0o666 } else { 0o777 };
    let file = memfd::create(&name, mode, sealing)?;
    let close_on_exec = flags & MFD_CLOEXEC != 0;
    descriptor(task::with_current(|thread| {
        thread.process().files.insert(file, close_on_exec, 0)
    }))
}

/// See inotify_init(2).
pub fn inotify_init() -> SysResult {
    inotify_init1(0)
}

/// See inotify_init1(2).
pub fn inotify_init1(flags: u32) -> SysResult {
    let flags = creation_flags(flags, 0)?;
    descriptor(open_descriptor(Inotify::new(), flags))
}

/// See inotify_add_watch(2).
pub fn inotify_add_watch(fd: i32, path: UserPtr<u8>, mask: u32) -> SysResult {
    let file = open_file(fd)?;
    let inotify = file.downcast::<Inotify>().ok_or(Errno::EINVAL)?;
    let mask = Mask::from_bits(mask).ok_or(Errno::EINVAL)?;
    let name = path.read_cstr(PATH_MAX)?;
    let mut walker = caller::walker();
    let follow = if mask.contains(Mask::DONT_FOLLOW) {
        Follow::No
    } else {
        Follow::Yes
    };
    let place = walker.resolve(&caller::cwd(), &name, follow)?;
    check_access(place.inode(), &walker.credentials, AccessMode::READ)?;
    descriptor(inotify.watch(place.inode(), mask))
}

/// See inotify_rm_watch(2).
pub fn inotify_rm_watch(fd: i32, watch: i32) -> SysResult {
    let file = open_file(fd)?;
    let inotify = file.downcast::<Inotify>().ok_or(Errno::EINVAL)?;
    inotify.unwatch(watch)?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new_timer(clock: u32) -> i32 {
        i32::try_from(timerfd_create(clock, 0).expect("a timer")).expect("small")
    }

    fn spec(value_ns: u64, interval_ns: u64) -> Itimerspec {
        Itimerspec {
            interval: Timespec::from_ns(interval_ns),
            value: Timespec::from_ns(value_ns),
        }
    }

    fn place<T>(value: &mut T) -> UserPtr<T> {
        UserPtr::new(core::ptr::from_mut(value) as usize)
    }

    #[test]
    fn creation_flags_are_checked() {
        assert_eq!(pipe2(UserPtr::new(0), 1), Err(Errno::EINVAL));
        assert_eq!(pipe2(UserPtr::new(0), 0), Err(Errno::EFAULT));
        assert_eq!(eventfd2(0, 2), Err(Errno::EINVAL));
        assert_eq!(timerfd_create(CLOCK_MONOTONIC, 1), Err(Errno::EINVAL));
        assert_eq!(timerfd_create(2, 0), Err(Errno::EINVAL));
    }

    #[test]
    fn a_refused_pipe_leaves_no_descriptors() {
        let before = eventfd(0).expect("a descriptor");
        assert_eq!(pipe2(UserPtr::new(0), 0), Err(Errno::EFAULT));
        assert_eq!(eventfd(0), Ok(before + 1));
    }

    #[test]
    fn absolute_times_are_moved_to_the_monotonic_clock() {
        let fd = new_timer(CLOCK_REALTIME);
        let mut new = spec(crate::time::realtime_ns() + 5_000_000_000, 0);
        let null = UserPtr::new(0);
        assert_eq!(
            timerfd_settime(fd, TFD_TIMER_ABSTIME, place(&mut new), null),
            Ok(0)
        );
        let mut left = Itimerspec::default();
        assert_eq!(timerfd_gettime(fd, place(&mut left)), Ok(0));
        let ns = left.value.to_ns().expect("valid");
        assert!(
            (4_000_000_000..=5_000_000_000).contains(&ns),
            "{ns} ns left"
        );
    }

    #[test]
    fn bad_settings_are_refused() {
        let fd = new_timer(CLOCK_MONOTONIC);
        let null = UserPtr::new(0);
        let mut bad = spec(1, 0);
        bad.value.nsec = 1_000_000_000;
        assert_eq!(
            timerfd_settime(fd, 0, place(&mut bad), null),
            Err(Errno::EINVAL)
        );
        let mut good = spec(1, 0);
        assert_eq!(
            timerfd_settime(fd, 4, place(&mut good), null),
            Err(Errno::EINVAL)
        );
        assert_eq!(timerfd_settime(fd, 0, null, null), Err(Errno::EFAULT));
        assert_eq!(
            timerfd_settime(999, 0, place(&mut good), null),
            Err(Errno::EBADF)
        );
        let other = i32::try_from(eventfd(0).expect("a counter")).expect("small");
        assert_eq!(timerfd_gettime(other, null), Err(Errno::EINVAL));
    }
}
