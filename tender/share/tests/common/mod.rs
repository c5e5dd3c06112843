//! What the tests share: starting a helper, and being its guest.

#![allow(dead_code, unused_imports, reason = "each test file uses a part")]

pub mod client;
pub mod files;
pub mod scene;

pub use client::Client;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketFlags, SocketType,
};
use std::io::IoSliceMut;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take.
pub const WAIT: Duration = Duration::from_secs(10);

/// The user of tests that need an ordinary one.
pub const USER: u32 = 12_345;

/// Whether this is run by root, who can become others: that of a user namespace can not.
pub fn is_root() -> bool {
    let users = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let knows_all = users.split_ascii_whitespace().eq(["0", "0", "4294967295"]);
    rustix::process::geteuid().is_root() && knows_all
}

/// A helper, started by a process of its own.
pub struct Starter {
    pub process: Child,
    /// The starter ends when this is closed.
    pub control: Option<OwnedFd>,
    pub helper: i32,
    pub namespaces: bool,
    pub empty_root: bool,
    pub landlock: bool,
}

impl Starter {
    pub fn new(options: &[&str], path: &Path) -> (Self, Client) {
        let flags = SocketFlags::CLOEXEC;
        let (control, other) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
                .expect("a pair");
        let process = command(options, path)
            .stdin(Stdio::from(other))
            .spawn()
            .expect("a program");
        let (line, channel) = receive(&control);
        let words: Vec<_> = line.split(' ').collect();
        let starter = Self {
            process,
            control: Some(control),
            helper: words[0].parse().expect("a process"),
            namespaces: words[1] == "true",
            empty_root: words[2] == "true",
            landlock: words[3] == "true",
        };
        (starter, Client::new(channel))
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

fn command(options: &[&str], path: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_share-under-test"));
    command.arg("start").args(options).arg(path);
    command
}

/// A start that must fail, and its message.
pub fn start_refused(options: &[&str], path: &Path) -> String {
    let output = command(options, path)
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
