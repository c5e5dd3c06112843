//! The helper's life, its sandbox seen from outside, and attacks on it from within.

mod common;

use common::{Starter, USER, WAIT, eventually, is_alive, is_root, start_refused};
use libos_abi::fuse::messages::{SetattrIn, WriteIn};
use libos_abi::fuse::{ROOT, flags, opcode};
use rustix::io::Errno;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).expect("chmod");
    folder
}

#[test]
fn the_helper_ends_with_the_channel() {
    let folder = folder();
    let (starter, client) = Starter::new(&[], folder.path());
    assert!(is_alive(starter.helper));
    drop(client);
    assert!(
        eventually(|| !is_alive(starter.helper)),
        "still there after {WAIT:?}"
    );
}

#[test]
fn the_helper_ends_with_its_parent_however_that_ends() {
    for kill in [true, false] {
        let folder = folder();
        let (mut starter, client) = Starter::new(&[], folder.path());
        // The channel stays open: the test has it.
        if kill {
            starter.process.kill().expect("a process");
        } else {
            drop(starter.control.take());
        }
        starter.process.wait().expect("a process");
        assert!(
            eventually(|| !is_alive(starter.helper)),
            "still there after {WAIT:?}, killed: {kill}"
        );
        drop(client);
    }
}

#[test]
fn the_guest_sees_the_helper_s_end() {
    let folder = folder();
    let (starter, mut client) = Starter::new(&[], folder.path());
    client.getattr(ROOT).expect("it runs");
    starter.kill_helper();
    assert!(eventually(
        || client.send(opcode::GETATTR, ROOT, &[0; 16]) == Err(Errno::PIPE)
    ));
    // With requests that it had not read, the first answer is ECONNRESET.
    let first = client.receive();
    assert!(
        matches!(first, Err(Errno::PIPE | Errno::CONNRESET)),
        "{first:?}"
    );
    assert_eq!(client.receive(), Err(Errno::PIPE));
}

#[test]
fn what_was_sent_before_the_end_is_done() {
    for parent_ends in [false, true] {
        let folder = folder();
        let (mut starter, mut client) = Starter::new(&[], folder.path());
        let (_, fh) = client
            .create(ROOT, "a", libc::O_RDWR, 0o600)
            .expect("a file");
        for index in 0..200_u64 {
            let wanted = WriteIn {
                fh,
                offset: index * 1000,
                size: 1000,
                ..WriteIn::default()
            };
            let body = [&wanted.to_bytes()[..], &[7; 1000]].concat();
            client.send(opcode::WRITE, 0, &body).expect("sent");
        }
        match parent_ends {
            true => starter.process.kill().expect("a process"),
            false => drop(client),
        }
        assert!(eventually(|| !is_alive(starter.helper)));
        let content = std::fs::read(folder.path().join("a")).expect("a file");
        assert_eq!(content, [7; 200_000], "parent ends: {parent_ends}");
    }
}

#[test]
fn what_cannot_be_shared_is_refused() {
    let folder = folder();
    let missing = start_refused(&[], &folder.path().join("none"));
    assert!(
        missing.contains("none") && missing.contains("mkdir"),
        "{missing}"
    );
    let device = start_refused(&[], Path::new("/dev/null"));
    assert!(device.contains("a character device"), "{device}");
    if is_root() {
        let closed = folder.path().join("closed");
        std::fs::create_dir(&closed).expect("a folder");
        std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o700)).expect("chmod");
        let refused = start_refused(&[&format!("user={USER}")], &closed);
        assert!(
            refused.contains("read and enter") && refused.contains("ls -ld"),
            "{refused}"
        );
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
fn the_helper_has_the_caller_s_rights_and_no_more() {
    let user = format!("user={USER}");
    // CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID.
    let is_any_root = rustix::process::geteuid().is_root();
    let cases: &[(&[&str], &str)] = match (is_root(), is_any_root) {
        (true, _) => &[(&[], "000000000000001b"), (&[&user], "0000000000000000")],
        (false, true) => &[(&[], "000000000000001b")],
        (false, false) => &[(&[], "0000000000000000")],
    };
    for (options, capabilities) in cases {
        let folder = folder();
        let (starter, _client) = Starter::new(options, folder.path());
        for (field, expected) in [
            ("CapEff", *capabilities),
            ("CapPrm", capabilities),
            ("CapInh", "0000000000000000"),
            ("CapAmb", "0000000000000000"),
            ("NoNewPrivs", "1"),
            ("Seccomp", "2"),
        ] {
            assert_eq!(status_field(starter.helper, field), expected, "{field}");
        }
        assert_eq!(starter.namespaces, starter.empty_root, "{options:?}");
        if !starter.namespaces || !is_root() {
            assert!(starter.landlock, "no fence but the filter");
            continue;
        }
        let root = std::fs::read_dir(format!("/proc/{}/root/", starter.helper));
        assert_eq!(root.expect("a directory").count(), 0);
        let mounts = std::fs::read_to_string(format!("/proc/{}/mounts", starter.helper));
        assert_eq!(
            mounts.expect("text").lines().count(),
            1,
            "the empty root alone"
        );
    }
}

#[test]
fn the_helper_holds_nothing_but_the_channel_the_folder_and_a_pipe() {
    if !is_root() {
        eprintln!("SKIPPED: only root can look at the helper's descriptors");
        return;
    }
    let folder = folder();
    let (starter, _client) = Starter::new(&[], folder.path());
    let mut found = Vec::new();
    let holds = eventually(|| {
        let entries = std::fs::read_dir(format!("/proc/{}/fd", starter.helper)).expect("it");
        let links = entries.filter_map(|entry| {
            let path = entry.ok()?.path();
            let number: u32 = path.file_name()?.to_str()?.parse().ok()?;
            (number > 2).then(|| std::fs::read_link(path).ok())?
        });
        found = links
            .map(|link| {
                link.to_string_lossy()
                    .split(':')
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect();
        found.sort();
        found.len() == 4
    });
    assert!(holds, "{found:?}");
    // The folder's mount has no path but its own; both ends of the pipe are the helper's.
    assert_eq!(found, ["/", "pipe", "pipe", "socket"]);
}

#[test]
fn an_ordinary_user_s_files_are_the_guest_s_own() {
    if !is_root() {
        eprintln!("SKIPPED: only root can become another user");
        return;
    }
    for (id, options) in [(USER, vec![]), (0, vec!["ids=0"])] {
        let folder = folder();
        std::fs::write(folder.path().join("root's"), "text").expect("a file");
        std::fs::set_permissions(
            folder.path().join("root's"),
            PermissionsExt::from_mode(0o644),
        )
        .expect("chmod");
        std::fs::write(folder.path().join("closed"), "text").expect("a file");
        std::fs::set_permissions(
            folder.path().join("closed"),
            PermissionsExt::from_mode(0o600),
        )
        .expect("chmod");
        let user = format!("user={USER}");
        let options: Vec<&str> = [user.as_str()].into_iter().chain(options).collect();
        let (_starter, mut client) = Starter::new(&options, folder.path());
        let (entry, _) = client
            .create(ROOT, "own", libc::O_RDWR, 0o4755)
            .expect("a file");
        assert_eq!((entry.attr.uid, entry.attr.gid), (id, id));
        let host = std::fs::metadata(folder.path().join("own")).expect("there");
        assert_eq!((host.uid(), host.gid()), (USER, USER));
        assert_eq!(
            host.mode() & 0o7777,
            0o4755,
            "it runs as the user, who may do so anyway"
        );
        let other = client.lookup(ROOT, "root's").expect("there");
        assert_eq!((other.attr.uid, other.attr.gid), (65_534, 65_534));
        let fh = client
            .open(other.nodeid, libc::O_RDONLY)
            .expect("for everyone");
        assert_eq!(client.read(fh, 0, 10), Ok(b"text".to_vec()));
        assert_eq!(client.open(other.nodeid, libc::O_RDWR), Err(Errno::ACCESS));
        let closed = client.walk("closed").expect("it has a name");
        assert_eq!(client.open(closed, libc::O_RDONLY), Err(Errno::ACCESS));
        let chown = |uid| SetattrIn {
            valid: flags::SET_UID,
            uid,
            ..SetattrIn::default()
        };
        client.setattr(entry.nodeid, chown(id)).expect("no change");
        for other in [id + 1, 65_534] {
            let changed = client.setattr(entry.nodeid, chown(other));
            assert_eq!(changed.err(), Some(Errno::INVAL));
        }
    }
}

#[test]
fn root_makes_files_for_who_asks() {
    if !is_root() {
        eprintln!("SKIPPED: only root can give files away");
        return;
    }
    let folder = folder();
    let own = folder.path().join("group");
    std::fs::create_dir(&own).expect("a folder");
    chown(&own, None, Some(77)).expect("root may");
    std::fs::set_permissions(&own, PermissionsExt::from_mode(0o2777)).expect("chmod");
    let (_starter, mut client) = Starter::new(&[], folder.path());
    (client.user, client.group) = (1234, 5678);
    let (entry, _) = client
        .create(ROOT, "a", libc::O_RDWR, 0o600)
        .expect("a file");
    assert_eq!((entry.attr.uid, entry.attr.gid), (1234, 5678));
    let entry = client.mkdir(ROOT, "d", 0o755).expect("a folder");
    assert_eq!((entry.attr.uid, entry.attr.gid), (1234, 5678));
    let entry = client.symlink(ROOT, "l", "target").expect("a link");
    assert_eq!((entry.attr.uid, entry.attr.gid), (1234, 5678));
    let group = client.walk("group").expect("there");
    let (entry, _) = client
        .create(group, "a", libc::O_RDWR, 0o600)
        .expect("a file");
    assert_eq!(
        (entry.attr.uid, entry.attr.gid),
        (1234, 77),
        "the folder's group"
    );
    let host = std::fs::metadata(folder.path().join("a")).expect("there");
    assert_eq!((host.uid(), host.gid()), (1234, 5678));
}

fn attack(name: &str, path: &Path) -> ExitStatus {
    Command::new(env!("CARGO_BIN_EXE_share-under-test"))
        .args(["attack", name])
        .arg(path)
        .stdin(Stdio::null())
        .status()
        .expect("a program")
}

#[test]
fn calls_that_are_not_in_the_profile_kill_the_helper() {
    let folder = folder();
    for name in [
        "open",
        "openat-other",
        "execve",
        "execveat",
        "ptrace",
        "kill",
        "fork",
        "unshare",
        "setns",
        "mount",
        "chroot",
        "chdir",
        "fchdir",
        "io_uring_setup",
        "bpf",
        "socket",
        "recvmsg",
        "ioctl",
        "setuid",
        "open_by_handle_at",
        "fchownat-path",
        "fcntl-setown",
        "mmap-exec",
        "mprotect-exec",
        "x32",
    ] {
        let status = attack(name, folder.path());
        assert_eq!(status.signal(), Some(libc::SIGSYS), "{name}: {status}");
    }
}

#[test]
fn calls_that_the_filter_cannot_judge_are_the_kernel_s_to_refuse() {
    let folder = folder();
    for name in ["openat-outside", "openat-proc"] {
        let status = attack(name, folder.path());
        assert_eq!(status.code(), Some(1), "{name}: {status}");
    }
    for name in ["umask", "geteuid"] {
        let status = attack(name, folder.path());
        assert_eq!(status.code(), Some(0), "{name}: {status}");
    }
}
