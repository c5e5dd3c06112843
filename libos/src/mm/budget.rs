//! The memory limit: who may take more.
//!
//! What counts is what is resident on the host, not what was handed out: programs map far more than
//! they touch. Asking the host costs a hypercall, so [`Budget`] asks only when what was granted
//! since the last answer could have reached the limit. In between, everything granted is assumed to
//! be resident.

use core::sync::atomic::{AtomicUsize, Ordering};

use crate::errno::{Errno, Result};
use crate::mm::host;

/// The limit and what is known of its use. Atomics, so that the heap can ask under its own lock.
pub struct Budget {
    /// Bytes that may be resident.
    limit: AtomicUsize,
    /// Bytes that were resident when last asked.
    sampled: AtomicUsize,
    /// Bytes granted since then.
    granted: AtomicUsize,
}

/// The budget of this process.
pub static BUDGET: Budget = Budget::new(usize::MAX);

impl Budget {
    /// A budget of `limit` bytes, nothing used.
    pub const fn new(limit: usize) -> Self {
        Self {
            limit: AtomicUsize::new(limit),
            sampled: AtomicUsize::new(0),
            granted: AtomicUsize::new(0),
        }
    }

    /// Sets the limit, in bytes.
    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Asks the host how much is resident.
    pub fn resample(&self) {
        if let Some(resident) = host::resident_bytes() {
            self.sampled.store(resident, Ordering::Relaxed);
            self.granted.store(0, Ordering::Relaxed);
        }
    }

    /// The limit, in bytes.
    pub fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Grants `bytes` that will be touched.
    ///
    /// # Errors
    /// ENOMEM if they don't fit beside what is resident.
    #[inline]
    pub fn admit(&self, bytes: usize) -> Result<()> {
        let granted = self.granted.load(Ordering::Relaxed).saturating_add(bytes);
        let used = self.sampled.load(Ordering::Relaxed).saturating_add(granted);
        if used <= self.limit() {
            self.granted.store(granted, Ordering::Relaxed);
            return Ok(());
        }
        self.admit_after_asking(bytes, host::resident_bytes())
    }

    #[cold]
    fn admit_after_asking(&self, bytes: usize, resident: Option<usize>) -> Result<()> {
        let Some(resident) = resident else {
            return Err(Errno::ENOMEM.because("the memory limit is reached"));
        };
        self.sampled.store(resident, Ordering::Relaxed);
        if resident.saturating_add(bytes) > self.limit() {
            self.granted.store(0, Ordering::Relaxed);
            return Err(Errno::ENOMEM.because("the memory limit is reached"));
        }
        self.granted.store(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Gives back a grant that was not used after all.
    pub fn refund(&self, bytes: usize) {
        let granted = self.granted.load(Ordering::Relaxed);
        self.granted
            .store(granted.saturating_sub(bytes), Ordering::Relaxed);
    }

    /// Bytes in use: resident if the host tells, else an upper bound.
    pub fn in_use(&self) -> usize {
        host::resident_bytes().unwrap_or_else(|| {
            self.sampled.load(Ordering::Relaxed) + self.granted.load(Ordering::Relaxed)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn grants_add_up_until_the_host_knows_better() {
        let budget = Budget::new(10 * MIB);
        assert_eq!(budget.admit(6 * MIB), Ok(()));
        assert_eq!(budget.admit(4 * MIB), Ok(()));
        // Only 1 MiB of that was touched.
        assert_eq!(budget.admit_after_asking(8 * MIB, Some(MIB)), Ok(()));
        assert_eq!(budget.admit(MIB), Ok(()));
    }

    #[test]
    fn a_request_beyond_the_limit_is_refused() {
        let budget = Budget::new(10 * MIB);
        let refused = Err(Errno::ENOMEM);
        assert_eq!(budget.admit_after_asking(11 * MIB, Some(0)), refused);
        assert_eq!(budget.admit_after_asking(4 * MIB, Some(7 * MIB)), refused);
        assert_eq!(budget.admit_after_asking(3 * MIB, Some(7 * MIB)), Ok(()));
        assert_eq!(budget.admit_after_asking(MIB, None), refused);
        assert_eq!(
            budget.admit_after_asking(usize::MAX, Some(MIB)),
            refused,
            "a sum that overflows"
        );
    }

    #[test]
    fn a_refund_makes_room() {
        let budget = Budget::new(10 * MIB);
        budget.admit(10 * MIB).expect("fits");
        budget.refund(4 * MIB);
        assert_eq!(budget.admit(4 * MIB), Ok(()));
    }
}
