//! The address space of a run: everything that is ever mapped, because nothing can be mapped later.
//!
//! - [`segments`]: the image, straight from its file.
//! - [`stacks`]: boot, signal and main stack, and the guarded slots for threads.
//! - [`memory`]: the one large region that the libOS hands out.
//! - [`module`]: drivers, beside the image.
//! - [`region`]: mmap(2) and mprotect(2), typed.
//!
//! Main type: [`Space`]. It maps what [`crate::image`] has validated and checks nothing again.

pub mod memory;
pub mod module;
pub mod region;
pub mod segments;
pub mod stacks;

use crate::error::Error;
use crate::image::Image;
use libos_abi::boot::Span;
use std::os::fd::BorrowedFd;

pub use stacks::Stacks;

/// Where everything is.
#[derive(Debug)]
pub struct Space {
    /// What was added to the image's link-time addresses.
    pub bias: u64,
    /// Memory for code made at run time; compat mode only, else empty.
    pub exec_arena: Span,
    /// All stacks.
    pub stacks: Stacks,
    /// The region that the libOS hands out.
    pub memory: Span,
}

impl Space {
    /// Maps the image and everything around it.
    ///
    /// # Errors
    /// [`Error::System`] with the call that failed, [`Error::Memory`] if the limit does not fit.
    pub fn map(
        image: &Image,
        file: BorrowedFd<'_>,
        memory_limit: u64,
        base: segments::BaseSource,
    ) -> Result<Self, Error> {
        let placed = segments::map(image, file, base)?;
        let stacks = stacks::map()?;
        let memory = memory::reserve(memory_limit)?;
        Ok(Self {
            bias: placed.bias,
            exec_arena: placed.exec_arena,
            stacks,
            memory,
        })
    }
}
