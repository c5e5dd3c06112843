//! epoll(7): descriptors and events decoded, [`Epoll`] does the rest.

use alloc::sync::Arc;

use linux_raw_sys::general::{EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD};

use crate::errno::{Errno, Result, SysResult};
use crate::fs::epoll::{Epoll, EpollEvent};
use crate::fs::file::{OpenFile, OpenFlags};
use crate::fs::multiplex::Timeout;
use crate::signal;
use crate::sync::wait::Woken;
use crate::syscall::event::{descriptor, open_descriptor};
use crate::syscall::poll::{milliseconds, read_mask, timespec};
use crate::task;
use crate::user::{Timespec, UserPtr};

/// See epoll_create(2). The size is a hint of old that must be positive.
pub fn epoll_create(size: i32) -> SysResult {
    if size <= 0 {
        return Err(Errno::EINVAL);
    }
    epoll_create1(0)
}

/// See epoll_create1(2).
pub fn epoll_create1(flags: u32) -> SysResult {
    const _: () = assert!(EPOLL_CLOEXEC == OpenFlags::CLOEXEC.bits());
    if flags & !EPOLL_CLOEXEC != 0 {
        return Err(Errno::EINVAL);
    }
    let flags = OpenFlags::from_bits_retain(flags) | OpenFlags::RDWR;
    descriptor(open_descriptor(Epoll::new(), flags))
}

/// See epoll_ctl(2).
pub fn epoll_ctl(epoll_fd: i32, operation: u32, fd: i32, event: UserPtr<EpollEvent>) -> SysResult {
    let event = match operation {
        EPOLL_CTL_DEL => EpollEvent::default(),
        _ => event.read()?,
    };
    let (instance, file) = (file(epoll_fd)?, file(fd)?);
    if file.file().wait_queue().is_none() {
        return Err(Errno::EPERM.because("a file that never blocks"));
    }
    let epoll = epoll(&instance)?;
    if Arc::ptr_eq(&instance, &file) {
        return Err(Errno::EINVAL);
    }
    match operation {
        EPOLL_CTL_ADD => epoll.add(fd, &file, event)?,
        EPOLL_CTL_MOD => epoll.modify(fd, &file, event)?,
        EPOLL_CTL_DEL => epoll.delete(fd, &file)?,
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// See epoll_wait(2).
pub fn epoll_wait(
    epoll_fd: i32,
    events: UserPtr<EpollEvent>,
    max: i32,
    timeout_ms: i32,
) -> SysResult {
    wait(epoll_fd, events, max, milliseconds(timeout_ms))
}

/// See epoll_pwait(2).
pub fn epoll_pwait(
    epoll_fd: i32,
    events: UserPtr<EpollEvent>,
    max: i32,
    timeout_ms: i32,
    mask: UserPtr<u64>,
    mask_size: usize,
) -> SysResult {
    let mask = read_mask(mask, mask_size)?;
    signal::with_mask(mask, || {
        wait(epoll_fd, events, max, milliseconds(timeout_ms))
    })
}

/// See epoll_pwait2(2).
pub fn epoll_pwait2(
    epoll_fd: i32,
    events: UserPtr<EpollEvent>,
    max: i32,
    timeout: UserPtr<Timespec>,
    mask: UserPtr<u64>,
    mask_size: usize,
) -> SysResult {
    let timeout = timespec(timeout)?;
    let mask = read_mask(mask, mask_size)?;
    signal::with_mask(mask, || wait(epoll_fd, events, max, timeout))
}

fn wait(epoll_fd: i32, events: UserPtr<EpollEvent>, max: i32, timeout: Timeout) -> SysResult {
    let max = usize::try_from(max).map_err(|_| Errno::EINVAL)?;
    if max == 0 || max > i32::MAX as usize / size_of::<EpollEvent>() {
        return Err(Errno::EINVAL);
    }
    let instance = file(epoll_fd)?;
    let epoll = epoll(&instance)?;
    let harvest = || {
        let sink = |index, event| events.element(index)?.write(event);
        match epoll.harvest(max, sink) {
            Ok(0) => None,
            result => Some(result),
        }
    };
    let deadline = match timeout {
        Timeout::Zero => return harvest().unwrap_or(Ok(0)),
        Timeout::At(deadline) => Some(deadline),
        Timeout::Never => None,
    };
    match epoll.waiters().wait_until(deadline, harvest) {
        Ok(result) => result,
        Err(Woken::TimedOut) => Ok(0),
        // signal(7): never restarted, SA_RESTART or not.
        Err(Woken::Interrupted) => Err(Errno::EINTR),
    }
}

fn file(fd: i32) -> Result<Arc<OpenFile>> {
    task::with_current(|thread| thread.process().files.get(fd))
}

fn epoll(file: &OpenFile) -> Result<&Epoll> {
    file.downcast().ok_or(Errno::EINVAL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscall::event;

    fn new_epoll() -> i32 {
        i32::try_from(epoll_create1(0).expect("an instance")).expect("small")
    }

    fn new_counter(count: u32) -> i32 {
        i32::try_from(event::eventfd2(count, 0).expect("a counter")).expect("small")
    }

    #[test]
    fn a_ready_descriptor_is_reported() {
        let (epoll, counter) = (new_epoll(), new_counter(1));
        let mut cell = EpollEvent {
            events: 1,
            data: 77,
        };
        let place = UserPtr::new(&raw mut cell as usize);
        assert_eq!(epoll_ctl(epoll, EPOLL_CTL_ADD, counter, place), Ok(0));
        cell = EpollEvent::default();
        let place = UserPtr::new(&raw mut cell as usize);
        assert_eq!(epoll_wait(epoll, place, 1, -1), Ok(1));
        assert_eq!(
            cell,
            EpollEvent {
                events: 1,
                data: 77
            }
        );
    }

    #[test]
    fn time_passes() {
        let mut cell = EpollEvent::default();
        let place = UserPtr::new(&raw mut cell as usize);
        assert_eq!(epoll_wait(new_epoll(), place, 1, 2), Ok(0));
    }

    #[test]
    fn errors_are_linuxs() {
        let (epoll, counter) = (new_epoll(), new_counter(0));
        let mut cell = EpollEvent::default();
        let place = UserPtr::new(&raw mut cell as usize);
        let null = UserPtr::new(0);
        for (operation, instance, fd, event, expected) in [
            (EPOLL_CTL_ADD, 999, counter, place, Errno::EBADF),
            (EPOLL_CTL_ADD, epoll, 999, place, Errno::EBADF),
            (EPOLL_CTL_ADD, epoll, counter, null, Errno::EFAULT),
            (EPOLL_CTL_ADD, epoll, epoll, place, Errno::EINVAL),
            (EPOLL_CTL_ADD, counter, epoll, place, Errno::EINVAL),
            (EPOLL_CTL_MOD, epoll, counter, place, Errno::ENOENT),
            (EPOLL_CTL_DEL, epoll, counter, null, Errno::ENOENT),
            (99, epoll, counter, place, Errno::EINVAL),
        ] {
            let result = epoll_ctl(instance, operation, fd, event);
            assert_eq!(result, Err(expected), "operation {operation} on {fd}");
        }
        assert_eq!(epoll_wait(epoll, place, 0, 0), Err(Errno::EINVAL));
        assert_eq!(epoll_wait(counter, place, 1, 0), Err(Errno::EINVAL));
        assert_eq!(epoll_wait(999, place, 1, 0), Err(Errno::EBADF));
        assert_eq!(epoll_create(0), Err(Errno::EINVAL));
        assert_eq!(epoll_create1(1), Err(Errno::EINVAL));
    }
}
