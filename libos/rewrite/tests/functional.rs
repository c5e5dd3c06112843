//! Runs rewritten programs natively, with a gate that makes the real system calls, and compares them
//! with the originals: proof that displacement keeps every program's meaning.

mod common;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output as Finished};

use common::{FATAL_GATE, LAYOUT, NATIVE_GATE, RECIPES, build, link, strip, without_sections};
use libos_rewrite::{Mode, rewrite};

const SIGILL: i32 = 4;

#[test]
fn rewritten_programs_behave_like_the_originals() {
    let directory = tempfile::tempdir().unwrap();
    for recipe in RECIPES {
        let Some(program) = build(recipe, directory.path()) else {
            continue;
        };
        let expected = run(&program);
        let original = std::fs::read(&program).unwrap();
        let stripped = std::fs::read(strip(&program)).unwrap();
        let bare = without_sections(&stripped);
        let found_first = rewrite(&original, LAYOUT, Mode::Strict)
            .unwrap()
            .stats
            .found;
        for (variant, elf) in [("", original), (" stripped", stripped), (" bare", bare)] {
            let name = format!("{}{variant}", recipe.name);
            let output =
                rewrite(&elf, LAYOUT, Mode::Strict).unwrap_or_else(|e| panic!("{name}: {e}"));
            let found = run(&write(directory.path(), &link(&output, NATIVE_GATE)));
            assert_eq!(
                text(&found.stdout),
                text(&expected.stdout),
                "{name}: output"
            );
            assert_eq!(found.status, expected.status, "{name}: status");
            assert_eq!(
                output.stats.found, found_first,
                "{name}: as many sites as with symbols"
            );
            eprintln!("{name}: {:?}", output.stats);
        }
    }
}

#[test]
fn no_program_gets_past_the_gate() {
    let directory = tempfile::tempdir().unwrap();
    for recipe in RECIPES {
        let Some(program) = build(recipe, directory.path()) else {
            continue;
        };
        let elf = std::fs::read(&program).unwrap();
        let output = rewrite(&elf, LAYOUT, Mode::Strict).unwrap();
        let found = run(&write(directory.path(), &link(&output, FATAL_GATE)));
        assert_eq!(
            found.status.signal(),
            Some(SIGILL),
            "{}: its first call faults",
            recipe.name
        );
        assert!(
            found.stdout.is_empty() && found.stderr.is_empty(),
            "{}: silent",
            recipe.name
        );
    }
}

fn write(directory: &Path, elf: &[u8]) -> std::path::PathBuf {
    let path = directory.join("rewritten");
    std::fs::write(&path, elf).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Under a time limit, since a wrong jump may spin.
fn run(program: &Path) -> Finished {
    Command::new("timeout")
        .args(["--signal=KILL", "20"])
        .arg(program)
        .arg("argument")
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
