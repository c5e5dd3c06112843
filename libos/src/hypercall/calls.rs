//! The seven calls, typed.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use core::time::Duration;

use libos_abi::handle::Handle;
use libos_abi::hypercall::Hypercall;

use crate::errno::{Errno, Result};

/// `struct pollfd` of poll(2), on host descriptors.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PollFd {
    /// The host's descriptor.
    pub fd: i32,
    /// What to wait for.
    pub events: i16,
    /// What is so.
    pub revents: i16,
}

static COUNTS: [AtomicU64; Hypercall::COUNT] = [const { AtomicU64::new(0) }; Hypercall::COUNT];

/// How often `call` was made.
pub fn count(call: Hypercall) -> u64 {
    COUNTS[index(call)].load(Ordering::Relaxed)
}

fn index(call: Hypercall) -> usize {
    Hypercall::ALL
        .iter()
        .position(|&other| other == call)
        .unwrap_or(0)
}

fn note(call: Hypercall) {
    let counter = &COUNTS[index(call)];
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

/// Reads from a handle with the read right.
///
/// # Errors
/// The host's: EAGAIN, EINTR, EIO, EFAULT.
pub fn read(handle: &Handle, buffer: *mut u8, len: usize) -> Result<usize> {
    call(
        Hypercall::Read,
        [descriptor(handle), buffer as u64, len as u64, 0],
    )
}

/// Writes to a handle with the write right.
///
/// # Errors
/// The host's: EAGAIN, EINTR, EPIPE, ENOSPC, EIO, EFAULT.
pub fn write(handle: &Handle, buffer: *const u8, len: usize) -> Result<usize> {
    call(
        Hypercall::Write,
        [descriptor(handle), buffer as u64, len as u64, 0],
    )
}

/// Reads at `offset` from a handle with the pread right.
///
/// # Errors
/// The host's: EIO, EFAULT, EINTR.
pub fn pread(handle: &Handle, buffer: *mut u8, len: usize, offset: u64) -> Result<usize> {
    call(
        Hypercall::Pread,
        [descriptor(handle), buffer as u64, len as u64, offset],
    )
}

/// Writes at `offset` to a handle with the pwrite right.
///
/// # Errors
/// The host's: EIO, ENOSPC, EFAULT, EINTR.
pub fn pwrite(handle: &Handle, buffer: *const u8, len: usize, offset: u64) -> Result<usize> {
    call(
        Hypercall::Pwrite,
        [descriptor(handle), buffer as u64, len as u64, offset],
    )
}

fn descriptor(handle: &Handle) -> u64 {
    i64::from(handle.fd).cast_unsigned()
}

/// Decodes a raw result: the kernel's errors are -4095..=-1.
fn decode(raw: i64) -> Result<usize> {
    match usize::try_from(raw) {
        Ok(value) => Ok(value),
        Err(_) => Err(u16::try_from(-raw).map_or(Errno::EIO, Errno::from_host)),
    }
}

#[cfg(not(test))]
fn call(call: Hypercall, arguments: [u64; 4]) -> Result<usize> {
    note(call);
    let [a, b, c, d] = arguments;
    // SAFETY: one of the seven calls on a handle of ours. Buffers are either the libOS's own or the
    // application's; the kernel checks them and answers EFAULT.
    decode(unsafe { super::raw::libos_hypercall(u64::from(call.number()), a, b, c, d, 0) })
}

#[cfg(test)]
fn call(call: Hypercall, _: [u64; 4]) -> Result<usize> {
    note(call);
    decode(-i64::from(Errno::EBADF.number()))
}

/// Sleeps until a descriptor is ready, `timeout` has passed, or a host signal came.
///
/// Returns at once, with EINTR, if `attention` is not 0.
///
/// # Errors
/// EINTR.
pub fn poll(fds: &mut [PollFd], timeout: Option<Duration>, attention: &AtomicU32) -> Result<usize> {
    note(Hypercall::Poll);
    let spec = timeout.map(|timeout| {
        [
            i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            i64::from(timeout.subsec_nanos()),
        ]
    });
    decode(poll_raw(fds, spec.as_ref(), attention))
}

#[cfg(not(test))]
fn poll_raw(fds: &mut [PollFd], spec: Option<&[i64; 2]>, attention: &AtomicU32) -> i64 {
    let spec = spec.map_or(core::ptr::null(), core::ptr::from_ref);
    let count = fds.len() as u64;
    // SAFETY: `fds` and `spec` are valid for the call; all descriptors in it are handles.
    unsafe { super::raw::libos_hypercall_poll(fds.as_mut_ptr().cast(), count, spec, attention) }
}

#[cfg(test)]
fn poll_raw(_: &mut [PollFd], _: Option<&[i64; 2]>, _: &AtomicU32) -> i64 {
    0
}

/// clock_gettime(2) in nanoseconds, for clocks that the vDSO does not answer.
///
/// # Errors
/// EINVAL for a clock that the host does not have.
pub fn clock(id: i32) -> Result<u64> {
    let mut spec = [0_i64; 2];
    call(
        Hypercall::Clock,
        [
            i64::from(id).cast_unsigned(),
            spec.as_mut_ptr() as u64,
            0,
            0,
        ],
    )?;
    Ok(spec[0].cast_unsigned() * 1_000_000_000 + spec[1].cast_unsigned())
}

/// Ends the process.
pub fn exit(status: u8) -> ! {
    let returned = call(Hypercall::Exit, [u64::from(status), 0, 0, 0]);
    panic!("exit({status}) came back: {returned:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_decoded_by_range() {
        assert_eq!(decode(0), Ok(0));
        assert_eq!(decode(4096), Ok(4096));
        assert_eq!(decode(-4), Err(Errno::EINTR));
    }
}
