//! Futexes: sleeping on the value of a word (futex(2)).
//!
//! Waiters stand in buckets by the word's address; there is one address space, so private and
//! shared futexes are the same. A waiter holds its own flag, in its thread, that tells a wake-up
//! from a time-out; requeueing changes the address that it waits for.
//!
//! Neighbours: `sched` sleeps and wakes; `syscall::futex` decodes.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use crate::errno::{Errno, Result};
use crate::sync::SpinLock;
use crate::task::{self, Thread};
use crate::time::Instant;
use crate::user::UserPtr;

/// Matches every waiter.
pub const ANY: u32 = u32::MAX;

/// A thread's side of a wait.
#[derive(Default)]
pub struct FutexWait {
    woken: AtomicBool,
}

struct Waiter {
    address: usize,
    bitset: u32,
    thread: Arc<Thread>,
}

type Bucket = SpinLock<VecDeque<Waiter>>;

const BUCKETS: usize = 256;

/// Made at its first use: 10 KiB less in each image.
static TABLE: AtomicPtr<[Bucket; BUCKETS]> = AtomicPtr::new(core::ptr::null_mut());

fn table() -> &'static [Bucket; BUCKETS] {
    let made = TABLE.load(Ordering::Acquire);
    // SAFETY: null or what `make_table` stored, which is never freed nor borrowed exclusively.
    unsafe { made.as_ref() }.unwrap_or_else(make_table)
}

#[cold]
fn make_table() -> &'static [Bucket; BUCKETS] {
    let buckets: Box<[Bucket]> = (0..BUCKETS).map(|_| Bucket::default()).collect();
    let Ok(new) = <Box<[Bucket; BUCKETS]>>::try_from(buckets) else {
        unreachable!("as many as were made")
    };
    let new = Box::leak(new);
    let old = TABLE.compare_exchange(
        core::ptr::null_mut(),
        new,
        Ordering::AcqRel,
        Ordering::Acquire,
    );
    match old {
        Ok(_) => new,
        // SAFETY: another thread (of a host test) was faster; as in `table`.
        Err(other) => unsafe { &*other },
    }
}

fn bucket(address: usize) -> &'static Bucket {
    // Words are 4-byte aligned and often neighbours in a cache line; mix in higher bits.
    &table()[(address >> 2 ^ address >> 10 ^ address >> 18) % BUCKETS]
}

fn checked(word: UserPtr<u32>) -> Result<usize> {
    if !word.address().is_multiple_of(4) {
        return Err(Errno::EINVAL);
    }
    Ok(word.address())
}

/// Sleeps while `word` holds `expected`, until woken through one of the bits of `bitset`.
///
/// # Errors
/// EAGAIN if the word holds another value; ETIMEDOUT; ERESTARTSYS for a signal; EINVAL for an
/// empty bitset or a word that is not aligned; EFAULT.
pub fn wait(
    word: UserPtr<u32>,
    expected: u32,
    deadline: Option<Instant>,
    bitset: u32,
) -> Result<()> {
    if bitset == 0 {
        return Err(Errno::EINVAL);
    }
    let address = checked(word)?;
    if word.read()? != expected {
        return Err(Errno::EAGAIN);
    }
    let thread = task::current_arc();
    thread.futex.woken.store(false, Ordering::Relaxed);
    let waiter = Waiter {
        address,
        bitset,
        thread: Arc::clone(&thread),
    };
    // The libOS is not preempted, so no other thread ran since the word was read.
    bucket(address).lock().push_back(waiter);
    let verdict = sleep(&thread, deadline);
    if !thread.futex.woken.load(Ordering::Relaxed) {
        forget(&thread);
    }
    verdict
}

fn sleep(thread: &Arc<Thread>, deadline: Option<Instant>) -> Result<()> {
    let woken = &thread.futex.woken;
    loop {
        crate::sched::prepare_to_sleep(thread);
        let verdict = if woken.load(Ordering::Relaxed) {
            Some(Ok(()))
        } else if deadline.is_some_and(|at| Instant::now() >= at) {
            Some(Err(Errno::ETIMEDOUT))
        } else if task::signal_pending() {
            Some(Err(Errno::ERESTARTSYS))
        } else {
            None
        };
        if verdict.is_none() {
            crate::sched::sleep(deadline);
        }
        crate::sched::finish_sleep(thread);
        if let Some(verdict) = verdict {
            return verdict;
        }
    }
}

/// Takes `thread` out of whichever bucket it stands in (it may have been requeued).
fn forget(thread: &Arc<Thread>) {
    for bucket in table() {
        let mut waiters = bucket.lock();
        let before = waiters.len();
        waiters.retain(|waiter| !Arc::ptr_eq(&waiter.thread, thread));
        if waiters.len() != before {
            return;
        }
    }
}

/// Wakes up to `count` waiters of `word` that wait for one of the bits of `bitset`; returns how many.
///
/// # Errors
/// EINVAL for an empty bitset or a word that is not aligned.
pub fn wake(word: UserPtr<u32>, count: usize, bitset: u32) -> Result<usize> {
    if bitset == 0 {
        return Err(Errno::EINVAL);
    }
    Ok(wake_matching(checked(word)?, count, bitset))
}

/// As [`wake`], for the libOS's own purposes: any bit, any address.
pub fn wake_address(address: usize, count: usize) -> usize {
    wake_matching(address, count, ANY)
}

fn wake_matching(address: usize, count: usize, bitset: u32) -> usize {
    let mut woken = 0;
    while woken < count {
        let Some(thread) = take_first(address, bitset) else {
            break;
        };
        thread.futex.woken.store(true, Ordering::Relaxed);
        crate::sched::wake(&thread);
        woken += 1;
    }
    woken
}

fn take_first(address: usize, bitset: u32) -> Option<Arc<Thread>> {
    let matches = |waiter: &Waiter| waiter.address == address && waiter.bitset & bitset != 0;
    let mut waiters = bucket(address).lock();
    // The first of the bucket is the usual one.
    let waiter = match waiters.front() {
        Some(first) if matches(first) => waiters.pop_front(),
        _ => {
            let index = waiters.iter().position(matches)?;
            waiters.remove(index)
        }
    };
    waiter.map(|waiter| waiter.thread)
}

/// Wakes up to `wake_count` waiters of `from` and moves up to `move_count` others to `to`. Returns
/// how many were woken and how many moved.
///
/// # Errors
/// EAGAIN if `expected` is given and `from` holds another value; EINVAL; EFAULT.
pub fn requeue(
    from: UserPtr<u32>,
    to: UserPtr<u32>,
    wake_count: usize,
    move_count: usize,
    expected: Option<u32>,
) -> Result<(usize, usize)> {
    let (source, target) = (checked(from)?, checked(to)?);
    to.read()?;
    if expected.is_some_and(|value| from.read() != Ok(value)) {
        from.read()?;
        return Err(Errno::EAGAIN);
    }
    let woken = wake_matching(source, wake_count, ANY);
    let mut moved = 0;
    while moved < move_count && source != target {
        let Some((bitset, thread)) = take_any(source) else {
            break;
        };
        bucket(target).lock().push_back(Waiter {
            address: target,
            bitset,
            thread,
        });
        moved += 1;
    }
    Ok((woken, moved))
}

fn take_any(address: usize) -> Option<(u32, Arc<Thread>)> {
    let mut waiters = bucket(address).lock();
    let index = waiters
        .iter()
        .position(|waiter| waiter.address == address)?;
    waiters
        .remove(index)
        .map(|waiter| (waiter.bitset, waiter.thread))
}

/// The operation and comparison of FUTEX_WAKE_OP, decoded (futex(2), "FUTEX_WAKE_OP").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WakeOp(u32);

impl WakeOp {
    /// From the call's last argument.
    pub const fn new(encoded: u32) -> Self {
        Self(encoded)
    }

    fn operand(self) -> i32 {
        let raw = sign_extend_12(self.0 >> 12);
        if self.0 & 0x8000_0000 != 0 {
            1_i32.wrapping_shl(raw.cast_unsigned() & 31)
        } else {
            raw
        }
    }

    fn apply(self, old: u32) -> Result<u32> {
        let operand = self.operand().cast_unsigned();
        match self.0 >> 28 & 7 {
            0 => Ok(operand),
            1 => Ok(old.wrapping_add(operand)),
            2 => Ok(old | operand),
            3 => Ok(old & !operand),
            4 => Ok(old ^ operand),
            _ => Err(Errno::ENOSYS),
        }
    }

    fn holds(self, old: u32) -> Result<bool> {
        let (old, with) = (old.cast_signed(), sign_extend_12(self.0));
        match self.0 >> 24 & 15 {
            0 => Ok(old == with),
            1 => Ok(old != with),
            2 => Ok(old < with),
            3 => Ok(old <= with),
            4 => Ok(old > with),
            5 => Ok(old >= with),
            _ => Err(Errno::ENOSYS),
        }
    }
}

fn sign_extend_12(value: u32) -> i32 {
    (value << 20).cast_signed() >> 20
}

/// Changes `second` by `operation`, wakes up to `count` waiters of `first`, and, if the old value of
/// `second` satisfies the comparison, up to `second_count` of `second`.
///
/// # Errors
/// ENOSYS for an unknown operation or comparison; EINVAL; EFAULT.
pub fn wake_op(
    first: UserPtr<u32>,
    count: usize,
    second: UserPtr<u32>,
    second_count: usize,
    operation: WakeOp,
) -> Result<usize> {
    let (first, second_address) = (checked(first)?, checked(second)?);
    let old = second.read()?;
    second.write(operation.apply(old)?)?;
    let mut woken = wake_matching(first, count, ANY);
    if operation.holds(old)? {
        woken += wake_matching(second_address, second_count, ANY);
    }
    Ok(woken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    fn word(value: &mut u32) -> UserPtr<u32> {
        UserPtr::new(&raw mut *value as usize)
    }

    #[test]
    fn another_value_does_not_sleep() {
        let mut value = 5;
        assert_eq!(wait(word(&mut value), 4, None, ANY), Err(Errno::EAGAIN));
    }

    #[test]
    fn nobody_wakes_so_the_time_runs_out() {
        let mut value = 5;
        let deadline = Instant::now().after(Duration::from_millis(2));
        assert_eq!(
            wait(word(&mut value), 5, Some(deadline), ANY),
            Err(Errno::ETIMEDOUT)
        );
        assert_eq!(
            wake(word(&mut value), 1, ANY),
            Ok(0),
            "the waiter left its bucket"
        );
    }

    #[test]
    fn bad_arguments_are_refused() {
        let odd = UserPtr::<u32>::new(0x1001);
        assert_eq!(wait(odd, 0, None, ANY), Err(Errno::EINVAL));
        assert_eq!(wake(odd, 1, ANY), Err(Errno::EINVAL));
        let mut value = 0;
        assert_eq!(wait(word(&mut value), 0, None, 0), Err(Errno::EINVAL));
        assert_eq!(wake(word(&mut value), 1, 0), Err(Errno::EINVAL));
    }

    #[test]
    fn a_waiter_is_woken_moved_and_matched_by_bits() {
        let (mut a, mut b) = (0_u32, 0_u32);
        let (from, to) = (word(&mut a), word(&mut b));
        let thread = task::current_arc();
        let enter = |bitset| {
            bucket(from.address()).lock().push_back(Waiter {
                address: from.address(),
                bitset,
                thread: Arc::clone(&thread),
            });
        };
        enter(0b01);
        assert_eq!(wake(from, 1, 0b10), Ok(0));
        assert_eq!(requeue(from, to, 0, 8, Some(1)), Err(Errno::EAGAIN));
        assert_eq!(requeue(from, to, 0, 8, Some(0)), Ok((0, 1)));
        assert_eq!(wake(from, 8, ANY), Ok(0));
        assert_eq!(wake(to, 8, 0b01), Ok(1));
    }

    #[test]
    fn wake_op_computes_as_the_man_page_says() {
        // FUTEX_OP(op, oparg, cmp, cmparg)
        let encode = |op: u32, arg: u32, cmp: u32, cmparg: u32| {
            WakeOp::new(op << 28 | cmp << 24 | (arg & 0xfff) << 12 | cmparg & 0xfff)
        };
        assert_eq!(encode(0, 7, 0, 0).apply(1), Ok(7));
        assert_eq!(encode(1, 0xfff, 0, 0).apply(1), Ok(0), "-1 is added");
        assert_eq!(
            encode(8 | 2, 4, 0, 0).apply(1),
            Ok(0x11),
            "OP_SHIFT: 1 << 4"
        );
        assert_eq!(encode(3, 1, 0, 0).apply(3), Ok(2));
        assert_eq!(encode(0, 0, 4, 0xfff).holds(0), Ok(true), "0 > -1");
        assert_eq!(encode(7, 0, 0, 0).apply(0), Err(Errno::ENOSYS));
        assert_eq!(encode(0, 0, 9, 0).holds(0), Err(Errno::ENOSYS));
    }
}
