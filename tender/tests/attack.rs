//! The attacker in the libOS's place tries every door; none opens.
//!
//! Each try is a run of its own, because in strict mode none survives one. All of them happen inside a
//! PID namespace: if a door did open, kill(2) would find nobody outside.

mod common;

use common::attacker::{self, Attacker};
use libos_abi::hypercall::Hypercall;
use libos_abi::manifest::Mode;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

/// Set in the copy of this test that runs inside the namespace.
const INSIDE: &str = "LIBOS_TENDER_ATTACK_INSIDE";

/// `__X32_SYSCALL_BIT`.
const X32: u64 = 0x4000_0000;

/// Highest number that is tried; the kernel's table ends well below.
const LAST: u64 = 600;

/// uretprobe (Linux 6.14) and uprobe (6.17) pass every seccomp filter, because the kernel's own breakpoint
/// trampolines make them. From anywhere else the kernel does nothing but refuse: SIGILL, and ENXIO.
const EXEMPT: [(u64, Outcome); 2] = [
    (335, Outcome::Illegal),
    (336, Outcome::Returned(-(libc::ENXIO as i64))),
];

/// One try: the attacker's words.
type Try = Vec<String>;

#[test]
fn no_door_opens_in_strict_mode() {
    in_a_pid_namespace("no_door_opens_in_strict_mode", || {
        let attacker = Attacker::build();
        let image = attacker.path(Mode::Strict);
        let tries = attempt_all(&[], &image, &[Outcome::Killed], &all_tries());
        println!("strict: {tries} tries, all killed");
        assert!(tries > 4000, "{tries}");
    });
}

#[test]
fn no_door_opens_in_compat_mode() {
    in_a_pid_namespace("no_door_opens_in_compat_mode", || {
        let attacker = Attacker::build();
        let good = [Outcome::Killed, Outcome::Trapped];
        let tries = attempt_all(&[], &attacker.path(Mode::Compat), &good, &all_tries());
        println!("compat: {tries} tries, all trapped or killed");
        assert!(tries > 4000, "{tries}");
    });
}

#[test]
fn in_compat_mode_strays_trap_and_are_not_killed() {
    let attacker = Attacker::build();
    for place in ["stray", "hidden", "stray80"] {
        for number in [0, 1, 39, 231] {
            let image = attacker.path(Mode::Compat);
            let outcome = attempt(&[], &image, &words(place, number, &[]));
            assert_eq!(outcome, Outcome::Trapped, "{place} {number}");
        }
    }
}

/// A network's handle can be read, written and waited for; nothing that makes a socket of it opens.
#[test]
fn a_network_opens_no_other_door() {
    in_a_pid_namespace("a_network_opens_no_other_door", || {
        let attacker = Attacker::build();
        let options = ["--net", "user"];
        let mut tries = wrong_arguments(&WITH_NETWORK);
        // ioctl, socket, connect, sendto, recvfrom, sendmsg, recvmsg, shutdown, bind, setsockopt, getsockopt, dup,
        // sendmmsg, recvmmsg, splice, writev, readv.
        for number in [
            16, 41, 42, 44, 45, 46, 47, 48, 49, 54, 55, 32, 307, 299, 275, 20, 19,
        ] {
            tries.push(words("window", number, &["3", "buffer", "8", "null"]));
        }
        for mode in [Mode::Strict, Mode::Compat] {
            let good: &[Outcome] = match mode {
                Mode::Strict => &[Outcome::Killed],
                Mode::Compat => &[Outcome::Killed, Outcome::Trapped],
            };
            let image = attacker.path(mode);
            let count = attempt_all(&options, &image, good, &tries);
            assert!(count > 100, "{count}");
            let frame = words("window", 1, &["3", "buffer", "64"]);
            assert_eq!(attempt(&options, &image, &frame), Outcome::Returned(64));
            let nothing = words("window", 0, &["3", "buffer", "64"]);
            let outcome = attempt(&options, &image, &nothing);
            // The router may have announced itself already.
            assert!(
                matches!(outcome, Outcome::Returned(-11 | 1..)),
                "{outcome:?}"
            );
        }
    });
}

/// A disk's handles can be read and written at a position, as far as each may, and nothing else.
#[test]
fn a_disk_opens_no_other_door() {
    in_a_pid_namespace("a_disk_opens_no_other_door", || {
        let attacker = Attacker::build();
        let file = |name| {
            let path = attacker.directory().join(name);
            std::fs::write(&path, [0; 4096]).expect("a writable directory");
            path.display().to_string()
        };
        let disks = [format!("a={}", file("a")), format!("b={},ro", file("b"))];
        let options = ["--block", &disks[0], "--block", &disks[1]];
        // read, write of each; pwrite to the read-only one, pread of the durable one, among others.
        let mut tries = wrong_arguments(&WITH_DISKS);
        // lseek, ioctl, fsync, fdatasync, ftruncate, preadv, pwritev, fallocate, sync_file_range, mmap, fcntl, preadv2, pwritev2.
        for number in [8, 16, 74, 75, 77, 295, 296, 285, 277, 9, 72, 327, 328] {
            for fd in ["3", "4", "5"] {
                tries.push(words("window", number, &[fd, "0", "8", "0"]));
            }
        }
        for mode in [Mode::Strict, Mode::Compat] {
            let good: &[Outcome] = match mode {
                Mode::Strict => &[Outcome::Killed],
                Mode::Compat => &[Outcome::Killed, Outcome::Trapped],
            };
            let image = attacker.path(mode);
            let count = attempt_all(&options, &image, good, &tries);
            assert!(count > 100, "{count}");
            for (number, fd) in [(17, "3"), (18, "3"), (18, "4"), (17, "5")] {
                let rightful = words("window", number, &[fd, "buffer", "512", "512"]);
                let outcome = attempt(&options, &image, &rightful);
                assert_eq!(outcome, Outcome::Returned(512), "{number} {fd}");
            }
        }
    });
}

/// The attacker's own doors work: without this, a program that never gets to try would pass.
#[test]
fn the_seven_are_served_from_the_window() {
    let attacker = Attacker::build();
    for mode in [Mode::Strict, Mode::Compat] {
        for (number, arguments, result) in [
            (0, &["0", "buffer", "1"][..], 0),
            (1, &["1", "buffer", "0"][..], 0),
            (17, &["4", "buffer", "1", "0"][..], 1),
            (228, &["1", "buffer"][..], 0),
            (271, &["buffer", "0", "buffer", "null"][..], 0),
        ] {
            let words = words("window", number, arguments);
            let outcome = attempt(&[], &attacker.path(mode), &words);
            assert_eq!(
                outcome,
                Outcome::Returned(result),
                "{mode:?} {number} {arguments:?}"
            );
        }
        let output = attacker::run(&[], &attacker.path(mode), &["window", "231", "5"]);
        assert_eq!(output.status.code(), Some(5));
    }
}

/// Runs `test` in a copy of this process that is process 2 of a PID namespace.
fn in_a_pid_namespace(name: &str, test: impl Fn()) {
    if std::env::var_os(INSIDE).is_some() {
        return test();
    }
    // SAFETY: geteuid reads this process's user.
    let user_namespace: &[&str] = if unsafe { libc::geteuid() } == 0 {
        &[]
    } else {
        &["--map-root-user"]
    };
    let status = Command::new("unshare")
        .args(user_namespace)
        .args(["--fork", "--pid", "--kill-child"])
        .arg(std::env::current_exe().expect("a running test"))
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .expect("unshare(1) of util-linux is needed for this test");
    assert!(
        status.success(),
        "inside the namespace (is unshare permitted here?): {status}"
    );
}

/// What became of a try.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// SIGSYS ended the process.
    Killed,
    /// SIGSYS reached the image's handler.
    Trapped,
    /// The kernel answered with SIGILL.
    Illegal,
    /// The call came back.
    Returned(i64),
    /// None of these.
    Other(String),
}

fn attempt(options: &[&str], image: &Path, words: &Try) -> Outcome {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = attacker::run(options, image, &words);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.signal() == Some(libc::SIGSYS) {
        return Outcome::Killed;
    }
    if output.status.code() == Some(91) && text == format!("signal {}\n", libc::SIGSYS) {
        return Outcome::Trapped;
    }
    if output.status.code() == Some(91) && text == format!("signal {}\n", libc::SIGILL) {
        return Outcome::Illegal;
    }
    match (output.status.code(), text.trim().parse()) {
        (Some(90), Ok(result)) => Outcome::Returned(result),
        _ => Outcome::Other(format!("{output:?}")),
    }
}

/// Makes all tries; each must end in one of the `good` ways. Answers with their number.
fn attempt_all(options: &[&str], image: &Path, good: &[Outcome], tries: &[Try]) -> usize {
    for words in tries {
        let outcome = attempt(options, image, words);
        let is_exempt = |(number, refusal): &(u64, Outcome)| {
            words[1] == number.to_string() && outcome == *refusal
        };
        let is_good = good.contains(&outcome) || EXEMPT.iter().any(is_exempt);
        assert!(is_good, "{words:?}: {outcome:?}");
    }
    tries.len()
}

fn words(place: &str, number: u64, arguments: &[&str]) -> Try {
    let mut words = vec![place.to_owned(), number.to_string()];
    words.extend(arguments.iter().map(|&argument| argument.to_owned()));
    words
}

fn all_tries() -> Vec<Try> {
    let is_one_of_the_seven = |number: u64| {
        Hypercall::ALL
            .iter()
            .any(|call| u64::from(call.number()) == number)
    };
    let mut tries = Vec::new();
    for number in 0..=LAST {
        if !is_one_of_the_seven(number) {
            tries.push(words("window", number, &[]));
        }
        for place in ["stray", "hidden", "int80", "stray80"] {
            tries.push(words(place, number, &[]));
        }
        for place in ["window", "stray"] {
            tries.push(words(place, number | X32, &[]));
        }
    }
    tries.extend(wrong_arguments(&BARE));
    // Numbers out of every table, negative ones, and open(2) with bits that the kernel leaves out.
    for number in [
        601,
        1000,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        (1 << 32) | 2,
        u64::MAX >> 1,
    ] {
        tries.push(words("window", number, &[]));
    }
    tries
}

/// The handles of a run.
struct Run {
    readable: &'static [i64],
    writable: &'static [i64],
    preadable: &'static [i64],
    pwritable: &'static [i64],
    /// More than there are to be waited for.
    too_many: u32,
}

/// Console handles 0 to 2, pagemap 3, statm 4, cpuinfo 5.
const BARE: Run = Run {
    readable: &[0],
    writable: &[1, 2],
    preadable: &[3, 4, 5],
    pwritable: &[],
    too_many: 4,
};

/// A network at 3, what was there behind it.
const WITH_NETWORK: Run = Run {
    readable: &[0, 3],
    writable: &[1, 2, 3],
    preadable: &[4, 5, 6],
    pwritable: &[],
    too_many: 5,
};

/// A disk at 3, for durable writes at 4; a read-only one at 5; what was there behind them.
const WITH_DISKS: Run = Run {
    readable: &[0],
    writable: &[1, 2],
    preadable: &[3, 5, 6, 7, 8],
    pwritable: &[3, 4],
    too_many: 4,
};

/// The seven on handles without the right, and with arguments that no rule admits.
fn wrong_arguments(run: &Run) -> Vec<Try> {
    let mut tries = Vec::new();
    let every_fd = |rightful: &[i64]| {
        let fds = (-2..20).chain([1000, i64::from(i32::MAX), i64::from(i32::MIN)]);
        let rightful = rightful.to_vec();
        fds.filter(move |fd| !rightful.contains(fd))
    };
    for (number, rightful) in [
        (0, run.readable),
        (1, run.writable),
        (17, run.preadable),
        (18, run.pwritable),
    ] {
        for fd in every_fd(rightful) {
            tries.push(words(
                "window",
                number,
                &[&fd.to_string(), "buffer", "1", "0"],
            ));
        }
    }
    for clock in (-16..0).chain(8..11).chain(12..32) {
        tries.push(words("window", 228, &[&clock.to_string(), "buffer"]));
    }
    for nfds in [run.too_many, run.too_many + 1, 1024, 1 << 31, u32::MAX] {
        let nfds = nfds.to_string();
        tries.push(words("window", 271, &["buffer", &nfds, "buffer", "null"]));
    }
    tries.push(words(
        "window",
        271,
        &["buffer", "1", "buffer", "buffer", "8"],
    ));
    tries.push(words(
        "window",
        271,
        &["buffer", "0", "buffer", "4294967296", "8"],
    ));
    tries
}
