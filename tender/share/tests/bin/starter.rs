//! Starts the helper on behalf of a test, or attacks its sandbox from within.
//!
//! `share-under-test start OPTIONS… PATH`: the guest's end of the channel goes to the test through the socket that is
//! standard input, with one line that tells the helper's process and its fences. It then waits until the test closes
//! the socket.
//!
//! `share-under-test attack NAME PATH`: confines itself as the helper does, and makes the call that NAME stands for.

use libos_share::{Config, Ids};
use rustix::fs::{Gid, Uid};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use rustix::process::{Resource, Rlimit};
use std::io::IoSlice;
use std::os::fd::AsFd;
use std::process::ExitCode;

mod attacks;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    match words.next().as_deref() {
        Some("start") => start(words),
        Some("attack") => {
            let (name, path) = (words.next(), words.next());
            attacks::attack(&name.unwrap_or_default(), &path.unwrap_or_default())
        }
        other => panic!("start or attack, found {other:?}"),
    }
}

fn start(words: impl Iterator<Item = String>) -> ExitCode {
    let mut config = Config::new("");
    let mut files = None;
    for word in words {
        let (option, value) = word.split_once('=').unwrap_or((&word, ""));
        match option {
            "ro" => config.read_only = true,
            "consistent" => config.host_changes = true,
            "user" => become_user(value.parse().expect("an id"), &mut config),
            "ids" => {
                let id = value.parse().expect("an id");
                config.ids = Ids::Caller {
                    user: id,
                    group: id,
                };
            }
            "files" => files = value.parse().ok(),
            "size" => limit(Resource::Fsize, value.parse().expect("bytes")),
            _ => config.path = word.into(),
        }
    }
    config.keep_stderr = true;
    if let Some(files) = files {
        limit(Resource::Nofile, files);
    }
    libos_share::disown_children().expect("sigaction");
    match libos_share::start(&config) {
        Ok(started) => {
            hand_over(&started);
            drop(started);
            wait();
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}\n  try: {}", error.advice());
            ExitCode::from(125)
        }
    }
}

fn limit(resource: Resource, most: u64) {
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    rustix::process::setrlimit(resource, limit).expect("a limit");
}

/// An ordinary user, for tests that root runs.
fn become_user(id: u32, config: &mut Config) {
    rustix::thread::set_thread_groups(&[]).expect("setgroups");
    let (user, group) = (Uid::from_raw(id), Gid::from_raw(id));
    rustix::thread::set_thread_res_gid(group, group, group).expect("setresgid");
    rustix::thread::set_thread_res_uid(user, user, user).expect("setresuid");
    // It was lost with the ids: /proc/self would be root's.
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::Dumpable)
        .expect("prctl");
    config.ids = Ids::of_caller();
}

fn hand_over(started: &libos_share::Started) {
    let fences = started.confinement;
    let line = format!(
        "{} {} {} {}",
        started.helper.as_raw_nonzero(),
        fences.namespaces,
        fences.empty_root,
        fences.landlock,
    );
    let mut room = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut room);
    let descriptors = [started.channel.as_fd()];
    assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
    let bytes = [IoSlice::new(line.as_bytes())];
    let (socket, flags) = (rustix::stdio::stdin(), SendFlags::empty());
    rustix::net::sendmsg(socket, &bytes, &mut control, flags).expect("sendmsg");
}

fn wait() {
    let mut byte = [0];
    while !matches!(
        rustix::io::read(rustix::stdio::stdin(), &mut byte[..]),
        Ok(0) | Err(_)
    ) {}
}
