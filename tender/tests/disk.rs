//! Disks reach the image as the command line describes them, and nobody else writes to them meanwhile.

mod common;

use common::attacker::{self, Attacker};
use libos_abi::driver::DRIVER_ABI;
use libos_abi::handle::HandleKind;
use libos_abi::manifest::Mode;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn disk(directory: &Path, name: &str, len: u64) -> String {
    let path = directory.join(name);
    let file = std::fs::File::create(&path).expect("a writable directory");
    file.set_len(len).expect("a length");
    path.display().to_string()
}

#[test]
fn what_is_typed_reaches_the_boot_information() {
    let attacker = Attacker::build();
    let folder = tempfile::tempdir().expect("a folder");
    let options = [
        format!("a={},ro", disk(folder.path(), "one", 1536)),
        format!("b2={},mount=//srv/db/", disk(folder.path(), "two", 8192)),
    ];
    let options = ["--block", &options[0], "--block", &options[1]];
    for mode in [Mode::Strict, Mode::Compat] {
        let output = attacker::run(&options, &attacker.path(mode), &["block"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let number = |kind: HandleKind| (kind as u32).to_string();
        let expected = [
            "block a".to_owned(),
            format!("handle_kind {}", number(HandleKind::BlockReadOnly)),
            "len 1536".into(),
            "flags 1".into(),
            "fs 0".into(),
            "mount ".into(),
            "block b2".into(),
            format!("handle_kind {}", number(HandleKind::Block)),
            format!("sync_handle_kind {}", number(HandleKind::BlockSync)),
            "len 8192".into(),
            "flags 0".into(),
            "fs 1".into(),
            "mount /srv/db".into(),
            // The driver for it, once, and that it can be called.
            "module 1".into(),
            format!("abi {DRIVER_ABI}"),
            "inside 1".into(),
            "answer 0".into(),
        ];
        let found = text(&output.stdout);
        let found: Vec<&str> = found.lines().collect();
        assert_eq!(found, expected, "{mode:?}");
    }
}

#[test]
fn what_the_image_writes_is_in_the_file() {
    let attacker = Attacker::build();
    let folder = tempfile::tempdir().expect("a folder");
    let path = disk(folder.path(), "disk", 4096);
    // The disk's handle, and that for durable writes.
    for (fd, offset) in [("3", 512), ("4", 1024)] {
        let at = offset.to_string();
        let words = ["window", "18", fd, "buffer", "512", &at];
        std::fs::write(&path, [0x55; 4096]).expect("a file");
        let option = format!("disk={path}");
        let output = attacker::run(&["--block", &option], &attacker.path(Mode::Strict), &words);
        assert_eq!(text(&output.stdout), "512\n", "{output:?}");
        let found = std::fs::read(&path).expect("a file");
        assert_eq!(found.len(), 4096, "{fd}");
        for (place, byte) in found.iter().enumerate() {
            let is_written = (offset..offset + 512).contains(&place);
            assert_eq!(*byte != 0x55, is_written, "{fd}: {place}");
        }
    }
}

#[test]
fn what_cannot_be_a_disk_is_refused_by_name() {
    let attacker = Attacker::build();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().display().to_string();
    let odd = disk(folder.path(), "odd", 1000);
    for (options, parts) in [
        (vec![format!("a={path}/none")], ["none", "mkdisk"]),
        (vec![format!("a={path}")], ["a directory", "--volume"]),
        (vec![format!("a={odd}")], ["1000 bytes", "truncate"]),
        (
            vec![format!("a={odd},mount=/proc/x")],
            ["/proc", "docs/usage.md"],
        ),
    ] {
        let words: Vec<&str> = options
            .iter()
            .flat_map(|option| ["--block", option])
            .collect();
        let output = attacker::run(&words, &attacker.path(Mode::Strict), &["block"]);
        assert_eq!(output.status.code(), Some(125), "{options:?}: {output:?}");
        let error = text(&output.stderr);
        for part in parts {
            assert!(error.contains(part), "{options:?}: {error}");
        }
    }
}

#[test]
fn a_disk_that_may_not_be_written_is_refused() {
    if rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: root may write every file");
        return;
    }
    let attacker = Attacker::build();
    let folder = tempfile::tempdir().expect("a folder");
    let path = disk(folder.path(), "disk", 4096);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o400);
    std::fs::set_permissions(&path, mode).expect("chmod");
    for (options, status) in [("", 125), (",ro", 0)] {
        let option = format!("a={path}{options}");
        let output = attacker::run(
            &["--block", &option],
            &attacker.path(Mode::Strict),
            &["block"],
        );
        assert_eq!(output.status.code(), Some(status), "{output:?}");
    }
}

/// The lock stays in force while the image runs, though the tender's program is gone by then.
#[test]
fn a_second_process_is_refused() {
    let attacker = Attacker::build();
    let image = attacker.path(Mode::Strict);
    let folder = tempfile::tempdir().expect("a folder");
    let share = tempfile::tempdir().expect("a folder");
    let path = disk(folder.path(), "disk", 4096);
    let (rw, ro) = (format!("a={path}"), format!("a={path},ro"));
    for (first, second, is_fine) in [
        (&rw, &rw, false),
        (&rw, &ro, false),
        (&ro, &rw, false),
        (&ro, &ro, true),
    ] {
        // Runs until its share's server ends.
        let mut child = Command::new(attacker::tender())
            .args(["run", "-v", &format!("{}:/a", share.path().display())])
            .args(["--block", first])
            .arg(&image)
            .arg("await")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the tender");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n");
        let other = attacker::run(&["--block", second], &image, &["block"]);
        child.kill().expect("ours");
        child.wait().expect("a child");
        let status = if is_fine { 0 } else { 125 };
        assert_eq!(
            other.status.code(),
            Some(status),
            "{first} {second}: {other:?}"
        );
        let error = text(&other.stderr);
        assert_eq!(
            error.contains("another process uses it"),
            !is_fine,
            "{error}"
        );
        let after = attacker::run(&["--block", second], &image, &["block"]);
        assert_eq!(after.status.code(), Some(0), "{after:?}");
    }
}

#[test]
fn the_filter_of_a_run_with_disks_can_be_shown() {
    let attacker = Attacker::build();
    let output = Command::new(attacker::tender())
        .args(["filter", "--block", "a=/nowhere", "--block", "b=/no,ro"])
        .arg(attacker.path(Mode::Strict))
        .output()
        .expect("the tender");
    let shown = text(&output.stdout);
    for part in ["block", "block-sync", "block-read-only", "pwrite64"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}
