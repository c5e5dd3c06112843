//! What [`crate::verify`] can find wrong with a rewritten program.
//!
//! Main type: [`Violation`]. Plain data with its messages; the checks themselves are not here.

use core::fmt;

/// What a rewritten program should have and does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// The file's length or structure changed.
    Structure,
    /// A byte outside windows and islands changed; holds its offset in the file.
    ChangedByte(usize),
    /// Two patched ranges overlap, or one is not in the code; holds its address.
    Patch(u64),
    /// The number of sites is not that of the gates in the original.
    SiteCount {
        /// Gates in the original.
        expected: usize,
        /// Sites in the output.
        found: usize,
    },
    /// No gate of the original stands at this site.
    NotAGate(u64),
    /// A window or island does not hold the expected jump; holds its address.
    Jump(u64),
    /// A stub is not what it should be at this address in it.
    Stub(u64),
    /// Something in the code leads into the middle of a patched range.
    Entered(u64),
    /// A kernel entry is left at this address.
    GateLeft(u64),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Structure => f.write_str("the file's structure changed"),
            Self::ChangedByte(offset) => {
                write!(
                    f,
                    "the byte at file offset {offset:#x} changed outside all windows"
                )
            }
            Self::Patch(vaddr) => {
                write!(f, "the patched range at {vaddr:#x} overlaps or is not code")
            }
            Self::SiteCount { expected, found } => {
                write!(f, "expected {expected} sites, found {found}")
            }
            Self::NotAGate(vaddr) => write!(f, "the site at {vaddr:#x} is no kernel entry"),
            Self::Jump(vaddr) => write!(f, "expected a jump to the site's stub at {vaddr:#x}"),
            Self::Stub(vaddr) => write!(f, "unexpected instruction in the stub at {vaddr:#x}"),
            Self::Entered(vaddr) => {
                write!(f, "something leads into the patched range at {vaddr:#x}")
            }
            Self::GateLeft(vaddr) => write!(f, "a kernel entry is left at {vaddr:#x}"),
        }
    }
}

impl core::error::Error for Violation {}
