//! Helpers: the tool under test, C programs, crates outside of the workspace.

#![allow(dead_code, reason = "each test file uses some")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What a command said.
pub struct Said {
    /// Its exit status; 124 if it took too long.
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    /// Fails with all that was said unless the status is `status`.
    #[track_caller]
    pub fn ended_with(self, status: i32) -> Self {
        assert_eq!(
            self.status, status,
            "\n-- stdout\n{}\n-- stderr\n{}",
            self.stdout, self.stderr
        );
        self
    }

    /// Fails unless standard error has each of `texts`.
    #[track_caller]
    pub fn complaining(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(
                self.stderr.contains(text),
                "no {text:?} in\n{}",
                self.stderr
            );
        }
        self
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A temporary directory to work in.
pub struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("cargo-libos ").tempdir();
        Self {
            directory: directory.expect("a temporary directory"),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file, with its directories.
    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        let parent = path.parent().expect("inside of the directory");
        std::fs::create_dir_all(parent).expect("writable");
        std::fs::write(&path, content).expect("writable");
        path
    }

    /// Runs the tool here.
    pub fn libos(&self, args: &[&str]) -> Said {
        self.libos_with(args, &[])
    }

    /// Runs the tool here, with more environment.
    pub fn libos_with(&self, args: &[&str], env: &[(&str, &str)]) -> Said {
        // The first image of a debug build of the tool builds the libOS.
        let mut command = bounded(600, env!("CARGO_BIN_EXE_cargo-libos"));
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_") && text != "CARGO_HOME" || text.starts_with("RUSTFLAGS") {
                command.env_remove(&name);
            }
        }
        command
            .args(args)
            .current_dir(self.directory.path())
            .envs(env.iter().copied());
        command.output().expect("timeout(1) is there").into()
    }

    /// Runs an image with the tender beside the tool.
    pub fn tender(&self, args: &[&str]) -> Said {
        let mut command = bounded(30, env!("CARGO_BIN_EXE_libos-tender"));
        command.args(args).current_dir(self.directory.path());
        command.output().expect("timeout(1) is there").into()
    }

    /// Compiles a C program.
    pub fn gcc(&self, name: &str, source: &str, flags: &[&str]) -> PathBuf {
        let file = self.write(&format!("{name}.c"), source);
        let output = self.path(name);
        let status = Command::new("gcc")
            .args(["-O1", "-o"])
            .arg(&output)
            .arg(file)
            .args(flags)
            .status();
        assert!(status.expect("gcc is there").success(), "gcc {flags:?}");
        output
    }
}

fn bounded(seconds: u32, program: &str) -> Command {
    let mut command = Command::new("timeout");
    command
        .arg("--kill-after=5")
        .arg(seconds.to_string())
        .arg(program);
    command
}

/// A file's time of modification.
pub fn modified(path: &Path) -> std::time::SystemTime {
    let metadata =
        std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    metadata.modified().expect("Linux has it")
}

/// Says hello, and ends with the number of its arguments.
pub const HELLO: &str = r#"
#include <stdio.h>
int main(int argc, char **argv) {
    puts("hello");
    for (int i = 1; i < argc; i++) puts(argv[i]);
    return argc - 1;
}
"#;
