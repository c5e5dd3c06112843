//! The program's end, as its peers see it: every socket is closed as by close(2), and what was sent goes out.
//!
//! On Linux the kernel does that after the process is gone. Here the process itself stays for so long: until
//! all is acknowledged, [`PATIENCE`] after the last progress, [`LIMIT`] at most, or until a host signal asks it
//! to end at once. No thread of the program runs meanwhile.

use core::sync::atomic::Ordering;
use core::time::Duration;

use libos_net::tcp::State;

use super::{host, tcp};
use crate::sched;
use crate::time::{Instant, timer};

/// So long may peers acknowledge nothing: a lost segment is repeated once or twice within.
const PATIENCE: Duration = Duration::from_secs(2);

/// So long may it take in all, however slowly peers read.
const LIMIT: Duration = Duration::from_secs(30);

/// Bit 0 of the attention word asks for another thread's turn; the others are host signals.
const HOST_SIGNALS: u32 = !1;

/// Closes all sockets, and lets what is buffered go out.
pub fn farewell() {
    if !host::has_interfaces() {
        return;
    }
    tcp::table::all().iter().for_each(|socket| socket.hang_up());
    let begun = Instant::now();
    let (mut owed, mut progress) = (usize::MAX, begun);
    loop {
        let now = Instant::now();
        match still_owed() {
            0 => return,
            less if less < owed => (owed, progress) = (less, now),
            _ => {}
        }
        let until = progress.after(PATIENCE).min(begun.after(LIMIT));
        if now >= until || is_asked_to_end() {
            return;
        }
        timer::expire(now);
        if !sched::host::service_devices() {
            let next = timer::next_deadline().map_or(until, |at| at.min(until));
            sched::host::poll(Some(next));
        }
    }
}

/// Bytes that no peer has acknowledged, ends of connections counting as one.
fn still_owed() -> usize {
    let mut owed = 0;
    host::with(|stack, now, _| {
        stack.tcp(now).0.each(&mut |connection| {
            owed += match connection.state {
                State::Established
                | State::CloseWait
                | State::FinWait1
                | State::Closing
                | State::LastAck => connection.send_queue + 1,
                _ => 0,
            };
        });
    });
    owed
}

fn is_asked_to_end() -> bool {
    sched::attention().swap(0, Ordering::Relaxed) & HOST_SIGNALS != 0
}
