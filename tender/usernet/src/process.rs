//! Making the helper process, and tying its life to its parent's.
//!
//! - [`start`]: channel, clone(2), and the answer whether the helper is confined and runs.
//! - [`raw`]: the few calls that no safe wrapper has.
//!
//! The helper ends when the channel does or when the parent dies, which a pidfd tells, whatever comes first; not
//! before hosts have what the guest had sent them, so that PR_SET_PDEATHSIG is not for it. The parent learns of
//! the helper's end by the channel.

mod raw;

pub use raw::disown_children;

use crate::Started;
use crate::channel;
use crate::config::Config;
use crate::confine::{self, Confinement};
use crate::error::StartError;
use crate::helper::{self, Inheritance};
use crate::publish::BoundPort;
use rustix::process::{Pid, PidfdFlags};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// First byte of the helper's answer: it is confined and runs; its [`Confinement`] follows.
const RUNS: u8 = b'R';

/// First byte of the helper's answer: it could not; text follows.
const FAILED: u8 = b'F';

/// Longest answer, in bytes.
const LONGEST_ANSWER: usize = 512;

/// Makes the helper, and waits until it is confined.
///
/// # Errors
/// [`StartError`].
pub fn start(
    config: &Config,
    published: Vec<BoundPort>,
    resolvers: Vec<SocketAddr>,
) -> Result<Started, StartError> {
    refuse_threads()?;
    let (guest_end, helper_end) =
        channel::pair().map_err(|error| system("socketpair(2) of the channel", error))?;
    let (answer, answer_writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .map_err(|error| system("pipe2(2) for the helper's answer", error))?;
    let parent = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty()).ok();
    let addresses = published
        .iter()
        .map(|port| (port.published, port.address))
        .collect();
    let forked = raw::fork_into_namespaces().map_err(|source| StartError::System {
        call: "clone(2) of the helper",
        source,
    })?;
    let Some(helper) = forked.child else {
        let inheritance = Inheritance {
            config: config.clone(),
            channel: helper_end,
            parent,
            published,
            resolvers,
        };
        be_helper(inheritance, answer_writer, forked.namespaces)
    };
    drop((helper_end, answer_writer, published));
    let confinement = read_answer(&answer, helper)?;
    Ok(Started {
        channel: guest_end,
        helper,
        published: addresses,
        confinement,
    })
}

/// clone(2) copies one thread: a lock that another one holds would stay locked in the helper for ever.
fn refuse_threads() -> Result<(), StartError> {
    let threads = std::fs::read_dir("/proc/self/task").map(Iterator::count);
    match threads {
        Ok(count) if count > 1 => Err(StartError::Threads(count)),
        _ => Ok(()),
    }
}

fn system(call: &'static str, error: rustix::io::Errno) -> StartError {
    StartError::System {
        call,
        source: error.into(),
    }
}

/// Everything that the helper does. Never returns to the caller's code, not even by unwinding.
fn be_helper(inheritance: Inheritance, answer: OwnedFd, namespaces: bool) -> ! {
    let run = || match prepare(inheritance, &answer, namespaces) {
        Ok((helper, confinement)) => {
            let _ = rustix::io::write(&answer, &[RUNS, confinement.to_byte()]);
            drop(answer);
            helper.run();
        }
        Err(error) => {
            let mut text = vec![FAILED];
            text.extend(error.to_string().bytes().take(LONGEST_ANSWER - 1));
            let _ = rustix::io::write(&answer, &text);
        }
    };
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    raw::exit(i32::from(ended.is_err()))
}

/// Descriptors first, so that nothing that is opened later is closed; the filter last, because nothing of
/// this may follow it.
fn prepare(
    inheritance: Inheritance,
    answer: &OwnedFd,
    namespaces: bool,
) -> io::Result<(helper::Helper, Confinement)> {
    let mut kept: Vec<RawFd> = vec![answer.as_raw_fd()];
    kept.extend(inheritance.descriptors());
    raw::close_all_but(kept, inheritance.config.keep_stderr)?;
    let _ = rustix::process::setsid();
    let limits = confine::limits::set()?;
    let helper = helper::Helper::new(inheritance, limits)?;
    let confinement = confine::confine(namespaces, helper.parent())?;
    Ok((helper, confinement))
}

fn read_answer(answer: &OwnedFd, helper: Pid) -> Result<Confinement, StartError> {
    let mut bytes = [0; LONGEST_ANSWER];
    let len = loop {
        match rustix::io::read(answer, &mut bytes[..]) {
            Err(rustix::io::Errno::INTR) => {}
            other => {
                break other.map_err(|error| system("read(2) of the helper's answer", error))?;
            }
        }
    };
    let message = match bytes.get(..len) {
        Some([RUNS, confinement, ..]) => return Ok(Confinement::from_byte(*confinement)),
        Some([FAILED, text @ ..]) => String::from_utf8_lossy(text).into_owned(),
        _ => "its end before it was ready".into(),
    };
    // It has ended or is about to; it is this process's child unless children are disowned.
    let _ = rustix::process::waitpid(Some(helper), rustix::process::WaitOptions::empty());
    Err(StartError::Helper(message))
}
