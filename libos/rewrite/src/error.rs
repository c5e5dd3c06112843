//! What can go wrong: an input that is not a rewritable program, and sites that resist.
//!
//! Main types: [`Error`], [`Refusal`] (one site with its [`Reason`]). Messages say what was
//! expected, what was found and what to try; nothing here prints.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::violation::Violation;

/// Why a program was not rewritten.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The first bytes are not `\x7fELF`.
    NotElf,
    /// Not a 64-bit ELF; holds EI_CLASS.
    Class(u8),
    /// Not little-endian; holds EI_DATA.
    Endianness(u8),
    /// Not for x86-64; holds e_machine.
    Machine(u16),
    /// Neither ET_EXEC nor ET_DYN; holds e_type.
    Type(u16),
    /// Needs a dynamic linker or shared libraries.
    Dynamic {
        /// The program interpreter (PT_INTERP) that the file asks for, if it names one.
        interpreter: Option<String>,
    },
    /// A part of the file that a header promises is not there, or is malformed.
    Malformed {
        /// Which part.
        what: &'static str,
        /// What is wrong with it.
        detail: &'static str,
    },
    /// Two executable parts claim the same addresses or the same bytes of the file.
    Overlap {
        /// What overlaps.
        what: &'static str,
        /// Start of the first.
        first: u64,
        /// Start of the second.
        second: u64,
    },
    /// No executable bytes at all.
    NoCode,
    /// The layout puts stubs or gate where a 32-bit displacement cannot reach.
    OutOfReach {
        /// Address of the jump.
        from: u64,
        /// Address that it should reach.
        to: u64,
    },
    /// The layout's stub area would overlap the program.
    StubsOverlap {
        /// Address range of the stubs.
        stubs: (u64, u64),
        /// Address range of the segment in the way.
        segment: (u64, u64),
    },
    /// Call sites that strict mode cannot accept, all of them, in the order of their addresses.
    Unredirectable(Vec<Refusal>),
    /// The output did not pass its own verification: a bug in this crate.
    Verify(Violation),
}

/// A site that was not redirected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Address of the instruction.
    pub vaddr: u64,
    /// Enclosing symbol with offset, such as `write+0x14`, where the file has symbols.
    pub symbol: Option<String>,
    /// Why.
    pub reason: Reason,
}

/// Why a site was not redirected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// `int 0x80`: the 32-bit system-call entry.
    Int80,
    /// `sysenter`: the 32-bit system-call entry.
    Sysenter,
    /// No five bytes of movable instructions around it, and no free place in reach of a short jump.
    NoRoom,
    /// Two decodings of the same bytes disagree, and one of them executes a system call.
    Ambiguous,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Int80 => "`int 0x80` enters the 32-bit system-call ABI, which is not served",
            Self::Sysenter => "`sysenter` enters the 32-bit system-call ABI, which is not served",
            Self::NoRoom => {
                "no 5-byte window of movable instructions, and no free place within a short jump"
            }
            Self::Ambiguous => {
                "code jumps into the middle of an instruction that holds a `syscall`"
            }
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.symbol {
            Some(symbol) => write!(f, "{:#x} ({symbol}): {}", self.vaddr, self.reason),
            None => write!(f, "{:#x} (no symbol): {}", self.vaddr, self.reason),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotElf => {
                f.write_str("expected an ELF file, but the first bytes are not \\x7fELF")
            }
            Self::Class(class) => {
                write!(
                    f,
                    "expected a 64-bit ELF (EI_CLASS 2), found EI_CLASS {class}; build for x86_64"
                )
            }
            Self::Endianness(data) => {
                write!(
                    f,
                    "expected a little-endian ELF (EI_DATA 1), found EI_DATA {data}"
                )
            }
            Self::Machine(machine) => write!(
                f,
                "expected machine x86-64 (62), found {machine}; build for x86_64-unknown-linux-gnu"
            ),
            Self::Type(kind) => write!(
                f,
                "expected an executable (ET_EXEC 2 or static-pie ET_DYN 3), found e_type {kind}"
            ),
            Self::Dynamic { interpreter } => {
                f.write_str("expected a static program, found one that needs ")?;
                match interpreter {
                    Some(path) => write!(f, "the dynamic linker {path}")?,
                    None => f.write_str("shared libraries (DT_NEEDED)")?,
                }
                f.write_str(
                    "; link statically: Rust `-C target-feature=+crt-static`, C `-static`, \
                     Go `CGO_ENABLED=0`",
                )
            }
            Self::Malformed { what, detail } => write!(f, "{what}: {detail}"),
            Self::Overlap {
                what,
                first,
                second,
            } => {
                write!(f, "{what} at {first:#x} and at {second:#x} overlap")
            }
            Self::NoCode => {
                f.write_str("expected executable segments, found none with bytes in the file")
            }
            Self::OutOfReach { from, to } => write!(
                f,
                "a jump at {from:#x} cannot reach {to:#x}; place stubs and gate within 2 GiB of the program"
            ),
            Self::StubsOverlap { stubs, segment } => write!(
                f,
                "stubs at {:#x}..{:#x} would overlap the segment {:#x}..{:#x}; choose another stub address",
                stubs.0, stubs.1, segment.0, segment.1
            ),
            Self::Unredirectable(refusals) => {
                write!(
                    f,
                    "{} system-call sites cannot be redirected:",
                    refusals.len()
                )?;
                for refusal in refusals {
                    write!(f, "\n  {refusal}")?;
                }
                f.write_str("\nuse compat mode to serve them through SIGSYS")
            }
            Self::Verify(violation) => {
                write!(f, "the rewritten program failed its check: {violation}")
            }
        }
    }
}

impl core::error::Error for Error {}
