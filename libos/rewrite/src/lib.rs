//! Finds and redirects the system-call instructions of a static x86-64 program.
//!
//! [`rewrite`] takes an ELF file and gives back the same file with every `syscall` replaced by a jump
//! to a stub, and the stubs; [`redirect`] is the part of it that knows only code at addresses, for
//! code that is mapped at run time. [`verify`] proves the output from its bytes; `rewrite` calls it.
//!
//! Principles:
//! - **Whole instructions, entered only at their start.** A window is replaced only where no branch,
//!   reference, name, jump table or landing pad leads into its middle. In doubt, it is not used.
//! - **Nothing is pushed.** Stubs jump; the red zone below %rsp and the call stack stay as they are.
//! - **Data is never patched.** A byte pair counts as an instruction only where decoding from a known
//!   place leads to it.
//! - **All input is hostile.** No panic, no unbounded memory; each refusal is a typed [`Error`].
//!
//! The modules in the order of the work: `elf` (file → code and facts; `eh_frame`, `pclntab`), `find`
//! (one decoding pass), `flow` (targets that data holds), `reach` (what is code), `plan` and `island`
//! (what to do: an `action`), `displace` and `apply` (bytes), `verify` (a `violation`, if any). It does not place stubs into an image and
//! does not write the gate.
#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

extern crate alloc;

mod action;
mod addresses;
mod apply;
mod displace;
mod eh_frame;
mod elf;
mod encoding;
mod error;
mod find;
mod flow;
mod island;
mod pclntab;
mod plan;
mod reach;
mod reader;
mod site;
mod text;
mod verify;
mod violation;

use alloc::vec::Vec;

pub use apply::{Emitted, Patch};
pub use elf::Program;
pub use error::{Error, Reason, Refusal};
pub use find::Facts;
pub use reach::Dismissed;
pub use site::{Kind, Layout, Moved, Site};
pub use text::{Region, Text};
pub use verify::{Claim, check};
pub use violation::Violation;

/// What happens to a site that cannot be redirected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It is an error.
    Strict,
    /// It stays, as [`Kind::Trapped`].
    Compat,
}

/// A rewritten program.
#[derive(Debug, Clone)]
pub struct Output {
    /// The file: as long as the input, with patched code.
    pub elf: Vec<u8>,
    /// To be mapped readable and executable at [`Layout::stub_vaddr`].
    pub stubs: Vec<u8>,
    /// Every kernel entry of the program, in the order of their addresses.
    pub sites: Vec<Site>,
    /// Counts for a report.
    pub stats: Stats,
}

/// Counts of a rewriting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes of code that were decoded.
    pub code_bytes: usize,
    /// Sites found: the sum of the next three.
    pub found: usize,
    /// Redirected by a window of their own.
    pub windows: usize,
    /// Of these, windows that go on behind the syscall.
    pub windows_behind: usize,
    /// Redirected over an island.
    pub islands: usize,
    /// Left as they are.
    pub trapped: usize,
    /// Byte pairs `0f 05` that are no syscall.
    pub dismissed: Dismissed,
}

/// What redirecting code yields, before it is written anywhere.
#[derive(Debug, Clone)]
pub struct Redirection {
    /// Patches for the code, to be written in this order.
    pub patches: Vec<Patch>,
    /// To be mapped readable and executable at [`Layout::stub_vaddr`].
    pub stubs: Vec<u8>,
    /// Every kernel entry, in the order of their addresses; symbols are not filled in.
    pub sites: Vec<Site>,
    /// Byte pairs `0f 05` that are no syscall.
    pub dismissed: Dismissed,
}

/// Redirects every system call of a static ELF program, and verifies the result.
///
/// # Errors
/// [`Error`]: an input that is not a static x86-64 program, a layout out of reach, in
/// [`Mode::Strict`] sites that cannot be redirected.
pub fn rewrite(elf: &[u8], layout: Layout, mode: Mode) -> Result<Output, Error> {
    let program = Program::parse(elf)?;
    let mut redirection = redirect(&program.text, &program.facts, layout)?;
    for site in &mut redirection.sites {
        site.symbol = program.symbol_at(site.syscall_vaddr);
    }
    if mode == Mode::Strict {
        refuse_trapped(&redirection.sites)?;
    }
    refuse_overlap(&program, layout, &redirection.stubs)?;
    let stats = stats(&program, &redirection);
    let output = Output {
        elf: patched(elf, &program, &redirection.patches)?,
        stubs: redirection.stubs,
        sites: redirection.sites,
        stats,
    };
    verify(elf, &output, layout).map_err(Error::Verify)?;
    Ok(output)
}

/// Plans and emits the redirection of code at addresses; nothing is written to the code itself.
///
/// Sites that cannot be redirected come back as [`Kind::Trapped`].
///
/// # Errors
/// [`Error::OutOfReach`] where the layout is too far from the code.
pub fn redirect(text: &Text<'_>, facts: &Facts<'_>, layout: Layout) -> Result<Redirection, Error> {
    let mut listing = find::sweep(text, facts);
    flow::add_data_targets(text, facts, &mut listing);
    let verdicts = reach::judge(text, facts, &listing);
    let plan = plan::plan(text, &listing, &verdicts.gates);
    let Emitted {
        patches,
        stubs,
        sites,
    } = apply::apply(text, &plan, layout)?;
    Ok(Redirection {
        patches,
        stubs,
        sites,
        dismissed: verdicts.dismissed,
    })
}

/// Proves from the bytes that `output` is `original` with every system call redirected.
///
/// # Errors
/// The first [`Violation`].
pub fn verify(original: &[u8], output: &Output, layout: Layout) -> Result<(), Violation> {
    if original.len() != output.elf.len() {
        return Err(Violation::Structure);
    }
    let before = Program::parse(original).map_err(|_| Violation::Structure)?;
    let after = Program::parse(&output.elf).map_err(|_| Violation::Structure)?;
    let claim = Claim {
        original: &before.text,
        facts: &before.facts,
        patched: &after.text,
        stubs: &output.stubs,
        sites: &output.sites,
        layout,
    };
    unchanged(original, &output.elf, &before, &claim)?;
    check(claim)
}

/// Every byte of the file outside windows and islands is what it was.
fn unchanged(
    original: &[u8],
    rewritten: &[u8],
    program: &Program<'_>,
    claim: &Claim<'_, '_>,
) -> Result<(), Violation> {
    let mut allowed = Vec::new();
    for range in verify::patched_ranges(claim)? {
        allowed.push(
            program
                .file_range(&range)
                .ok_or(Violation::Patch(range.start))?,
        );
    }
    allowed.sort_unstable_by_key(|range| range.start);
    let mut from = 0;
    for range in allowed.iter().chain([&(original.len()..original.len())]) {
        // One range may lie in another, whose end was passed already.
        let to = range.start.max(from);
        if original[from..to] != rewritten[from..to] {
            let differs = (from..to).find(|&at| original[at] != rewritten[at]);
            return Err(Violation::ChangedByte(differs.unwrap_or(from)));
        }
        from = range.end.max(from);
    }
    Ok(())
}

fn patched(elf: &[u8], program: &Program<'_>, patches: &[Patch]) -> Result<Vec<u8>, Error> {
    let mut bytes = elf.to_vec();
    for patch in patches {
        let memory = patch.vaddr..patch.vaddr + text::to_u64(patch.bytes.len());
        let file = program
            .file_range(&memory)
            .ok_or(Error::Verify(Violation::Patch(patch.vaddr)))?;
        bytes[file].copy_from_slice(&patch.bytes);
    }
    Ok(bytes)
}

fn refuse_trapped(sites: &[Site]) -> Result<(), Error> {
    let refusals: Vec<Refusal> = sites
        .iter()
        .filter_map(|site| match site.kind {
            Kind::Trapped(reason) => Some(Refusal {
                vaddr: site.syscall_vaddr,
                symbol: site.symbol.clone(),
                reason,
            }),
            _ => None,
        })
        .collect();
    if refusals.is_empty() {
        Ok(())
    } else {
        Err(Error::Unredirectable(refusals))
    }
}

fn refuse_overlap(program: &Program<'_>, layout: Layout, stubs: &[u8]) -> Result<(), Error> {
    let start = layout.stub_vaddr;
    let end = start
        .checked_add(text::to_u64(stubs.len()))
        .ok_or(Error::OutOfReach {
            from: start,
            to: u64::MAX,
        })?;
    match program.overlapped(&(start..end)) {
        Some(segment) if start < end => Err(Error::StubsOverlap {
            stubs: (start, end),
            segment: (segment.start, segment.end),
        }),
        _ => Ok(()),
    }
}

fn stats(program: &Program<'_>, redirection: &Redirection) -> Stats {
    let sites = &redirection.sites;
    let count = |wanted: fn(&Site) -> bool| sites.iter().filter(|site| wanted(site)).count();
    let outside_code = program.unclaimed.iter().flat_map(find::byte_pairs).count();
    Stats {
        code_bytes: program.text.len(),
        found: sites.len(),
        windows: count(|site| site.kind == Kind::Window),
        windows_behind: count(|site| site.kind == Kind::Window && site.window.end > site.after),
        islands: count(|site| site.kind == Kind::Island),
        trapped: count(|site| matches!(site.kind, Kind::Trapped(_))),
        dismissed: Dismissed {
            outside_code,
            ..redirection.dismissed
        },
    }
}
