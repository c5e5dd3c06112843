//! Every rule of both profiles: admitted once, refused with wrong arguments, and needed.
//!
//! Each verdict is the kernel's: a child puts the filter in force, makes one raw call, and its wait
//! status tells. The handles have descriptors that are not open, so an admitted call comes back with
//! EBADF and does nothing.

use libos_abi::handle::HandleKind;
use libos_abi::manifest::Mode;
use libos_tender::confine::disassemble::disassemble;
use libos_tender::confine::filter::{self, Program};
use libos_tender::confine::origin::{Origins, Window};
use libos_tender::confine::profile::{Grant, Profile, Rule};
use std::arch::naked_asm;

/// Descriptor of the handle of a kind, in these tests.
const fn fd_of(kind: HandleKind) -> u32 {
    100 + kind as u32
}

/// A descriptor that is nobody's.
const FOREIGN: u64 = 199;

const IN: u64 = fd_of(HandleKind::ConsoleIn) as u64;
const OUT: u64 = fd_of(HandleKind::ConsoleOut) as u64;
const ERR: u64 = fd_of(HandleKind::ConsoleErr) as u64;
const LOG: u64 = fd_of(HandleKind::Log) as u64;
const REPORT: u64 = fd_of(HandleKind::Report) as u64;
const PAGEMAP: u64 = fd_of(HandleKind::Pagemap) as u64;
const STATM: u64 = fd_of(HandleKind::Statm) as u64;
const CPUINFO: u64 = fd_of(HandleKind::CpuInfo) as u64;
const NET: u64 = fd_of(HandleKind::Net) as u64;
const SHARE: u64 = fd_of(HandleKind::Share) as u64;
const BLOCK: u64 = fd_of(HandleKind::Block) as u64;
const BLOCK_RO: u64 = fd_of(HandleKind::BlockReadOnly) as u64;
const BLOCK_SYNC: u64 = fd_of(HandleKind::BlockSync) as u64;

/// Not 0 in its upper half alone.
const HIGH: u64 = 1 << 32;

/// What a rule admits, and near misses that nothing admits.
struct Case {
    call: &'static str,
    subject: &'static str,
    admitted: [u64; 4],
    refused: &'static [[u64; 4]],
}

const fn case(
    call: &'static str,
    subject: &'static str,
    admitted: [u64; 4],
    refused: &'static [[u64; 4]],
) -> Case {
    Case {
        call,
        subject,
        admitted,
        refused,
    }
}

const fn first(argument: u64) -> [u64; 4] {
    [argument, 0, 0, 0]
}

const NOT_READ: &[[u64; 4]] = &[
    first(OUT),
    first(LOG),
    first(PAGEMAP),
    first(0),
    first(FOREIGN),
    first(OUT | HIGH),
    first(BLOCK),
    first(BLOCK_RO),
    first(BLOCK_SYNC),
];
const NOT_WRITE: &[[u64; 4]] = &[
    first(IN),
    first(PAGEMAP),
    first(1),
    first(2),
    first(FOREIGN),
    first(u64::MAX),
    first(BLOCK),
    first(BLOCK_RO),
    first(BLOCK_SYNC),
];
const NOT_PREAD: &[[u64; 4]] = &[
    first(IN),
    first(NET),
    first(SHARE),
    first(OUT),
    first(REPORT),
    first(0),
    first(FOREIGN),
    first(BLOCK_SYNC),
];
const NOT_PWRITE: &[[u64; 4]] = &[
    first(NET),
    first(SHARE),
    first(PAGEMAP),
    first(STATM),
    first(CPUINFO),
    first(OUT),
    first(FOREIGN),
    first(BLOCK_RO),
];
// CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM, CLOCK_SGI_CYCLE, past the end, init's CPU time (negative),
// the clock device at descriptor 3 (negative).
const NOT_CLOCK: &[[u64; 4]] = &[
    first(8),
    first(9),
    first(10),
    first(12),
    first(!1 << 3 | 2),
    first(!3 << 3 | 3),
    first(0x8000_0000),
];
const NOT_POLL: &[[u64; 4]] = &[
    [0, 6, 0, 0],
    [0, 0x8000_0000, 0, 0],
    [0, 0xffff_ffff, 0, 0],
    [0, 4, 0, 0x1000],
    [0, 4, 0, HIGH],
    [0, 6, 0, 0x1000],
];

/// One line for each rule of a run that has every kind of handle.
const CASES: &[Case] = &[
    case("read", "console-in", first(IN), NOT_READ),
    case("read", "net", first(NET), NOT_READ),
    case("write", "net", first(NET), NOT_WRITE),
    case("read", "share", first(SHARE), NOT_READ),
    case("write", "share", first(SHARE), NOT_WRITE),
    case("write", "console-out", first(OUT), NOT_WRITE),
    case("write", "console-err", first(ERR), NOT_WRITE),
    case("write", "log", first(LOG), NOT_WRITE),
    case("write", "report", first(REPORT), NOT_WRITE),
    case("pread64", "pagemap", first(PAGEMAP), NOT_PREAD),
    case("pread64", "statm", first(STATM), NOT_PREAD),
    case("pread64", "cpuinfo", first(CPUINFO), NOT_PREAD),
    case("pread64", "block", first(BLOCK), NOT_PREAD),
    case("pread64", "block-read-only", first(BLOCK_RO), NOT_PREAD),
    case("pwrite64", "block", first(BLOCK), NOT_PWRITE),
    case("pwrite64", "block-sync", first(BLOCK_SYNC), NOT_PWRITE),
    case("clock_gettime", "CLOCK_REALTIME", first(0), NOT_CLOCK),
    case("clock_gettime", "CLOCK_MONOTONIC", first(1), NOT_CLOCK),
    case(
        "clock_gettime",
        "CLOCK_PROCESS_CPUTIME_ID",
        first(2),
        NOT_CLOCK,
    ),
    case(
        "clock_gettime",
        "CLOCK_THREAD_CPUTIME_ID",
        first(3),
        NOT_CLOCK,
    ),
    case("clock_gettime", "CLOCK_MONOTONIC_RAW", first(4), NOT_CLOCK),
    case(
        "clock_gettime",
        "CLOCK_REALTIME_COARSE",
        first(5),
        NOT_CLOCK,
    ),
    case(
        "clock_gettime",
        "CLOCK_MONOTONIC_COARSE",
        first(6),
        NOT_CLOCK,
    ),
    case("clock_gettime", "CLOCK_BOOTTIME", first(7), NOT_CLOCK),
    case("clock_gettime", "CLOCK_TAI", first(11), NOT_CLOCK),
    // A set at a bad address: EFAULT, and no waiting.
    case("ppoll", "", [8, 4, 0, 0], NOT_POLL),
    case("exit_group", "", first(FINISHED), &[]),
];

fn grants() -> Vec<Grant> {
    let kinds = HandleKind::ALL.into_iter().map(|kind| Grant {
        name: kind.name(),
        fd: fd_of(kind),
        rights: kind.rights(),
    });
    kinds.collect()
}

fn profile(mode: Mode) -> Profile {
    Profile::of(mode).expect("a well-formed profile")
}

fn rules(mode: Mode) -> Vec<Rule> {
    profile(mode)
        .expand(&grants())
        .expect("a well-formed profile")
}

fn program(mode: Mode, rules: &[Rule]) -> Program {
    let start = window_call as *const () as u64;
    let origins = Origins {
        hypercall: Window::new(start, WINDOW_LEN).expect("code in one block of 4 GiB"),
        vdso: None,
    };
    filter::program(profile(mode).default_action, rules, &origins).expect("compiles")
}

/// Longer than `window_call`, and shorter than the distance to another `syscall` that is made here.
const WINDOW_LEN: u64 = 27;

/// `syscall(number, arguments…)`, from the window that the filters of these tests admit.
#[unsafe(naked)]
extern "C" fn window_call(number: u64, a: u64, b: u64, c: u64, d: u64) -> i64 {
    naked_asm!(
        "mov rax, rdi",
        "mov rdi, rsi",
        "mov rsi, rdx",
        "mov rdx, rcx",
        "mov r10, r8",
        "xor r8d, r8d",
        "xor r9d, r9d",
        "syscall",
        "ret",
    )
}

/// The same from outside of the window.
#[unsafe(naked)]
extern "C" fn stray_call(number: u64, a: u64, b: u64, c: u64, d: u64) -> i64 {
    naked_asm!(
        "mov rax, rdi",
        "mov rdi, rsi",
        "mov rsi, rdx",
        "mov rdx, rcx",
        "mov r10, r8",
        "xor r8d, r8d",
        "xor r9d, r9d",
        "syscall",
        "ret",
    )
}

/// Exit status of a child whose call came back.
const FINISHED: u64 = 42;
const EXIT_GROUP: u64 = 231;

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Admitted,
    Refused,
    Other(i32),
}

type Call = extern "C" fn(u64, u64, u64, u64, u64) -> i64;

/// What becomes of a child that makes `number(arguments)` under `program`. It ends through the exit
/// that the filter admits, so `program` must admit that.
fn verdict(program: &Program, call: Call, number: u64, arguments: [u64; 4]) -> Verdict {
    let filter = libc::sock_fprog {
        len: u16::try_from(program.len()).expect("short"),
        filter: program.as_ptr().cast_mut().cast(),
    };
    // SAFETY: the child makes only raw calls, which is all that a child of a threaded process may do.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork");
    if child == 0 {
        // SAFETY: prctl and seccomp confine this child; the filter outlives the calls.
        unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                0,
                &raw const filter,
            );
        }
        let [a, b, c, d] = arguments;
        call(number, a, b, c, d);
        window_call(EXIT_GROUP, FINISHED, 0, 0, 0);
    }
    let mut status = 0;
    // SAFETY: waits for the child made above.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    if libc::WIFEXITED(status) && u64::try_from(libc::WEXITSTATUS(status)) == Ok(FINISHED) {
        Verdict::Admitted
    } else if libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGSYS {
        Verdict::Refused
    } else {
        Verdict::Other(status)
    }
}

fn case_of(rule: &Rule) -> &'static Case {
    CASES
        .iter()
        .find(|case| case.call == rule.call && case.subject == rule.subject)
        .unwrap_or_else(|| panic!("no test needs the rule {rule:?}: remove it, or add a case"))
}

fn each_mode_and_rule(mut test: impl FnMut(Mode, &[Rule], &Rule, &Case)) {
    for mode in [Mode::Strict, Mode::Compat] {
        let rules = rules(mode);
        for rule in &rules {
            test(mode, &rules, rule, case_of(rule));
        }
    }
}

#[test]
fn each_case_belongs_to_a_rule_of_both_profiles() {
    for mode in [Mode::Strict, Mode::Compat] {
        let rules = rules(mode);
        assert_eq!(rules.len(), CASES.len(), "{mode:?}");
        for case in CASES {
            let mut same = rules
                .iter()
                .filter(|rule| case.call == rule.call && case.subject == rule.subject);
            assert!(
                same.next().is_some(),
                "{mode:?} has no rule for {} {}",
                case.call,
                case.subject
            );
        }
    }
}

#[test]
fn each_rule_admits_its_call() {
    each_mode_and_rule(|mode, rules, rule, case| {
        let program = program(mode, rules);
        let verdict = verdict(&program, window_call, u64::from(rule.number), case.admitted);
        assert_eq!(
            verdict,
            Verdict::Admitted,
            "{mode:?}: {rule:?}\n{:#?}",
            disassemble(&program)
        );
    });
}

#[test]
fn each_rule_is_needed() {
    each_mode_and_rule(|mode, rules, rule, case| {
        let without: Vec<Rule> = rules
            .iter()
            .filter(|other| *other != rule)
            .cloned()
            .collect();
        let program = program(mode, &without);
        let verdict = verdict(&program, window_call, u64::from(rule.number), case.admitted);
        assert_eq!(
            verdict,
            Verdict::Refused,
            "{mode:?}: another rule admits what {rule:?} is for"
        );
    });
}

#[test]
fn wrong_arguments_are_refused() {
    let mut tried = 0;
    each_mode_and_rule(|mode, rules, rule, case| {
        let program = program(mode, rules);
        for &arguments in case.refused {
            let verdict = verdict(&program, window_call, u64::from(rule.number), arguments);
            assert_eq!(
                verdict,
                Verdict::Refused,
                "{mode:?}: {} {arguments:x?}",
                rule.call
            );
            tried += 1;
        }
    });
    println!("{tried} calls with wrong arguments, all refused");
    assert!(tried > 200);
}

#[test]
fn the_right_call_from_the_wrong_place_is_refused() {
    each_mode_and_rule(|mode, rules, rule, case| {
        let program = program(mode, rules);
        let verdict = verdict(&program, stray_call, u64::from(rule.number), case.admitted);
        assert_eq!(verdict, Verdict::Refused, "{mode:?}: {rule:?}");
    });
}

#[test]
fn a_call_whose_right_no_handle_has_is_refused_altogether() {
    let strict = profile(Mode::Strict);
    let exit_only = strict.expand(&[]).expect("expands");
    let names: Vec<&str> = exit_only.iter().map(|rule| rule.call).collect();
    for call in ["read", "write", "pread64", "pwrite64"] {
        assert!(!names.contains(&call), "{call} without a handle");
    }
    let program = program(Mode::Strict, &exit_only);
    for number in [0, 1, 17, 18] {
        assert_eq!(
            verdict(&program, window_call, number, first(0)),
            Verdict::Refused
        );
    }
}

#[test]
fn the_profiles_differ_in_their_default_alone() {
    let (strict, compat) = (rules(Mode::Strict), rules(Mode::Compat));
    assert_eq!(strict, compat);
    assert_ne!(
        profile(Mode::Strict).default_action,
        profile(Mode::Compat).default_action
    );
}

#[test]
fn every_rule_names_one_of_the_seven_and_a_reason() {
    for mode in [Mode::Strict, Mode::Compat] {
        let profile = profile(mode);
        assert_eq!(profile.mode, mode);
        let mut calls: Vec<u32> = profile
            .rules
            .iter()
            .map(|template| template.hypercall().expect("one of the seven").number())
            .collect();
        calls.sort_unstable();
        assert_eq!(
            calls,
            libos_abi::hypercall::Hypercall::ALL.map(|call| call.number())
        );
        assert!(
            profile
                .rules
                .iter()
                .all(|template| template.reason.len() > 20)
        );
    }
}
