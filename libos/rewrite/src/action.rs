//! What a plan says of each gate.
//!
//! Main types: [`Planned`] and [`Action`]. Plain data between those who decide ([`crate::plan`],
//! [`crate::island`]) and the one who carries it out ([`crate::apply`]).

use alloc::vec::Vec;
use core::ops::Range;

use crate::error::Reason;
use crate::find::Gate;

/// A gate and what happens to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The gate.
    pub gate: Gate,
    /// What happens to it.
    pub action: Action,
}

/// How a gate is redirected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// These whole instructions, the gate among them, become `jmp rel32` to the stub.
    Window(Range<u64>),
    /// The gate alone becomes a short jump to the first hop; the last hop is `jmp rel32` to the stub,
    /// those before it are short jumps.
    Island(Vec<Range<u64>>),
    /// The gate stays as it is.
    Trap(Reason),
}
