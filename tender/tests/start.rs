//! An image is entered as the contract says: registers, memory, handles, arguments, signals.

mod common;

use common::attacker::{self, Attacker};
use libos_abi::boot::BootInfo;
use libos_abi::manifest::Mode;
use std::collections::BTreeMap;
use std::io::Read;
use std::os::fd::FromRawFd;
use std::process::{Command, Output, Stdio};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The lines `name value` that the attacker writes, by name.
fn facts(output: &Output) -> BTreeMap<String, Vec<String>> {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let mut facts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text(&output.stdout).lines() {
        let (name, value) = line.split_once(' ').unwrap_or((line, ""));
        facts.entry(name.into()).or_default().push(value.into());
    }
    facts
}

/// What every program finds set, whatever the image and the caller say.
const BASE_ENVIRONMENT: [&str; 2] = [
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
];

#[test]
fn an_image_runs_and_its_status_is_the_tenders() {
    let attacker = Attacker::build();
    let fixed = attacker.build_fixed();
    for image in [
        attacker.path(Mode::Strict),
        attacker.path(Mode::Compat),
        fixed,
    ] {
        let output = attacker::run(&[], &image, &["hello"]);
        assert_eq!(text(&output.stdout), "hello\n", "{output:?}");
        assert_eq!(output.status.code(), Some(7), "{output:?}");
    }
}

#[test]
fn the_boot_information_describes_what_is_there() {
    let attacker = Attacker::build();
    let options = [
        "--mem",
        "48M",
        "--env",
        "A=1",
        "--env",
        "B=x y",
        "--cwd",
        "/tmp",
        "--hostname",
        "box",
        "--arg0",
        "zero",
    ];
    let output = attacker::run(
        &options,
        &attacker.path(Mode::Strict),
        &["boot", "-x", "--", ""],
    );
    let facts = facts(&output);
    let one = |name: &str| facts[name].join(",");
    assert_eq!(one("magic"), libos_abi::boot::BOOT_MAGIC.to_string());
    assert_eq!(one("size"), size_of::<BootInfo>().to_string());
    assert_eq!(
        one("size_in_c"),
        one("size"),
        "the attacker's BootInfo is not the contract's"
    );
    assert_eq!(one("on_boot_stack"), "1");
    assert_eq!(one("memory_limit"), (48 << 20).to_string());
    assert_eq!(one("main_stack"), (8 << 20).to_string());
    assert_eq!(one("signal_stack"), (64 << 10).to_string());
    assert_eq!(one("exec_arena"), "0");
    assert_eq!(one("terminal"), "0");
    assert_eq!(facts["arg"], ["zero", "boot", "-x", "--", ""]);
    assert_eq!(
        facts["env"],
        [&BASE_ENVIRONMENT[..], &["A=1", "B=x y"]].concat()
    );
    assert_eq!(
        (one("cwd"), one("hostname"), one("path")),
        ("/tmp".into(), "box".into(), "/test".into())
    );
    // The kind times 1000, plus the descriptor: console, pagemap, statm, without gaps.
    assert_eq!(
        facts["handle"],
        ["1000", "2001", "3002", "6003", "7004", "8005"]
    );
    assert!(facts["slot"].len() >= 16, "{:?}", facts["slot"]);
    // `initialised` of the attacker: data came from the file, up to its end.
    assert!(facts.contains_key("0123456789abcde"), "{facts:?}");
    let refuted = ["not", "bss"]
        .iter()
        .find(|word| facts.contains_key(**word));
    assert_eq!(refuted, None, "memory was not zero: {facts:?}");
}

#[test]
fn compat_mode_has_an_arena_near_the_image() {
    let attacker = Attacker::build();
    let facts = facts(&attacker::run(&[], &attacker.path(Mode::Compat), &["boot"]));
    assert_eq!(facts["exec_arena"], [(256 << 20).to_string()]);
    let options: u64 = facts["options"][0].parse().expect("a number");
    assert_ne!(options & libos_abi::boot::options::COMPAT, 0);
}

#[test]
fn bases_differ_from_run_to_run_unless_the_seed_is_fixed() {
    let attacker = Attacker::build();
    let bias = |options: &[&str]| {
        let output = attacker::run(options, &attacker.path(Mode::Strict), &["boot"]);
        facts(&output)["bias"].clone()
    };
    assert_ne!(bias(&[]), bias(&[]));
    assert_eq!(
        bias(&["--entropy-seed", "0102"]),
        bias(&["--entropy-seed", "0102"])
    );
    assert_ne!(
        bias(&["--entropy-seed", "0102"]),
        bias(&["--entropy-seed", "0103"])
    );
}

#[test]
fn faults_reach_the_images_handler() {
    let attacker = Attacker::build();
    for word in ["wx", "smash"] {
        let output = attacker::run(&[], &attacker.path(Mode::Strict), &[word]);
        assert_eq!(text(&output.stdout), "signal 11\n", "{word}: {output:?}");
        assert_eq!(output.status.code(), Some(91), "{word}");
    }
}

#[test]
fn host_signals_reach_the_images_handler() {
    let attacker = Attacker::build();
    for signal in [
        libc::SIGTERM,
        libc::SIGINT,
        libc::SIGHUP,
        libc::SIGUSR1,
        libc::SIGUSR2,
        libc::SIGWINCH,
    ] {
        let mut child = Command::new(attacker::tender())
            .arg("run")
            .arg(attacker.path(Mode::Strict))
            .arg("forever")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the tender starts");
        let mut stdout = child.stdout.take().expect("a pipe");
        let mut greeting = [0; 8];
        stdout.read_exact(&mut greeting).expect("the image greets");
        assert_eq!(&greeting, b"waiting\n");
        // SAFETY: kill sends a signal to the child, which has not been waited for.
        assert_eq!(unsafe { libc::kill(child.id().cast_signed(), signal) }, 0);
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).expect("readable");
        assert_eq!(rest, format!("signal {signal}\n"));
        assert_eq!(child.wait().expect("a child").code(), Some(91));
    }
}

#[test]
fn the_callers_descriptors_are_closed_and_its_gaps_filled() {
    let attacker = Attacker::build();
    let script = r#"exec 5</dev/null 9>/dev/null; exec "$0" run "$1" boot 0<&-"#;
    let output = Command::new("sh")
        .args(["-c", script, attacker::tender()])
        .arg(attacker.path(Mode::Strict))
        .output()
        .expect("a shell");
    assert_eq!(
        facts(&output)["handle"],
        ["1000", "2001", "3002", "6003", "7004", "8005"]
    );
}

#[test]
fn ignored_signals_are_passed_on() {
    let attacker = Attacker::build();
    let script = r#"trap '' HUP; exec "$0" run "$1" boot"#;
    let output = Command::new("sh")
        .args(["-c", script, attacker::tender()])
        .arg(attacker.path(Mode::Strict))
        .output()
        .expect("a shell");
    // Whoever runs this test may ignore more, as a shell does for what it starts in the background.
    let ignored = &facts(&output)["ignored_signals"];
    let bits: u64 = ignored[0].parse().expect("a number");
    assert_eq!(bits & 1, 1, "SIGHUP is bit 0 of {ignored:?}");
}

#[test]
fn files_of_the_command_line_become_handles() {
    let attacker = Attacker::build();
    let (trace, report) = (
        attacker.directory().join("trace"),
        attacker.directory().join("report"),
    );
    let options = [
        format!("--strace={}", trace.display()),
        format!("--report={}", report.display()),
    ];
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let output = attacker::run(&options, &attacker.path(Mode::Strict), &["boot"]);
    assert_eq!(
        facts(&output)["handle"],
        [
            "1000", "2001", "3002", "4003", "5004", "6005", "7006", "8007"
        ]
    );
    assert!(trace.exists() && report.exists());
}

#[test]
fn the_callers_environment_is_passed_on_when_asked_for() {
    let attacker = Attacker::build();
    let output = Command::new(attacker::tender())
        .args(["run", "--env-all", "--env", "B=2"])
        .arg(attacker.path(Mode::Strict))
        .arg("boot")
        .env_clear()
        .env("A", "1")
        .env("B", "1")
        .output()
        .expect("the tender starts");
    assert_eq!(
        facts(&output)["env"],
        [&BASE_ENVIRONMENT[..], &["A=1", "B=2"]].concat()
    );
}

#[test]
fn a_tight_address_space_is_enough_or_is_refused_in_words() {
    let attacker = Attacker::build();
    let run = |kilobytes: &str| {
        let script = r#"ulimit -v "$2"; exec "$0" run --mem 64M "$1" boot"#;
        let mut command = Command::new("sh");
        command.args(["-c", script, attacker::tender()]);
        command.arg(attacker.path(Mode::Strict)).arg(kilobytes);
        command.output().expect("a shell")
    };
    let enough = facts(&run("3000000"));
    let memory: u64 = enough["memory"][0].parse().expect("a number");
    assert!((1 << 30..3_000_000 << 10).contains(&memory), "{memory}");
    let refused = run("1000000");
    assert_eq!(refused.status.code(), Some(125), "{refused:?}");
    let message = text(&refused.stderr);
    assert!(
        message.contains("ulimit -v") && message.contains("expected"),
        "{message}"
    );
}

/// Runs `test` on the directory in /proc of an image that waits.
fn while_waiting(options: &[&str], test: impl FnOnce(&std::path::Path)) {
    let attacker = Attacker::build();
    let mut child = Command::new(attacker::tender())
        .arg("run")
        .args(options)
        .arg(attacker.path(Mode::Strict))
        .arg("forever")
        .env("LIBOS_TEST_SECRET", "not-for-the-image")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the tender starts");
    let mut greeting = [0; 8];
    let stdout = child.stdout.as_mut().expect("a pipe");
    stdout.read_exact(&mut greeting).expect("the image greets");
    test(std::path::Path::new(&format!("/proc/{}", child.id())));
    child.kill().expect("a child");
    child.wait().expect("a child");
}

#[test]
fn nothing_of_the_tender_stays_but_a_page_of_code_and_its_heap() {
    while_waiting(&[], |proc| {
        let maps = std::fs::read_to_string(proc.join("maps")).expect("own child");
        let of_files: Vec<&str> = maps
            .lines()
            .filter(|line| line.contains('/') && !line.ends_with("/strict"))
            .collect();
        assert_eq!(of_files.len(), 1, "{maps}");
        let (range, rest) = of_files[0].split_once(' ').expect("a range");
        let (start, end) = range.split_once('-').expect("two addresses");
        let number = |text| u64::from_str_radix(text, 16).expect("hexadecimal");
        assert_eq!(number(end) - number(start), 4096, "{maps}");
        assert!(rest.starts_with("r-xp"), "{maps}");
        assert!(
            !maps.contains("[stack]"),
            "the caller's environment is still there:\n{maps}"
        );
        assert!(!maps.lines().any(|line| line.contains("rwx")), "{maps}");
        let environ = std::fs::read(proc.join("environ")).unwrap_or_default();
        assert!(!text(&environ).contains("not-for-the-image"));
    });
}

#[test]
fn an_idle_image_is_small_whatever_its_limit() {
    let pss = |limit: &str| {
        let mut kilobytes = 0u64;
        while_waiting(&["--mem", limit], |proc| {
            let rollup = std::fs::read_to_string(proc.join("smaps_rollup")).expect("own child");
            let line = rollup
                .lines()
                .find(|line| line.starts_with("Pss:"))
                .expect("a sum");
            kilobytes = line
                .split_whitespace()
                .nth(1)
                .expect("a number")
                .parse()
                .expect("a number");
        });
        kilobytes
    };
    let (small, large) = (pss("64M"), pss("4G"));
    println!("idle: {small} kB with 64M, {large} kB with 4G");
    assert!(small < 256, "{small} kB");
    assert!(large <= small + 32, "{small} and {large} kB");
}

#[test]
fn privileges_are_gone() {
    while_waiting(&[], |proc| {
        let status = std::fs::read_to_string(proc.join("status")).expect("own child");
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_once(':'))
                .expect("a field")
                .1
                .trim()
                .to_owned()
        };
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(field(set), "0000000000000000", "{status}");
        }
        assert_eq!(
            (field("NoNewPrivs"), field("Seccomp:")),
            ("1".into(), "2".into())
        );
        assert_eq!(field("SigBlk"), "0000000000000000", "{status}");
        // Dropping groups takes CAP_SETGID.
        // SAFETY: geteuid reads this process's user.
        if unsafe { libc::geteuid() } == 0 {
            assert_eq!(field("Groups"), "", "{status}");
        }
    });
}

#[test]
fn an_image_runs_where_groups_cannot_be_dropped() {
    let attacker = Attacker::build();
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", attacker::tender(), "run"])
        .arg(attacker.path(Mode::Strict))
        .arg("hello")
        .output()
        .expect("unshare(1) of util-linux is needed for this test");
    let message = text(&output.stderr);
    if message.contains("unshare failed") {
        println!("skipped: this host makes no user namespaces: {message}");
        return;
    }
    assert_eq!(output.status.code(), Some(7), "{message}");
}

#[test]
fn the_state_of_a_terminal_is_passed_on() {
    let attacker = Attacker::build();
    let (mut controller, mut terminal) = (-1, -1);
    let size = libc::winsize {
        ws_row: 43,
        ws_col: 132,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: openpty writes two descriptors, and reads the size.
    let opened = unsafe {
        let (name, modes) = (std::ptr::null_mut(), std::ptr::null());
        libc::openpty(
            &raw mut controller,
            &raw mut terminal,
            name,
            modes,
            &raw const size,
        )
    };
    assert_eq!(opened, 0, "openpty");
    // SAFETY: both descriptors were opened above and belong to nobody else.
    let [_controller, terminal] =
        [controller, terminal].map(|fd| unsafe { std::os::fd::OwnedFd::from_raw_fd(fd) });
    let output = Command::new(attacker::tender())
        .arg("run")
        .arg(attacker.path(Mode::Strict))
        .arg("boot")
        .stdin(Stdio::from(terminal))
        .output()
        .expect("the tender starts");
    let facts = facts(&output);
    assert_eq!(facts["terminal"], ["1"]);
    assert_eq!(
        (&facts["rows"][..], &facts["columns"][..]),
        (&["43".into()][..], &["132".into()][..])
    );
}
