//! futex(2): operations and timeouts decoded; `crate::futex` waits and wakes.

use core::time::Duration;

use crate::errno::{Errno, Result, SysResult};
use crate::futex::{self, WakeOp};
use crate::signal;
use crate::syscall::convert::Argument;
use crate::time::{self, Instant};
use crate::user::{Timespec, UserPtr};

/// When a futex wait's timeout is: relative for FUTEX_WAIT, absolute for the others.
fn futex_deadline(
    timeout: UserPtr<Timespec>,
    is_absolute: bool,
    is_realtime: bool,
) -> Result<Option<Instant>> {
    let Some(timeout) = timeout.non_null() else {
        return Ok(None);
    };
    let ns = timeout.read()?.to_ns()?;
    Ok(Some(match (is_absolute, is_realtime) {
        (false, _) => Instant::now().after(Duration::from_nanos(ns)),
        (true, false) => Instant::from_ns(ns),
        (true, true) => {
            let left = ns.saturating_sub(time::realtime_ns());
            Instant::now().after(Duration::from_nanos(left))
        }
    }))
}

fn count(value: u64) -> usize {
    let low = u32::try_from(value & 0xffff_ffff).unwrap_or(0);
    // A negative count means one in FUTEX_WAKE (the kernel's loop tests after the first).
    usize::try_from(low.cast_signed()).unwrap_or(1)
}

/// See futex(2).
pub fn futex(
    word: UserPtr<u32>,
    operation: u32,
    value: u32,
    timeout_or_count: u64,
    second: UserPtr<u32>,
    value3: u32,
) -> SysResult {
    const CLOCK_REALTIME: u32 = 256;
    const PRIVATE: u32 = 128;
    let command = operation & !(CLOCK_REALTIME | PRIVATE);
    let is_realtime = operation & CLOCK_REALTIME != 0;
    let timeout = UserPtr::new(usize::try_from(timeout_or_count).map_err(|_| Errno::EFAULT)?);
    if is_realtime && !matches!(command, 0 | 9 | 11 | 13) {
        return Err(Errno::ENOSYS);
    }
    match command {
        0 | 9 => {
            let deadline = futex_deadline(timeout, command == 9, is_realtime)?;
            let bitset = if command == 9 { value3 } else { futex::ANY };
            futex_wait(word, value, deadline, bitset)
        }
        1 => futex::wake(word, count(value.into()).max(1), futex::ANY),
        10 => futex::wake(word, count(value.into()).max(1), value3),
        3 | 4 => requeue(
            word,
            second,
            value,
            timeout_or_count,
            (command == 4).then_some(value3),
        ),
        5 => {
            let (first, other) = (count(value.into()), count(timeout_or_count));
            futex::wake_op(word, first, second, other, WakeOp::new(value3))
        }
        6..=8 | 11..=13 => {
            Err(Errno::ENOSYS.because("priority inheritance needs priorities; there are none"))
        }
        _ => Err(Errno::ENOSYS),
    }
}

/// A wait with a timeout goes on until that, however often it is interrupted, and never restarts behind a
/// handler (futex_wait in the kernel's kernel/futex/waitwake.c).
fn futex_wait(
    word: UserPtr<u32>,
    expected: u32,
    deadline: Option<Instant>,
    bitset: u32,
) -> SysResult {
    match (futex::wait(word, expected, deadline, bitset), deadline) {
        (Err(Errno::ERESTARTSYS), Some(deadline)) => {
            let words = [
                word.address() as u64,
                expected.into(),
                deadline.as_ns(),
                bitset.into(),
            ];
            Err(signal::resume_later(futex_wait_on, words))
        }
        (result, _) => result.map(|()| 0),
    }
}

fn futex_wait_on([word, expected, deadline_ns, bitset]: [u64; 4]) -> SysResult {
    let deadline = Some(Instant::from_ns(deadline_ns));
    futex_wait(
        UserPtr::from_register(word),
        u32::from_register(expected),
        deadline,
        u32::from_register(bitset),
    )
}

fn requeue(
    from: UserPtr<u32>,
    to: UserPtr<u32>,
    wake: u32,
    move_count: u64,
    expected: Option<u32>,
) -> SysResult {
    let wake = usize::try_from(wake.cast_signed()).map_err(|_| Errno::EINVAL)?;
    let low = u32::try_from(move_count & 0xffff_ffff).unwrap_or(0);
    let limit = usize::try_from(low.cast_signed()).map_err(|_| Errno::EINVAL)?;
    let (woken, moved) = futex::requeue(from, to, wake, limit, expected)?;
    // FUTEX_REQUEUE reports the woken only, FUTEX_CMP_REQUEUE both (futex(2), "RETURN VALUE");
    // the kernel returns both for both.
    Ok(woken + moved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn futex_refuses_what_linux_refuses() {
        let mut word = 1_u32;
        let place = UserPtr::new(&raw mut word as usize);
        let none = UserPtr::new(0);
        assert_eq!(futex(place, 0, 2, 0, none, 0), Err(Errno::EAGAIN));
        assert_eq!(futex(place, 1 | 256, 1, 0, none, 0), Err(Errno::ENOSYS));
        assert_eq!(futex(place, 77, 1, 0, none, 0), Err(Errno::ENOSYS));
        let bad = Timespec {
            sec: 0,
            nsec: 1_000_000_000,
        };
        assert_eq!(
            futex(place, 0, 1, &raw const bad as u64, none, 0),
            Err(Errno::EINVAL)
        );
    }
}
