//! Calls that no safe wrapper has: clone(2) into namespaces, closing other people's descriptors,
//! SA_NOCLDWAIT, and an end without destructors.

#![allow(unsafe_code)]

use crate::process::Users;
use rustix::process::Pid;
use std::io;
use std::os::fd::RawFd;

/// What clone(2) answered.
pub struct Forked {
    /// The child, in the parent; none in the child.
    pub child: Option<Pid>,
    /// Whether the child has its own mount, PID, IPC, UTS and cgroup namespaces.
    pub namespaces: bool,
}

/// The namespaces of every helper. Not the network's: it is what some are for, and the filter denies it to the others.
const NAMESPACES: libc::c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;

/// Forks, into namespaces of the child's own where the host allows it.
///
/// The child runs on a copy of this thread's stack and memory, as after fork(2), without the handlers of
/// pthread_atfork(3): the caller has seen to it that there is no other thread.
///
/// # Errors
/// That of clone(2) without any namespace.
pub fn fork_into_namespaces(users: Users) -> io::Result<Forked> {
    let all = match users {
        Users::Own => NAMESPACES | libc::CLONE_NEWUSER,
        Users::Callers => NAMESPACES,
        Users::None => 0,
    };
    for (flags, namespaces) in [(all, all != 0), (0, false)] {
        // SAFETY: without CLONE_VM and with a null stack the child has its own copy of everything, as
        // after fork(2); no pointer is passed. There is one thread, so no lock is held in the copy.
        let answer = unsafe { libc::syscall(libc::SYS_clone, flags | libc::SIGCHLD, 0, 0, 0, 0) };
        if answer >= 0 {
            let child = i32::try_from(answer).ok().and_then(Pid::from_raw);
            return Ok(Forked { child, namespaces });
        }
    }
    Err(io::Error::last_os_error())
}

/// Closes every descriptor but those in `kept`; the console's three become `/dev/null`, but for standard error
/// if it is to be kept.
///
/// # Errors
/// That of open(2), dup3(2) or close_range(2).
pub fn close_all_but(mut kept: Vec<RawFd>, keep_stderr: bool) -> io::Result<()> {
    let null = rustix::fs::open(
        "/dev/null",
        rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    )?;
    let last = if keep_stderr {
        libc::STDOUT_FILENO
    } else {
        libc::STDERR_FILENO
    };
    for console in 0..=last {
        if kept.contains(&console) {
            continue;
        }
        // SAFETY: nothing in the helper owns a console descriptor that is not in `kept`.
        if unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&null), console) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    drop(null);
    kept.extend([libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO]);
    kept.sort_unstable();
    let mut next = 0;
    for fd in kept.into_iter().filter_map(|fd| u32::try_from(fd).ok()) {
        if fd > next {
            close_range(next, fd - 1)?;
        }
        next = fd + 1;
    }
    close_range(next, u32::MAX)
}

fn close_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: what lies between kept descriptors belongs to the parent's code, which never runs again
    // in this process.
    if unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Closes a descriptor whose owner is never dropped.
pub fn close(fd: RawFd) {
    // SAFETY: the helper ends without dropping the owner, so the number is not closed twice.
    let _ = unsafe { libc::close(fd) };
}

/// Ends the process at once: no destructor, no handler of atexit(3), which would be the parent's.
pub fn exit(status: i32) -> ! {
    // SAFETY: _exit(2) takes no pointer and does not return.
    unsafe { libc::_exit(status) }
}

/// See [`crate::disown_children`].
///
/// # Errors
/// That of sigaction(2).
pub fn disown_children() -> io::Result<()> {
    // SAFETY: all-zero is a valid sigaction: SIG_DFL, an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = libc::SIG_DFL;
    action.sa_flags = libc::SA_NOCLDWAIT;
    // SAFETY: the call reads `action`, which names no handler, and writes nothing back.
    if unsafe { libc::sigaction(libc::SIGCHLD, &raw const action, std::ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
