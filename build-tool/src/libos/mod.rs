//! The libOS's ELF file that goes into every image.
//!
//! Release builds carry it inside (see `build.rs`). Debug builds make it when it is first needed, with
//! [`nested`]. `--libos FILE` uses another.

#[cfg(not(libos_embedded))]
#[path = "../../../tender/link/nested.rs"]
mod nested;

use crate::elf::{self, Program, symbols};
use anyhow::{Context, Result, ensure};
use libos_abi::image::symbols as names;
use libos_abi::manifest::Range;
use std::borrow::Cow;
use std::path::Path;

/// A libOS, ready to be placed into an image.
pub struct Libos {
    /// Its ELF file.
    pub file: Cow<'static, [u8]>,
    /// Its segments, from address 0 on.
    pub program: Program,
    /// Where it is entered.
    pub entry: u64,
    /// Where host signals arrive.
    pub signal_entry: u64,
    /// Where stubs jump to.
    pub gate: u64,
    /// The code that executes host system calls.
    pub hypercall: Range,
}

impl Libos {
    /// The built-in libOS, or the one in `file`.
    ///
    /// # Errors
    /// It cannot be read or built, or is not a libOS.
    pub fn load(file: Option<&Path>) -> Result<Self> {
        match file {
            Some(path) => {
                let bytes = crate::files::read(path)?;
                Self::parse(bytes.into())
                    .with_context(|| format!("{} is not a libOS", path.display()))
            }
            None => Self::parse(built_in()?).context("the built-in libOS cannot be used"),
        }
    }

    fn parse(file: Cow<'static, [u8]>) -> Result<Self> {
        let program = elf::parse::parse(&file)?;
        ensure!(
            program.kind == elf::Kind::Relocatable && program.extent().start == 0,
            "expected a static-pie from address 0, found one at {:#x}",
            program.extent().start
        );
        let [entry, signal_entry, gate, start, end] = symbols::find(
            &file,
            [
                names::ENTRY,
                names::SIGNAL_ENTRY,
                names::GATE,
                names::HYPERCALL_START,
                names::HYPERCALL_END,
            ],
        )
        .map_err(anyhow::Error::msg)?;
        ensure!(
            start < end,
            "expected {} below {}, found {start:#x} and {end:#x}",
            names::HYPERCALL_START,
            names::HYPERCALL_END
        );
        Ok(Self {
            file,
            program,
            entry,
            signal_entry,
            gate,
            hypercall: Range {
                start,
                len: end - start,
            },
        })
    }
}

#[cfg(libos_embedded)]
#[expect(
    clippy::unnecessary_wraps,
    reason = "its twin for debug builds can fail"
)]
fn built_in() -> Result<Cow<'static, [u8]>> {
    Ok(Cow::Borrowed(include_bytes!(env!("CARGO_LIBOS_ELF"))))
}

#[cfg(not(libos_embedded))]
fn built_in() -> Result<Cow<'static, [u8]>> {
    let workspace = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target_dir = workspace.join("target/libos-built-in");
    let built = nested::build(
        &nested::LIBOS,
        &cargo,
        workspace,
        &target_dir,
        nested::Output::Quiet,
    )
    .map_err(anyhow::Error::msg)?;
    Ok(crate::files::read(&built.elf)?.into())
}
