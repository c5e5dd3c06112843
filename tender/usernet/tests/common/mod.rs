//! What the tests share: starting a helper, and being its guest.

#![allow(dead_code, unused_imports, reason = "each test file uses a part")]

mod guest;

pub use guest::Guest;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketFlags, SocketType,
};
use std::io::IoSliceMut;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take.
pub const WAIT: Duration = Duration::from_secs(10);

/// A helper, started by a process of its own.
pub struct Starter {
    pub process: Child,
    /// The starter ends when this is closed.
    pub control: Option<OwnedFd>,
    /// The guest's end.
    pub channel: Option<OwnedFd>,
    pub helper: i32,
    pub namespaces: bool,
    pub empty_root: bool,
    pub landlock: bool,
    pub published: Vec<SocketAddr>,
}

impl Starter {
    pub fn new(options: &[&str]) -> Self {
        let flags = SocketFlags::CLOEXEC;
        let (control, other) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
                .expect("a pair");
        let process = command(options)
            .stdin(Stdio::from(other))
            .spawn()
            .expect("a program");
        let (line, channel) = receive(&control);
        let words: Vec<_> = line.split(' ').collect();
        let addresses = words[4].split(',').filter(|word| !word.is_empty());
        Self {
            process,
            control: Some(control),
            channel: Some(channel),
            helper: words[0].parse().expect("a process"),
            namespaces: words[1] == "true",
            empty_root: words[2] == "true",
            landlock: words[3] == "true",
            published: addresses
                .map(|word| word.parse().expect("an address"))
                .collect(),
        }
    }

    /// As a fault of its own would.
    pub fn kill_helper(&self) {
        let helper = rustix::process::Pid::from_raw(self.helper).expect("a process");
        rustix::process::kill_process(helper, rustix::process::Signal::KILL)
            .expect("a process of ours");
    }
}

impl Drop for Starter {
    fn drop(&mut self) {
        drop(self.control.take());
        let _ = self.process.wait();
    }
}

fn command(options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_usernet-under-test"));
    command.arg("start").args(options);
    command
}

/// A start that must fail, and its message.
pub fn start_refused(options: &[&str]) -> String {
    let output = command(options)
        .stdin(Stdio::null())
        .output()
        .expect("a program");
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn receive(control: &OwnedFd) -> (String, OwnedFd) {
    let mut bytes = [0; 1000];
    let mut room = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut room);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let mut vectors = [IoSliceMut::new(&mut bytes)];
    let received =
        rustix::net::recvmsg(control, &mut vectors, &mut ancillary, flags).expect("a message");
    let descriptor = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut rights) => rights.next(),
        _ => None,
    });
    let line = String::from_utf8_lossy(&bytes[..received.bytes]).into_owned();
    (line, descriptor.expect("the starter sends the channel"))
}

/// Whether the process is there and no zombie.
pub fn is_alive(process: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/stat"))
        .is_ok_and(|text| !text.contains(") Z ") && !text.contains(") X "))
}

/// Whether it comes true in time.
pub fn eventually(mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + WAIT;
    while !holds() {
        if Instant::now() > end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}
