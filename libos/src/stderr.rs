//! The libOS's own words on standard error.
//!
//! [`LastWords`] neither allocates nor locks, so that it serves where the libOS itself is at fault.
//! What the application writes goes another way (`fs::console`).

use core::fmt;
#[cfg(not(test))]
use core::fmt::Write;

#[cfg(not(test))]
use libos_abi::handle::HandleKind;

/// Writes to standard error without allocating or locking.
#[cfg(not(test))]
pub struct LastWords;

#[cfg(not(test))]
impl Write for LastWords {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if let Some(handle) = crate::boot::handle(HandleKind::ConsoleErr) {
            let _ = crate::hypercall::write(handle, text.as_ptr(), text.len());
        }
        Ok(())
    }
}

/// Tells the user what the program itself cannot know: a device is gone.
pub fn warn(message: fmt::Arguments<'_>) {
    #[cfg(not(test))]
    let _ = writeln!(LastWords, "libos: {message}");
    #[cfg(test)]
    let _ = message;
}
