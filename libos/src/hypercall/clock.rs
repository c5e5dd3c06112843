//! The time, through the host's vDSO where that answers without entering the kernel.

#[cfg(not(test))]
use core::sync::atomic::{AtomicUsize, Ordering};

/// CLOCK_REALTIME.
const REALTIME: i32 = 0;
/// CLOCK_MONOTONIC.
const MONOTONIC: i32 = 1;

/// Address of the vDSO's clock_gettime; 0 while there is none.
#[cfg(not(test))]
static VDSO: AtomicUsize = AtomicUsize::new(0);

/// Makes the vDSO's `clock_gettime` at `address` the source of time.
#[cfg(not(test))]
pub fn use_vdso(address: usize) {
    VDSO.store(address, Ordering::Relaxed);
}

/// Host clock `id` in nanoseconds: vDSO if it serves that clock, else the hypercall.
#[cfg(not(test))]
pub fn clock_ns(id: i32) -> u64 {
    let address = VDSO.load(Ordering::Relaxed);
    // CPU-time clocks (2, 3 and negative ids) always enter the kernel: not the vDSO's business.
    if address != 0 && matches!(id, 0 | 1 | 4..=7 | 11) {
        let mut spec = [0_i64; 2];
        // SAFETY: `use_vdso` got the address of a function with this signature, which is mapped for
        // the life of the process.
        let function: extern "C" fn(i32, *mut [i64; 2]) -> i32 =
            unsafe { core::mem::transmute(address) };
        if function(id, &raw mut spec) == 0 {
            return spec[0].cast_unsigned() * 1_000_000_000 + spec[1].cast_unsigned();
        }
    }
    super::calls::clock(id).unwrap_or(0)
}

/// Host tests: the standard library's clocks.
#[cfg(test)]
pub fn clock_ns(id: i32) -> u64 {
    use std::time::{Instant, SystemTime, UNIX_EPOCH};
    // One for all test threads: they share the timer queue.
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    let elapsed = if id == REALTIME {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("clock after 1970")
    } else {
        START.elapsed() + core::time::Duration::from_secs(1)
    };
    u64::try_from(elapsed.as_nanos()).expect("before the year 2554")
}

/// CLOCK_MONOTONIC in nanoseconds.
pub fn monotonic_ns() -> u64 {
    clock_ns(MONOTONIC)
}

/// CLOCK_REALTIME in nanoseconds since the epoch.
pub fn realtime_ns() -> u64 {
    clock_ns(REALTIME)
}
