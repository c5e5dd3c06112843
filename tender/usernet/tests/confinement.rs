//! The helper's sandbox: what it is left with, seen from outside; and attacks on it from within.

mod common;

use common::{Starter, eventually};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

fn attack(name: &str) -> ExitStatus {
    Command::new(env!("CARGO_BIN_EXE_usernet-under-test"))
        .args(["attack", name])
        .stdin(Stdio::null())
        .status()
        .expect("a program")
}

#[test]
fn calls_that_are_not_in_the_profile_kill_the_helper() {
    for name in [
        "openat",
        "open",
        "execve",
        "ptrace",
        "process_vm_readv",
        "kill",
        "fork",
        "unshare",
        "io_uring_setup",
        "bpf",
        "read",
        "ioctl",
        "bind",
        "listen",
        "socket-unix",
        "socket-netlink",
        "socket-packet",
        "socket-raw",
        "socket-blocking",
        "accept-blocking",
        "setsockopt-other",
        "mmap-exec",
        "mprotect-exec",
        "x32",
    ] {
        let status = attack(name);
        assert_eq!(status.signal(), Some(libc::SIGSYS), "{name}: {status}");
    }
}

#[test]
fn calls_that_the_helper_needs_are_let_through() {
    for name in ["socket-tcp", "socket-udp6", "mmap", "accept", "connect"] {
        let status = attack(name);
        assert_eq!(status.code(), Some(0), "{name}: {status}");
    }
}

fn status_field(helper: i32, field: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{helper}/status")).expect("a process");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("{field} in {text}"))
        .trim()
        .into()
}

#[test]
fn the_helper_has_no_privilege_left() {
    let starter = Starter::new(&[]);
    for (field, expected) in [
        ("CapEff", "0000000000000000"),
        ("CapPrm", "0000000000000000"),
        ("CapInh", "0000000000000000"),
        ("CapAmb", "0000000000000000"),
        ("NoNewPrivs", "1"),
        ("Seccomp", "2"),
    ] {
        assert_eq!(status_field(starter.helper, field), expected, "{field}");
    }
}

/// Only root may look behind a process that is not dumpable.
fn may_look(helper: i32) -> bool {
    let may = std::fs::read_dir(format!("/proc/{helper}/fd")).is_ok();
    if !may {
        eprintln!("skipped: only root can look at the helper's descriptors and namespaces");
    }
    may
}

#[test]
fn the_helper_is_alone_in_its_namespaces_with_an_empty_root() {
    let starter = Starter::new(&[]);
    if !starter.namespaces || !may_look(starter.helper) {
        assert!(
            starter.landlock || !starter.namespaces,
            "no fence but the filter"
        );
        return;
    }
    for (namespace, is_own) in [
        ("user", true),
        ("mnt", true),
        ("pid", true),
        ("ipc", true),
        ("uts", true),
        ("net", false),
    ] {
        let of = |process: &str| {
            let link = format!("/proc/{process}/ns/{namespace}");
            std::fs::read_link(link).expect("a namespace")
        };
        let differs = of(&starter.helper.to_string()) != of("self");
        assert_eq!(differs, is_own, "{namespace}");
    }
    if starter.empty_root {
        let root = std::fs::read_dir(format!("/proc/{}/root/", starter.helper));
        assert_eq!(root.expect("a directory").count(), 0);
    }
}

/// What a process's descriptors are, those of its console aside, sorted. One that is closed meanwhile is left out.
fn descriptors_of(process: i32) -> Vec<String> {
    let directory = format!("/proc/{process}/fd");
    let entries = std::fs::read_dir(directory).expect("a directory");
    let links = entries.filter_map(|entry| {
        let path = entry.ok()?.path();
        let number: u32 = path.file_name()?.to_str()?.parse().ok()?;
        (number > 2).then(|| std::fs::read_link(path).ok())?
    });
    let kind = |link: std::path::PathBuf| {
        let text = link.to_string_lossy();
        text.split(':').next().unwrap_or_default().to_owned()
    };
    let mut kinds: Vec<String> = links.map(kind).collect();
    kinds.sort();
    kinds
}

#[test]
fn the_helper_holds_nothing_but_sockets() {
    let starter = Starter::new(&["publish=tcp|127.0.0.1|0|80"]);
    if !may_look(starter.helper) {
        return;
    }
    for input_and_output in 0..=1 {
        let path = format!("/proc/{}/fd/{input_and_output}", starter.helper);
        let link = std::fs::read_link(path).expect("a descriptor");
        assert!(link.ends_with("null"), "{input_and_output}: {link:?}");
    }
    // Epoll and the parent's pidfd; channel and port. Until after its answer, which this test may have seen
    // already, the helper also has the answer's pipe.
    let expected = ["anon_inode", "anon_inode", "socket", "socket"];
    let mut kinds = Vec::new();
    let holds = eventually(|| {
        kinds = descriptors_of(starter.helper);
        kinds == expected
    });
    assert!(holds, "{kinds:?}");
}
