//! Making the helper process, and its loop.

use crate::Started;
use crate::channel::{self, Next, Reply, Requests};
use crate::config::{Config, Ids, Root};
use crate::confine::{self, Caller};
use crate::error::StartError;
use crate::server::{Outcome, Server};
use libos_abi::fuse::messages::InHeader;
use libos_helper::Confinement;
use libos_helper::process::{self, Ready, Spec, Surroundings, Users};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, Result};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// How long a lock that is not to be had is left alone, in nanoseconds.
const RETRY_NS: i64 = 5_000_000;

/// Makes the helper, and waits until it is confined.
///
/// # Errors
/// [`StartError`].
pub fn start(config: &Config) -> std::result::Result<Started, StartError> {
    let namespaces = match config.ids {
        Ids::Same => Users::Callers,
        Ids::Caller { .. } => Users::Own,
    };
    match start_in(config, namespaces) {
        // Some hosts give a user namespace in which nothing may be done.
        Err(StartError::Helper(libos_helper::StartError::Helper(text)))
            if text.contains(confine::NO_IDS) =>
        {
            start_in(config, Users::None)
        }
        other => other,
    }
}

fn start_in(config: &Config, users: Users) -> std::result::Result<Started, StartError> {
    let root = config.open()?;
    let (guest_end, helper_end) = channel::pair()
        .map_err(|error| libos_helper::StartError::system("socketpair(2) of the channel", error))?;
    let spec = Spec {
        users,
        kept: vec![helper_end.as_raw_fd(), root.file.as_raw_fd()],
        keep_stderr: config.keep_stderr,
    };
    let caller = Caller::of_this_process();
    let (helper, confinement) = process::start(&spec, |found| {
        prepare(config, root, helper_end, caller, &found, users)
    })?;
    Ok(Started {
        channel: guest_end,
        helper,
        confinement,
    })
}

/// The filter last, because nothing of this may follow it.
fn prepare(
    config: &Config,
    root: Root,
    channel: OwnedFd,
    caller: Caller,
    found: &Surroundings,
    users: Users,
) -> io::Result<Ready> {
    let descriptors = confine::limits::set()?;
    rustix::process::umask(Mode::empty());
    crate::raw::ignore_file_size_signal();
    let own_users = found.namespaces && users == Users::Own;
    if own_users {
        caller.keep_ids()?;
    }
    let own_files = own_files()?;
    let is_directory = root.is_directory;
    let root = match found.namespaces {
        true => confine::alone(config, root.file)?,
        false => root.file,
    };
    let server = Server::new(config, rustix::io::dup(&root)?, descriptors)?;
    let fences = confine::Fences {
        namespaces: found.namespaces,
        root: &root,
        is_directory,
        own_files: &own_files,
        parent: found.parent.as_ref(),
    };
    crate::raw::end_channel_on_terminate(channel.as_raw_fd());
    let confinement = confine::confine(config, &fences)?;
    let requests = Requests::new();
    Ok(Ready {
        confinement,
        run: Box::new(move || run(server, requests, &channel)),
    })
}

/// `/proc/self/fd`, which stays reachable by this when nothing else is.
fn own_files() -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open("/proc/self/fd", flags, Mode::empty())
}

/// See [`crate::process_for_attack`].
///
/// # Errors
/// That of the step that failed.
pub fn confine_this(config: &Config) -> io::Result<Confinement> {
    let root = config.open().map_err(io::Error::other)?;
    confine::limits::set()?;
    let fences = confine::Fences {
        namespaces: false,
        root: &root.file,
        is_directory: root.is_directory,
        own_files: &own_files()?,
        parent: None,
    };
    confine::confine(config, &fences)
}

/// Serves until the guest is gone.
fn run(mut server: Server, mut requests: Requests, channel: &OwnedFd) {
    let mut reply = Reply::new();
    while turn(&mut server, &mut requests, &mut reply, channel).is_ok_and(|more| more) {}
}

/// Everything that has been received, then the next of it. False at the end.
fn turn(
    server: &mut Server,
    requests: &mut Requests,
    reply: &mut Reply,
    channel: &OwnedFd,
) -> Result<bool> {
    loop {
        match requests.next() {
            Next::Request(header, place) => {
                let body = requests.bytes(place);
                serve(server, &header, body, reply, channel);
            }
            Next::TooLong(header) => {
                send(channel, reply.finish(header.unique, Err(Errno::TOOBIG)));
            }
            Next::Incomplete => break,
        }
    }
    while server.has_waiting() {
        for (unique, outcome) in server.retry() {
            reply.clear();
            send(channel, reply.finish(unique, outcome));
        }
        if has_input(channel)? {
            break;
        }
    }
    Ok(requests.receive(channel)? > 0)
}

fn serve(
    server: &mut Server,
    header: &InHeader,
    body: &[u8],
    reply: &mut Reply,
    channel: &OwnedFd,
) {
    reply.clear();
    match server.serve(header, body, reply) {
        Outcome::Reply(outcome) => send(channel, reply.finish(header.unique, outcome)),
        Outcome::Piped(piped) => {
            let (before, behind) = reply.finish_around(header.unique, piped);
            send(channel, before);
            let _ = server.send_piped(channel, piped);
            send(channel, behind);
        }
        Outcome::Silence | Outcome::Later => {}
    }
}

/// A guest that is gone takes no answer. What it had asked for before is done all the same: it may have been told that it
/// is written.
fn send(channel: &OwnedFd, message: &[u8]) {
    let _ = channel::send(channel, message);
}

/// Waits a moment for more requests.
fn has_input(channel: &OwnedFd) -> Result<bool> {
    let mut polled = [PollFd::new(channel, PollFlags::IN)];
    let moment = Timespec {
        tv_sec: 0,
        tv_nsec: RETRY_NS,
    };
    match rustix::event::poll(&mut polled, Some(&moment)) {
        Err(Errno::INTR) => Ok(false),
        ready => Ok(ready? > 0),
    }
}
