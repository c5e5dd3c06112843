//! The table as a document: what `docs/syscalls.md` says.

use core::fmt::{self, Write};

use crate::syscall::table::{DOCUMENTED, Documented, Status};

/// Writes the document, in Markdown.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut dyn Write) -> fmt::Result {
    let count = |status| {
        DOCUMENTED
            .iter()
            .filter(|entry| entry.status == status)
            .count()
    };
    writeln!(out, "# System calls\n")?;
    writeln!(
        out,
        "Generated from the table in `libos/src/syscall/table.rs` by\n\
         `cargo run -q -p libos --example syscalls > docs/syscalls.md`; a test keeps it true.\n"
    )?;
    writeln!(
        out,
        "Of {} calls of Linux's x86-64 table, {} are implemented, {} partially, {} are refused with \
         a\nreason, and {} are missing (ENOSYS).\n",
        DOCUMENTED.len(),
        count(Status::Full),
        count(Status::Partial),
        count(Status::Refused),
        count(Status::Missing),
    )?;
    for (title, status) in [
        ("Implemented", Status::Full),
        ("Partial: what is missing", Status::Partial),
        ("Refused: with which error, and why", Status::Refused),
    ] {
        section(out, title, status)?;
    }
    missing(out)
}

fn section(out: &mut dyn Write, title: &str, status: Status) -> fmt::Result {
    writeln!(out, "## {title}\n\n| number | call | note |\n|---|---|---|")?;
    for Documented {
        number, name, note, ..
    } in of(status)
    {
        writeln!(out, "| {number} | {name} | {note} |")?;
    }
    writeln!(out)
}

fn missing(out: &mut dyn Write) -> fmt::Result {
    writeln!(
        out,
        "## Missing\n\nThese answer ENOSYS, and are named once on standard error if asked.\n"
    )?;
    for (index, entry) in of(Status::Missing).enumerate() {
        let separator = match index {
            0 => "",
            n if n % 8 == 0 => ",\n",
            _ => ", ",
        };
        write!(out, "{separator}{}", entry.name)?;
    }
    writeln!(out, ".")
}

fn of(status: Status) -> impl Iterator<Item = &'static Documented> {
    DOCUMENTED
        .iter()
        .filter(move |entry| entry.status == status)
}
