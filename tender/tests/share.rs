//! Shared folders reach the image as the command line describes them, and messages cross their handles.

mod common;

use common::attacker::{self, Attacker};
use libos_abi::handle::HandleKind;
use libos_abi::manifest::Mode;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A run that must succeed: what it writes.
fn told(options: &[&str], image: &Path, action: &str) -> String {
    let output = attacker::run(options, image, &[action]);
    assert_eq!(output.status.code(), Some(0), "{options:?}: {output:?}");
    text(&output.stdout)
}

fn refused(options: &[&str], image: &Path) -> String {
    let output = attacker::run(options, image, &["share"]);
    assert_eq!(output.status.code(), Some(125), "{options:?}: {output:?}");
    assert_eq!(text(&output.stdout), "", "nothing ran");
    text(&output.stderr)
}

#[test]
fn what_is_typed_reaches_the_boot_information() {
    let attacker = Attacker::build();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().display();
    std::fs::write(folder.path().join("file"), "").expect("a file");
    std::fs::create_dir(folder.path().join("in")).expect("a folder");
    let options = [
        format!("{path}/in:/srv//data/:ro"),
        format!("{path}/file:/etc/file:consistent"),
    ];
    let found = told(
        &["-v", &options[0], "--volume", &options[1]],
        &attacker.path(Mode::Strict),
        "share",
    );
    let kind = HandleKind::Share as u32;
    let expected = [
        "share /srv/data".to_owned(),
        format!("handle_kind {kind}"),
        "flags 1".into(),
        "share /etc/file".into(),
        format!("handle_kind {kind}"),
        "flags 6".into(),
    ];
    assert_eq!(found.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_confined_image_reads_a_file_through_its_share() {
    let attacker = Attacker::build();
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("greeting"), "good day\n").expect("a file");
    let option = format!("{}:/data", folder.path().display());
    for mode in [Mode::Strict, Mode::Compat] {
        for options in [&["-v", &option][..], &["--net", "user", "-v", &option]] {
            let found = told(options, &attacker.path(mode), "fetch");
            assert_eq!(found, "good day\n", "{options:?}");
        }
    }
}

#[test]
fn a_relative_folder_lies_in_the_working_directory() {
    let attacker = Attacker::build();
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("data")).expect("a folder");
    std::fs::write(folder.path().join("data/greeting"), "relative").expect("a file");
    for host in ["data", "./data", "data/../data/"] {
        let output = Command::new(attacker::tender())
            .args(["run", "-v", &format!("{host}:/data")])
            .arg(attacker.path(Mode::Strict))
            .arg("fetch")
            .current_dir(folder.path())
            .output()
            .expect("the tender");
        assert_eq!(text(&output.stdout), "relative", "{output:?}");
    }
}

#[test]
fn what_cannot_be_shared_is_refused_by_name() {
    let attacker = Attacker::build();
    let image = attacker.path(Mode::Strict);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().display();
    let fifo = folder.path().join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .expect("a fifo");
    std::fs::create_dir(folder.path().join("in")).expect("a folder");
    for (options, parts) in [
        (vec![format!("{path}/none:/a")], ["none", "mkdir"]),
        (
            vec![format!("{path}/fifo:/a")],
            ["a fifo", "folder that it is in"],
        ),
        (vec!["/dev/null:/a".into()], ["character device", "folder"]),
        (vec![format!("{path}:a")], ["absolute", "docs/usage.md"]),
        (
            vec![format!("{path}:/a"), format!("{path}/in:/b")],
            ["shared already", "consistent"],
        ),
        (
            vec![format!("{path}/in:/a"), format!("{path}:/a")],
            ["place of its own", "another guest path"],
        ),
    ] {
        let words: Vec<&str> = options.iter().flat_map(|option| ["-v", option]).collect();
        let error = refused(&words, &image);
        for part in parts {
            assert!(error.contains(part), "{options:?}: {error}");
        }
    }
}

#[test]
fn a_folder_that_may_not_be_entered_is_refused() {
    if rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: root may enter every folder");
        return;
    }
    let attacker = Attacker::build();
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o000)).expect("chmod");
    let option = format!("{}:/a", folder.path().display());
    let error = refused(&["-v", &option], &attacker.path(Mode::Strict));
    assert!(error.contains("ls -ld"), "{error}");
}

/// The child of a process: the file server.
fn child_of(process: u32) -> i32 {
    let path = format!("/proc/{process}/task/{process}/children");
    let children = std::fs::read_to_string(path).expect("a kernel with CONFIG_PROC_CHILDREN");
    children.trim().parse().expect("one child")
}

#[test]
fn the_server_s_end_is_the_end_of_the_channel() {
    let attacker = Attacker::build();
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = Command::new(attacker::tender())
        .args(["run", "-v", &format!("{}:/a", folder.path().display())])
        .arg(attacker.path(Mode::Strict))
        .arg("await")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the tender");
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    output.read_line(&mut line).expect("a line");
    assert_eq!(line, "ready\n");
    let server = rustix::process::Pid::from_raw(child_of(child.id())).expect("a process");
    rustix::process::kill_process(server, rustix::process::Signal::KILL).expect("ours");
    let mut rest = String::new();
    output.read_to_string(&mut rest).expect("text");
    assert_eq!(rest, format!("read 0, write -{}\n", libc::EPIPE));
    assert!(child.wait().expect("a child").success());
}

#[test]
fn the_filter_of_a_run_with_shares_can_be_shown() {
    let attacker = Attacker::build();
    let output = Command::new(attacker::tender())
        .args(["filter", "-v", "/nowhere:/a", "-v", "/nowhere/else:/b:ro"])
        .arg(attacker.path(Mode::Strict))
        .output()
        .expect("the tender");
    let shown = text(&output.stdout);
    assert!(shown.matches("share").count() >= 4, "{shown}");
}
