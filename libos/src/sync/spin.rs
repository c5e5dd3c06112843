//! A lock whose guard says: nothing blocks while it is held.
//!
//! There is one vCPU and the libOS is not preemptible, so a lock that is found taken is a bug (a
//! path that blocked or re-entered while holding it): it stops at that place instead of hanging.
//! In host tests, which have real threads, it spins.

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, Ordering};

/// Mutual exclusion for short, non-blocking sections.
pub struct SpinLock<T: ?Sized> {
    taken: AtomicBool,
    data: UnsafeCell<T>,
}

// SAFETY: the lock hands out access to `data` to one holder at a time, so sharing the lock among
// threads only moves `T` between them, which `T: Send` permits.
unsafe impl<T: ?Sized + Send> Sync for SpinLock<T> {}
// SAFETY: moving the lock moves the data.
unsafe impl<T: ?Sized + Send> Send for SpinLock<T> {}

impl<T> SpinLock<T> {
    /// An open lock around `data`.
    pub const fn new(data: T) -> Self {
        Self {
            taken: AtomicBool::new(false),
            data: UnsafeCell::new(data),
        }
    }

    /// The data, consuming the lock.
    pub fn into_inner(self) -> T {
        self.data.into_inner()
    }
}

impl<T: ?Sized> SpinLock<T> {
    /// Takes the lock.
    ///
    /// In the image it stops the libOS if it is already held: with one vCPU that can never resolve.
    #[inline]
    pub fn lock(&self) -> SpinGuard<'_, T> {
        self.acquire();
        SpinGuard { lock: self }
    }

    #[cfg(not(test))]
    #[inline]
    fn acquire(&self) {
        // One vCPU: a plain load and store suffice and cost no locked instruction. Several vCPUs
        // will turn this into a compare-and-swap.
        if self.taken.load(Ordering::Relaxed) {
            stop_here();
        }
        self.taken.store(true, Ordering::Relaxed);
    }

    #[cfg(test)]
    fn acquire(&self) {
        while self.taken.swap(true, Ordering::Acquire) {
            std::thread::yield_now();
        }
    }

    /// Direct access through an exclusive borrow; no locking needed.
    pub fn get_mut(&mut self) -> &mut T {
        self.data.get_mut()
    }
}

/// Stops the libOS at this instruction, whose address its last words give. A panic with a place in
/// the source would be 45 bytes at each of some 600 locks.
#[cfg(not(test))]
#[inline(always)]
fn stop_here() -> ! {
    // SAFETY: the instruction is invalid by definition: it faults, and nothing follows it.
    unsafe { core::arch::asm!("ud2", options(noreturn, nomem, nostack)) }
}

impl<T: Default> Default for SpinLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

/// Access to a [`SpinLock`]'s data; released on drop.
pub struct SpinGuard<'a, T: ?Sized> {
    lock: &'a SpinLock<T>,
}

impl<T: ?Sized> Deref for SpinGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this guard exists only while the lock is held by it.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T: ?Sized> DerefMut for SpinGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this guard exists only while the lock is held by it, and is borrowed exclusively.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T: ?Sized> Drop for SpinGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.taken.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn threads_exclude_each_other() {
        let counter = Arc::new(SpinLock::new(0_u32));
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let counter = Arc::clone(&counter);
                std::thread::spawn(move || (0..1000).for_each(|_| *counter.lock() += 1))
            })
            .collect();
        workers
            .into_iter()
            .for_each(|worker| worker.join().expect("worker"));
        assert_eq!(*counter.lock(), 4000);
    }
}
