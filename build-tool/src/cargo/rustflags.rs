//! Asks the compiler for a static program, beside whatever the user asks of it.
//!
//! The flag is added where cargo takes the user's own flags from, since cargo reads one place only. With
//! `--target` on the command line, none of them reaches build scripts and procedural macros.

use super::settings::Settings;
use anyhow::Result;
use std::ffi::OsString;
use std::process::Command;

/// What makes a static program.
const STATIC: [&str; 2] = ["-C", "target-feature=+crt-static"];

/// Between flags in cargo's encoded variables.
const SEPARATOR: &str = "\x1f";

/// Whose flags.
#[derive(Clone, Copy)]
pub enum Tool {
    /// The compiler's.
    Rustc,
    /// Those of documentation tests.
    Rustdoc,
}

impl Tool {
    fn key(self) -> &'static str {
        match self {
            Self::Rustc => "rustflags",
            Self::Rustdoc => "rustdocflags",
        }
    }
}

/// Makes `command`, a cargo command, build static programs.
///
/// # Errors
/// The user's cargo configuration cannot be read.
pub fn link_statically(command: &mut Command, tool: Tool, settings: &Settings) -> Result<()> {
    let variable = tool.key().to_uppercase();
    let encoded = format!("CARGO_ENCODED_{variable}");
    if let Some(flags) = std::env::var_os(&encoded) {
        command.env(encoded, joined(flags, SEPARATOR));
    } else if let Some(flags) = std::env::var_os(&variable) {
        command.env(variable, joined(flags, " "));
    } else {
        let flags = settings.flags(tool.key())?.join(SEPARATOR);
        command.env(encoded, joined(flags.into(), SEPARATOR));
    }
    Ok(())
}

fn joined(mut flags: OsString, separator: &str) -> OsString {
    for flag in STATIC {
        if !flags.is_empty() {
            flags.push(separator);
        }
        flags.push(flag);
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_comes_behind_the_user_s() {
        assert_eq!(joined("-g".into(), " "), "-g -C target-feature=+crt-static");
        assert_eq!(
            joined("".into(), SEPARATOR),
            "-C\x1ftarget-feature=+crt-static"
        );
    }
}
