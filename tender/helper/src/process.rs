//! Making a helper process, and tying its life to its parent's.
//!
//! - [`start`]: clone(2), and the answer whether the helper is confined and runs.
//! - [`crate::raw`]: the few calls that no safe wrapper has.
//!
//! A helper ends when its channel does or when the parent dies, which a pidfd tells, whatever comes first. The parent
//! learns of the helper's end by the channel.

use crate::confine::Confinement;
use crate::error::StartError;
use crate::raw;
use rustix::process::{Pid, PidfdFlags};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// First byte of the helper's answer: it is confined and runs; its [`Confinement`] follows.
const RUNS: u8 = b'R';

/// First byte of the helper's answer: it could not; text follows.
const FAILED: u8 = b'F';

/// Longest answer, in bytes.
const LONGEST_ANSWER: usize = 512;

/// Whose user namespace a helper lives in, if the host allows namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Users {
    /// One of its own: its capabilities reach nothing that was there before.
    Own,
    /// The caller's: what the caller's capabilities reach. The other namespaces then need CAP_SYS_ADMIN.
    Callers,
    /// The caller's, and no other namespace of its own either.
    None,
}

/// What a helper is given.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Its user namespace.
    pub users: Users,
    /// Descriptors that stay open, beside those of this module.
    pub kept: Vec<RawFd>,
    /// Whether standard error stays the caller's; else it is `/dev/null`, as input and output are.
    pub keep_stderr: bool,
}

/// What the new process finds.
#[derive(Debug)]
pub struct Surroundings {
    /// Whether it has its own mount, PID, IPC, UTS and cgroup namespaces, and that of users as asked for.
    pub namespaces: bool,
    /// The parent, as a pidfd that becomes readable when it ends; none if the kernel has none.
    pub parent: Option<OwnedFd>,
}

/// A helper that is confined: which fences stand, and what it does from here to its end.
pub struct Ready {
    /// The optional fences.
    pub confinement: Confinement,
    /// Everything that is left to do.
    pub run: Box<dyn FnOnce()>,
}

/// Makes a helper that does `prepare` and then what that returns, and waits until it is confined. The parent
/// drops `prepare`, with all descriptors that it holds.
///
/// # Errors
/// [`StartError`].
pub fn start(
    spec: &Spec,
    prepare: impl FnOnce(Surroundings) -> io::Result<Ready>,
) -> Result<(Pid, Confinement), StartError> {
    refuse_threads()?;
    let (answer, answer_writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .map_err(|error| StartError::system("pipe2(2) for the helper's answer", error))?;
    let parent = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty()).ok();
    let forked = raw::fork_into_namespaces(spec.users)
        .map_err(|error| StartError::system("clone(2) of the helper", error))?;
    let Some(helper) = forked.child else {
        let surroundings = Surroundings {
            namespaces: forked.namespaces,
            parent,
        };
        be_helper(spec, &answer_writer, surroundings, prepare)
    };
    drop((answer_writer, prepare));
    let confinement = read_answer(&answer, helper)?;
    Ok((helper, confinement))
}

/// clone(2) copies one thread: a lock that another one holds would stay locked in the helper for ever.
fn refuse_threads() -> Result<(), StartError> {
    let threads = std::fs::read_dir("/proc/self/task").map(Iterator::count);
    match threads {
        Ok(count) if count > 1 => Err(StartError::Threads(count)),
        _ => Ok(()),
    }
}

/// Everything that the helper does. Never returns to the caller's code, not even by unwinding.
fn be_helper(
    spec: &Spec,
    answer: &OwnedFd,
    surroundings: Surroundings,
    prepare: impl FnOnce(Surroundings) -> io::Result<Ready>,
) -> ! {
    let run =
        || match close_others(spec, answer, &surroundings).and_then(|()| prepare(surroundings)) {
            Ok(Ready { confinement, run }) => {
                let _ = rustix::io::write(answer, &[RUNS, confinement.to_byte()]);
                // Nobody else owns it in this process, which ends without destructors.
                raw::close(answer.as_raw_fd());
                run();
            }
            Err(error) => {
                let mut text = vec![FAILED];
                text.extend(error.to_string().bytes().take(LONGEST_ANSWER - 1));
                let _ = rustix::io::write(answer, &text);
            }
        };
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    raw::exit(i32::from(ended.is_err()))
}

/// First of all, so that nothing that is opened later is closed.
fn close_others(spec: &Spec, answer: &OwnedFd, surroundings: &Surroundings) -> io::Result<()> {
    let mut kept = spec.kept.clone();
    kept.push(answer.as_raw_fd());
    kept.extend(surroundings.parent.iter().map(AsRawFd::as_raw_fd));
    raw::close_all_but(kept, spec.keep_stderr)?;
    let _ = rustix::process::setsid();
    Ok(())
}

fn read_answer(answer: &OwnedFd, helper: Pid) -> Result<Confinement, StartError> {
    let mut bytes = [0; LONGEST_ANSWER];
    let len = loop {
        match rustix::io::read(answer, &mut bytes[..]) {
            Err(rustix::io::Errno::INTR) => {}
            other => {
                let call = "read(2) of the helper's answer";
                break other.map_err(|error| StartError::system(call, error))?;
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
