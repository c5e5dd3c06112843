//! Says what is going on where it takes longer than a second, and how long steps took.

use std::io::IsTerminal;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Announces a step on standard error if it lasts, until it is dropped.
pub struct Announced {
    ended: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Announced {
    /// Begins a step; only a terminal is told.
    pub fn begin(what: String) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self {
                ended: None,
                thread: None,
            };
        }
        let (ended, receiver) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            if receiver.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
                eprintln!("{what} …");
            }
        });
        Self {
            ended: Some(ended),
            thread: Some(thread),
        }
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        drop(self.ended.take());
        if let Some(thread) = self.thread.take() {
            // It only waits and prints; there is nothing to hear from it.
            thread.join().unwrap_or_default();
        }
    }
}

/// Times of steps, for `--step-times`.
pub struct Steps {
    shown: bool,
    began: Instant,
}

impl Steps {
    /// Starts the clock.
    pub fn new(shown: bool) -> Self {
        Self {
            shown,
            began: Instant::now(),
        }
    }

    /// Ends a step and begins the next.
    pub fn done(&mut self, step: &str) {
        if self.shown {
            let milliseconds = self.began.elapsed().as_secs_f64() * 1e3;
            eprintln!("step: {step} {milliseconds:.1} ms");
        }
        self.began = Instant::now();
    }
}
