//! Signals: a handler for a sent signal, a repeating timer, and a memory fault.
//!
//! The fault's handler runs on an alternate stack, says what happened, and ends the program with
//! status 3. It uses only async-signal-safe calls, as on any Linux.
//!
//! ```text
//! $ cargo libos run -p signals; echo "status $?"
//! SIGUSR1 was handled 2 times
//! the timer ticked 5 times
//! SIGSEGV at address 0x10, code 1
//! status 3
//! ```

use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use libc::{c_int, c_void, siginfo_t};

static USER_SIGNALS: AtomicU32 = AtomicU32::new(0);
static TICKS: AtomicU32 = AtomicU32::new(0);

type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

fn main() {
    sent_signal();
    timer();
    fault();
}

fn sent_signal() {
    handle(libc::SIGUSR1, on_user_signal, 0);
    for _ in 0..2 {
        // SAFETY: raise has no memory preconditions.
        unsafe { libc::raise(libc::SIGUSR1) };
    }
    println!(
        "SIGUSR1 was handled {} times",
        USER_SIGNALS.load(Ordering::Relaxed)
    );
}

fn timer() {
    handle(libc::SIGALRM, on_tick, libc::SA_RESTART);
    set_interval(Duration::from_millis(10));
    while TICKS.load(Ordering::Relaxed) < 5 {
        thread::sleep(Duration::from_millis(1));
    }
    set_interval(Duration::ZERO);
    println!("the timer ticked 5 times");
}

fn fault() {
    use_alternate_stack();
    handle(libc::SIGSEGV, on_fault, libc::SA_ONSTACK);
    let nowhere = ptr::without_provenance_mut::<u8>(0x10);
    // SAFETY: none. The address is not mapped, so the store faults; that is what is shown here.
    // It is volatile, so the compiler emits it as written.
    unsafe { nowhere.write_volatile(1) };
    unreachable!("the store to an unmapped address returned");
}

extern "C" fn on_user_signal(_: c_int, _: *mut siginfo_t, _: *mut c_void) {
    USER_SIGNALS.fetch_add(1, Ordering::Relaxed);
}

extern "C" fn on_tick(_: c_int, _: *mut siginfo_t, _: *mut c_void) {
    TICKS.fetch_add(1, Ordering::Relaxed);
}

extern "C" fn on_fault(_: c_int, info: *mut siginfo_t, _: *mut c_void) {
    // SAFETY: SA_SIGINFO is set, so the kernel passes a filled-in siginfo of a fault, for which
    // si_addr is the member in use.
    let (address, code) = unsafe { ((*info).si_addr().addr(), (*info).si_code) };
    let mut line = Line::new();
    line.text("SIGSEGV at address 0x");
    line.number(address, 16);
    line.text(", code ");
    line.number(usize::try_from(code).unwrap_or(0), 10);
    line.text("\n");
    line.print();
    // SAFETY: _exit is async-signal-safe and does not return.
    unsafe { libc::_exit(3) }
}

/// A line of text on the stack: a signal handler must neither allocate nor take a lock.
struct Line {
    bytes: [u8; 80],
    len: usize,
}

impl Line {
    fn new() -> Self {
        Self {
            bytes: [0; 80],
            len: 0,
        }
    }

    fn text(&mut self, text: &str) {
        for (slot, byte) in self.bytes[self.len..].iter_mut().zip(text.bytes()) {
            *slot = byte;
            self.len += 1;
        }
    }

    fn number(&mut self, number: usize, radix: usize) {
        if number >= radix {
            self.number(number / radix, radix);
        }
        let digit = number % radix;
        self.text(&"0123456789abcdef"[digit..=digit]);
    }

    fn print(&self) {
        // SAFETY: the pointer and length describe the initialised part of `bytes`.
        unsafe { libc::write(1, self.bytes.as_ptr().cast(), self.len) };
    }
}

fn handle(signal: c_int, handler: Handler, flags: c_int) {
    // SAFETY: sigaction is plain data for which zeroes are valid (no handler, empty mask).
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | flags;
    // SAFETY: `action` is initialised and the handler has the SA_SIGINFO signature.
    let status = unsafe { libc::sigaction(signal, &action, ptr::null_mut()) };
    assert_eq!(status, 0, "sigaction({signal}) failed");
}

/// Makes the kernel send SIGALRM every `period`; zero stops it.
fn set_interval(period: Duration) {
    let period = libc::timeval {
        tv_sec: libc::time_t::try_from(period.as_secs()).expect("a short period"),
        tv_usec: libc::suseconds_t::from(period.subsec_micros()),
    };
    let timer = libc::itimerval {
        it_interval: period,
        it_value: period,
    };
    // SAFETY: `timer` is initialised, and a null old value is allowed.
    let status = unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, ptr::null_mut()) };
    assert_eq!(status, 0, "setitimer failed");
}

/// Gives this thread a stack for handlers, which works even when its own stack is used up.
fn use_alternate_stack() {
    let memory = Vec::leak(vec![0_u8; 64 * 1024]);
    let stack = libc::stack_t {
        ss_sp: memory.as_mut_ptr().cast(),
        ss_flags: 0,
        ss_size: memory.len(),
    };
    // SAFETY: the memory was leaked, so it stays valid for as long as the stack is in use.
    let status = unsafe { libc::sigaltstack(&stack, ptr::null_mut()) };
    assert_eq!(status, 0, "sigaltstack failed");
}
