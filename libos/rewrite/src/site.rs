//! What is reported about each redirected call site: the contract with whoever links the image and
//! with the signal code, which translates addresses in stubs back into the program.
//!
//! Main types: [`Layout`], [`Site`], [`Kind`], [`Moved`]. Plain data.

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use crate::encoding::LEA_LEN;
use crate::error::Reason;

/// Where the stubs and the gate will stand, in the program's own virtual address space.
///
/// Program, stubs and gate are loaded as one unit, so that only distances count: each must lie
/// within 2 GiB of all code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Address of the first stub.
    pub stub_vaddr: u64,
    /// Address that stubs jump to, with %rcx = where to go on.
    pub gate_vaddr: u64,
}

/// How a site was redirected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A window of whole instructions around it jumps to its stub.
    Window,
    /// It became a short jump to a free place nearby, which jumps to its stub.
    Island,
    /// It was left as it is (compat mode only), and has to be served by a trap.
    Trapped(Reason),
}

/// One call site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Address of the 2-byte `syscall` (for a [`Kind::Trapped`] one also `int 0x80` or `sysenter`).
    pub syscall_vaddr: u64,
    /// Address behind it: what the kernel would leave in %rcx.
    pub after: u64,
    /// The bytes that were replaced at the site itself; empty for a trapped one.
    pub window: Range<u64>,
    /// The places that were taken on the way to the stub, in the order of the jumps.
    pub islands: Vec<Range<u64>>,
    /// How it was redirected.
    pub kind: Kind,
    /// First byte of its stub; 0 for a trapped one.
    pub stub_vaddr: u64,
    /// Address in the stub of `lea RESUME(%rip),%rcx`, where the system call "happens"; 0 for a
    /// trapped one.
    pub call_vaddr: u64,
    /// What %rcx holds at the gate: `after`, or an address in the stub where instructions behind the
    /// `syscall` were displaced.
    pub resume_vaddr: u64,
    /// Displaced instructions in the order of the stub. Signal delivery reports `vaddr` for an
    /// interrupted `stub_vaddr`. The jump back to the program is listed too.
    pub moved: Vec<Moved>,
    /// Enclosing symbol with offset, such as `write+0x14`, where the file has symbols.
    pub symbol: Option<String>,
}

/// An instruction that was moved into a stub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Where it stands now.
    pub stub_vaddr: u64,
    /// Where it stood.
    pub vaddr: u64,
}

impl Site {
    /// The program's own address for an address in this site's stub: for the displaced instructions
    /// where they stood, for `lea` and `jmp gate` the `syscall` itself.
    ///
    /// `None` outside the stub's instructions.
    #[must_use]
    pub fn original_of(&self, stub_vaddr: u64) -> Option<u64> {
        if stub_vaddr == self.call_vaddr || stub_vaddr == self.call_vaddr.wrapping_add(LEA_LEN) {
            return Some(self.syscall_vaddr);
        }
        let moved = self
            .moved
            .iter()
            .find(|moved| moved.stub_vaddr == stub_vaddr)?;
        Some(moved.vaddr)
    }
}
