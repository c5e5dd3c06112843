//! What the tender's helper processes have in common.
//!
//! A helper is a process at the other end of a handle: it does for the guest what the seven calls cannot do, and
//! is confined before it looks at the first byte from there.
//!
//! - [`process`]: making one, and the answer whether it runs.
//! - [`confine`]: what it gives up, as each helper puts it together.
//! - [`error`]: why it could not be made.
//!
//! It knows nothing of what a helper does, and nothing of libOS or tender.

#![deny(unsafe_code)]

pub mod confine;
pub mod error;
pub mod process;
mod raw;

pub use confine::Confinement;
pub use error::StartError;

/// Lets the kernel forget children as they end, for a process that will not wait for any: no zombie
/// stays behind. SIGCHLD keeps its default action.
///
/// # Errors
/// That of sigaction(2).
pub fn disown_children() -> std::io::Result<()> {
    raw::disown_children()
}
