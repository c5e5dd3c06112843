//! Waiting for several files at once: what poll(2) and select(2) share.
//!
//! It works through all files at each look, as the two calls do; epoll is the one that does not.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::fs::file::OpenFile;
use crate::fs::poll::PollEvents;
use crate::sync::wait::{self, WaitQueue, Woken};
use crate::time::Instant;

/// Events that are reported whether or not they were asked for.
pub const ALWAYS: PollEvents = PollEvents::ERR.union(PollEvents::HUP);

/// One file and the events wanted of it.
pub struct Interest {
    /// The file; `None` for a descriptor that is not open, which reports NVAL.
    pub file: Option<Arc<OpenFile>>,
    /// What to report, beside [`ALWAYS`].
    pub events: PollEvents,
    /// What was found by the last look.
    pub found: PollEvents,
}

impl Interest {
    /// Interest in `events` of `file`.
    pub fn new(file: Option<Arc<OpenFile>>, events: PollEvents) -> Self {
        Self {
            file,
            events,
            found: PollEvents::empty(),
        }
    }

    fn look(&mut self) {
        self.found = match &self.file {
            Some(file) => file.file().poll() & (self.events | ALWAYS),
            None => PollEvents::NVAL,
        };
    }
}

/// How long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// Look once.
    Zero,
    /// Until this moment.
    At(Instant),
    /// For ever.
    Never,
}

impl Timeout {
    /// A timeout that starts now.
    pub fn after(duration: core::time::Duration) -> Self {
        if duration.is_zero() {
            Self::Zero
        } else {
            Self::At(Instant::now().after(duration))
        }
    }

    /// How much of it is left.
    pub fn left(self) -> Option<core::time::Duration> {
        match self {
            Self::Zero => Some(core::time::Duration::ZERO),
            Self::At(deadline) => Some(Instant::now().until(deadline)),
            Self::Never => None,
        }
    }
}

/// Waits until at least one of `interests` has something to report; returns how many have. 0 means
/// that the time is up.
///
/// # Errors
/// `Interrupted` alone: a timeout is a result here.
pub fn wait(interests: &mut [Interest], timeout: Timeout) -> Result<usize, Woken> {
    wait_for(interests, timeout, |interest| interest.found)
}

/// As [`wait`], but `counts` says what of a file's report is worth waking up for.
///
/// # Errors
/// As [`wait`].
pub fn wait_for(
    interests: &mut [Interest],
    timeout: Timeout,
    counts: impl Fn(&Interest) -> PollEvents,
) -> Result<usize, Woken> {
    let look = |interests: &mut [Interest]| look(interests, &counts);
    let count = look(interests);
    let deadline = match timeout {
        _ if count > 0 => return Ok(count),
        Timeout::Zero => return Ok(0),
        Timeout::At(deadline) => Some(deadline),
        Timeout::Never => None,
    };
    let files: Vec<Arc<OpenFile>> = interests
        .iter()
        .filter_map(|one| one.file.clone())
        .collect();
    let queues: Vec<&WaitQueue> = files
        .iter()
        .filter_map(|file| file.file().wait_queue())
        .collect();
    let result = wait::wait_any(&queues, deadline, || {
        Some(look(interests)).filter(|&count| count > 0)
    });
    match result {
        Err(Woken::TimedOut) => Ok(0),
        other => other,
    }
}

fn look(interests: &mut [Interest], counts: &impl Fn(&Interest) -> PollEvents) -> usize {
    let mut ready = 0;
    for interest in interests {
        interest.look();
        ready += usize::from(!counts(interest).is_empty());
    }
    ready
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::file::OpenFlags;
    use crate::fs::pipe;
    use core::time::Duration;

    #[test]
    fn ready_files_are_counted_and_closed_ones_reported() {
        let (reader, writer) = pipe::new();
        let reader = OpenFile::new(reader, OpenFlags::empty());
        let writer = OpenFile::new(writer, OpenFlags::WRONLY);
        let mut interests = [
            Interest::new(Some(reader), PollEvents::IN),
            Interest::new(Some(writer), PollEvents::OUT),
            Interest::new(None, PollEvents::IN),
        ];
        assert_eq!(wait(&mut interests, Timeout::Zero), Ok(2));
        let found = interests.map(|interest| interest.found);
        assert_eq!(
            found,
            [PollEvents::empty(), PollEvents::OUT, PollEvents::NVAL]
        );
    }

    #[test]
    fn time_passes_without_files() {
        let timeout = Timeout::after(Duration::from_millis(2));
        assert_eq!(wait(&mut [], timeout), Ok(0));
        assert_eq!(timeout.left(), Some(Duration::ZERO));
    }

    #[test]
    fn another_thread_ends_the_wait() {
        let (reader, writer) = pipe::new();
        let reader = OpenFile::new(reader, OpenFlags::empty());
        let closer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(5));
            drop(writer);
        });
        let mut interests = [Interest::new(Some(reader), PollEvents::IN)];
        assert_eq!(
            wait(&mut interests, Timeout::after(Duration::from_secs(20))),
            Ok(1)
        );
        assert_eq!(interests[0].found, PollEvents::HUP);
        closer.join().expect("no panic");
    }
}
