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

/// Shows how much of a long step is done, on a terminal's standard error.
pub struct Counted {
    what: &'static str,
    files: u64,
    bytes: u64,
    of: u64,
    began: Instant,
    shown: Option<Instant>,
    silent: bool,
}

impl Counted {
    /// Begins a step that handles about `of` bytes.
    pub fn begin(what: &'static str, of: u64) -> Self {
        Self {
            what,
            files: 0,
            bytes: 0,
            of,
            began: Instant::now(),
            shown: None,
            silent: !std::io::stderr().is_terminal(),
        }
    }

    /// A file of so many bytes is done.
    pub fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
        let due = match self.shown {
            Some(shown) => shown.elapsed() > Duration::from_millis(200),
            None => self.began.elapsed() > Duration::from_secs(1),
        };
        if due && !self.silent {
            eprint!("\r{}\x1b[K", self.text());
            self.shown = Some(Instant::now());
        }
    }

    fn text(&self) -> String {
        let megabytes = |bytes: u64| bytes >> 20;
        format!(
            "{}: {} files, {} of {} MiB",
            self.what,
            self.files,
            megabytes(self.bytes),
            megabytes(self.of)
        )
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.shown.is_some() {
            eprintln!("\r{}\x1b[K", self.text());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_bytes_are_counted() {
        let mut counted = Counted::begin("packing", 3 << 20);
        counted.add(1 << 20);
        counted.add(1 << 19);
        assert_eq!(counted.text(), "packing: 2 files, 1 of 3 MiB");
    }
}
