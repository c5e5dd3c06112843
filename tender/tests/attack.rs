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
        let tries = attempt_all(&attacker.path(Mode::Strict), &[Outcome::Killed]);
        println!("strict: {tries} tries, all killed");
        assert!(tries > 4000, "{tries}");
    });
}

#[test]
fn no_door_opens_in_compat_mode() {
    in_a_pid_namespace("no_door_opens_in_compat_mode", || {
        let attacker = Attacker::build();
        let good = [Outcome::Killed, Outcome::Trapped];
        let tries = attempt_all(&attacker.path(Mode::Compat), &good);
        println!("compat: {tries} tries, all trapped or killed");
        assert!(tries > 4000, "{tries}");
    });
}

#[test]
fn in_compat_mode_strays_trap_and_are_not_killed() {
    let attacker = Attacker::build();
    for place in ["stray", "hidden", "stray80"] {
        for number in [0, 1, 39, 231] {
            let outcome = attempt(&attacker.path(Mode::Compat), &words(place, number, &[]));
            assert_eq!(outcome, Outcome::Trapped, "{place} {number}");
        }
    }
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
            let outcome = attempt(&attacker.path(mode), &words("window", number, arguments));
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

fn attempt(image: &Path, words: &Try) -> Outcome {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = attacker::run(&[], image, &words);
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
fn attempt_all(image: &Path, good: &[Outcome]) -> usize {
    let tries = all_tries();
    for words in &tries {
        let outcome = attempt(image, words);
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
    tries.extend(wrong_arguments());
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

/// The seven on handles without the right, and with arguments that no rule admits. The run has
/// console handles 0 to 2, pagemap 3, statm 4, cpuinfo 5.
fn wrong_arguments() -> Vec<Try> {
    let mut tries = Vec::new();
    let every_fd = |rightful: &[i64]| {
        let fds = (-2..20).chain([1000, i64::from(i32::MAX), i64::from(i32::MIN)]);
        let rightful = rightful.to_vec();
        fds.filter(move |fd| !rightful.contains(fd))
    };
    for (number, rightful) in [(0, &[0][..]), (1, &[1, 2]), (17, &[3, 4, 5]), (18, &[])] {
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
    for nfds in ["4", "5", "1024", "2147483648", "4294967295"] {
        tries.push(words("window", 271, &["buffer", nfds, "buffer", "null"]));
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
