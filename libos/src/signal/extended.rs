//! The running thread's extended state as an XSAVE image.
//!
//! Where it is depends on how the thread came into the libOS: after an interruption in the area that
//! its frame names; after a call still in the CPU's registers, but for XMM0–XMM15, which the gate
//! saved in the frame.

use crate::arch::frame::TrapFrame;
use crate::errno::{Errno, Result};
use crate::signal::fpstate::{self, Shape};

/// Address of the image in which handlers start.
pub fn initial() -> u64 {
    &raw const fpstate::INITIAL as u64
}

/// Calls `look` with the thread's image.
///
/// # Errors
/// ENOMEM if the thread has no area and the heap is exhausted; that of `look`.
pub fn with_image<T>(
    frame: &TrapFrame,
    shape: Shape,
    look: impl FnOnce(&mut [u8]) -> Result<T>,
) -> Result<T> {
    let image = area(shape)?;
    if frame.xsave == initial() {
        image.fill(0);
        image[..fpstate::SMALLEST].copy_from_slice(fpstate::INITIAL.bytes());
    } else if frame.xsave == 0 {
        image[fpstate::LEGACY..fpstate::SMALLEST].fill(0);
        store_registers(image, shape);
        fpstate::put_xmm(image, &frame.xmm);
    }
    look(image)
}

/// Lets `fill` write the image that `frame` restores.
///
/// # Errors
/// As [`with_image`].
pub fn replace_image(
    frame: &mut TrapFrame,
    shape: Shape,
    fill: impl FnOnce(&mut [u8]) -> Result<()>,
) -> Result<()> {
    let image = area(shape)?;
    fill(image)?;
    frame.xsave = image.as_ptr() as u64;
    Ok(())
}

#[cfg(not(test))]
fn area(shape: Shape) -> Result<&'static mut [u8]> {
    crate::task::with_current(|thread| {
        // SAFETY: thread context on the one vCPU; the borrow ends with this closure.
        let state = unsafe { thread.cpu_state() };
        let area = state.interrupted_area().ok_or(Errno::ENOMEM)?;
        if area.size() < shape.size {
            return Err(Errno::ENOMEM);
        }
        // SAFETY: the area has that many bytes and lives as long as the thread; only the thread
        // itself touches it, in one of the two functions above at a time.
        Ok(unsafe { core::slice::from_raw_parts_mut(area.address(), shape.size) })
    })
}

#[cfg(not(test))]
fn store_registers(image: &mut [u8], shape: Shape) {
    // SAFETY: the area is 64-byte aligned and has room for the components of `shape`.
    unsafe { crate::arch::xstate::store(image.as_mut_ptr(), shape.features) };
}

/// Host tests: an area per test thread; "registers" are all zero.
#[cfg(test)]
fn area(shape: Shape) -> Result<&'static mut [u8]> {
    #[repr(align(64))]
    struct Area([u8; fpstate::LARGEST]);
    std::thread_local! {
        static AREA: *mut Area = Box::into_raw(Box::new(Area([0; fpstate::LARGEST])));
    }
    if shape.size > fpstate::LARGEST {
        return Err(Errno::ENOMEM);
    }
    // SAFETY: leaked memory of this test thread, borrowed by one function at a time.
    Ok(AREA.with(|&area| unsafe { &mut (&mut (*area).0)[..shape.size] }))
}

#[cfg(test)]
fn store_registers(_: &mut [u8], _: Shape) {}
