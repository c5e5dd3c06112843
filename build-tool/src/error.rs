//! How failures are shown, and which exit status they give.
//!
//! | status | meaning |
//! |---|---|
//! | the program's | `run`, `test`: the program ran |
//! | cargo's (101) | cargo failed: its errors stand above |
//! | 125 | refused by this tool or the tender; the message says why |

use std::process::ExitCode;

/// Exit status of a refusal.
pub const REFUSED: u8 = 125;

/// Prints the failure with its causes, and gives its exit status.
pub fn report(failure: &anyhow::Error) -> ExitCode {
    eprintln!("error: {failure}");
    for cause in failure.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
    ExitCode::from(REFUSED)
}
