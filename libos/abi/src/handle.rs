//! Handles: the host objects that the tender opens before the filter is installed.
//!
//! Each kind says which hypercalls make sense on it; the run's filter is the sum of its handles.

use crate::boot::Text;

/// What a handle is. A closed list; later devices append to it.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HandleKind {
    /// Standard input.
    ConsoleIn = 1,
    /// Standard output.
    ConsoleOut = 2,
    /// Standard error.
    ConsoleErr = 3,
    /// Where `--strace` writes.
    Log = 4,
    /// Where `--report` is written at exit.
    Report = 5,
    /// `/proc/self/pagemap`: tells which pages were ever touched, so that only those are cleared.
    Pagemap = 6,
    /// `/proc/self/statm`: tells how much memory is resident.
    Statm = 7,
    /// `/proc/cpuinfo`: read when the guest first asks for it, since formatting it takes the host
    /// longer than all other facts of the boot information together.
    CpuInfo = 8,
    /// A network interface's frames.
    Net = 9,
    /// A shared folder's messages ([`crate::fuse`]).
    Share = 10,
    /// A disk that may be written.
    Block = 11,
    /// A disk that may only be read.
    BlockReadOnly = 12,
    /// A disk's second handle: what is written there is durable when the call returns.
    BlockSync = 13,
}

impl HandleKind {
    /// All kinds, in order.
    pub const ALL: [Self; 13] = [
        Self::ConsoleIn,
        Self::ConsoleOut,
        Self::ConsoleErr,
        Self::Log,
        Self::Report,
        Self::Pagemap,
        Self::Statm,
        Self::CpuInfo,
        Self::Net,
        Self::Share,
        Self::Block,
        Self::BlockReadOnly,
        Self::BlockSync,
    ];

    /// What may be done with a handle of this kind.
    pub const fn rights(self) -> Rights {
        match self {
            Self::ConsoleIn => Rights {
                read: true,
                write: false,
                pread: false,
                pwrite: false,
                poll: true,
            },
            Self::ConsoleOut | Self::ConsoleErr => Rights {
                read: false,
                write: true,
                pread: false,
                pwrite: false,
                poll: true,
            },
            Self::Log | Self::Report => Rights {
                read: false,
                write: true,
                pread: false,
                pwrite: false,
                poll: false,
            },
            Self::Net | Self::Share => Rights {
                read: true,
                write: true,
                pread: false,
                pwrite: false,
                poll: true,
            },
            Self::Pagemap | Self::Statm | Self::CpuInfo | Self::BlockReadOnly => Rights {
                read: false,
                write: false,
                pread: true,
                pwrite: false,
                poll: false,
            },
            Self::Block => Rights {
                read: false,
                write: false,
                pread: true,
                pwrite: true,
                poll: false,
            },
            Self::BlockSync => Rights {
                read: false,
                write: false,
                pread: false,
                pwrite: true,
                poll: false,
            },
        }
    }

    /// The name used in filters and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConsoleIn => "console-in",
            Self::ConsoleOut => "console-out",
            Self::ConsoleErr => "console-err",
            Self::Log => "log",
            Self::Report => "report",
            Self::Pagemap => "pagemap",
            Self::Statm => "statm",
            Self::CpuInfo => "cpuinfo",
            Self::Net => "net",
            Self::Share => "share",
            Self::Block => "block",
            Self::BlockReadOnly => "block-read-only",
            Self::BlockSync => "block-sync",
        }
    }
}

/// The hypercalls that a handle admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "five independent rights, one per hypercall"
)]
pub struct Rights {
    /// read(2).
    pub read: bool,
    /// write(2).
    pub write: bool,
    /// pread64(2).
    pub pread: bool,
    /// pwrite64(2).
    pub pwrite: bool,
    /// May appear in a ppoll(2) set. The filter cannot see the set; the libOS keeps to it.
    pub poll: bool,
}

/// One handle of a run.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Handle {
    /// What it is.
    pub kind: HandleKind,
    /// The host's file descriptor.
    pub fd: i32,
    /// `st_mode` of the host object: whether it is a terminal, pipe, socket or file.
    pub mode: u32,
    /// `O_*` status flags of the open host description.
    pub status_flags: u32,
    /// `st_rdev` of the host object.
    pub rdev: u64,
    /// `st_ino` of the host object.
    pub ino: u64,
    /// 1 if the object is a terminal.
    pub is_terminal: u32,
    /// Keeps the layout explicit; always 0.
    pub reserved: u32,
    /// The device's name in the manifest; empty for the built-in kinds.
    pub name: Text,
}
