//! The closed list of host system calls that a confined image makes.
//!
//! Never an eighth: a new need is a new kind of handle, a field of the boot information, or a
//! helper process at the other end of a handle.

/// One of the seven calls.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hypercall {
    /// read(2).
    Read = 0,
    /// write(2).
    Write = 1,
    /// pread64(2).
    Pread = 17,
    /// pwrite64(2).
    Pwrite = 18,
    /// clock_gettime(2).
    Clock = 228,
    /// exit_group(2).
    Exit = 231,
    /// ppoll(2).
    Poll = 271,
}

impl Hypercall {
    /// How many there are.
    pub const COUNT: usize = 7;

    /// All of them, by number.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Read,
        Self::Write,
        Self::Pread,
        Self::Pwrite,
        Self::Clock,
        Self::Exit,
        Self::Poll,
    ];

    /// The host's system-call number (x86-64 ABI).
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// The man page's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Pread => "pread64",
            Self::Pwrite => "pwrite64",
            Self::Clock => "clock_gettime",
            Self::Exit => "exit_group",
            Self::Poll => "ppoll",
        }
    }
}
