//! What interrupts the application, as data.
//!
//! Main types: [`Fault`], [`Event`]. The host-signal handler (`entry::interrupt`) makes them; signals and
//! crash reports are made of them.

/// A synchronous fault of application code, as the host's kernel reported it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// SIGSEGV, SIGBUS, SIGFPE, SIGILL or SIGTRAP.
    pub signo: i32,
    /// `si_code`.
    pub code: i32,
    /// `si_addr`: the address accessed, or of the instruction.
    pub address: u64,
    /// CR2 as the kernel reported it.
    pub cr2: u64,
    /// Exception vector.
    pub trap_number: u64,
    /// Error code of the exception.
    pub error_code: u64,
}

/// What interrupted the application, kept while the handler moves to thread context.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// The preemption tick, or a request that is noted in the attention word.
    Attention,
    /// A fault of the application.
    Fault(Fault),
    /// A `syscall` instruction that was not redirected (compat mode).
    TrappedCall,
}
