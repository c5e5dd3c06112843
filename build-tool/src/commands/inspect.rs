//! `cargo libos inspect`: what is in an image, for people and as JSON.

use crate::cli;
use crate::config::size::shown;
use crate::elf::{self, Program, note, parse};
use crate::files;
use anyhow::{Context, Result};
use libos_abi::image::PackedFile;
use libos_abi::manifest::{Manifest, Mode, Network, Range};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::process::ExitCode;

/// Everything that is shown.
#[derive(Serialize)]
struct Report {
    /// SHA-256 of the file.
    digest: String,
    sizes: Sizes,
    /// `ET_DYN` or `ET_EXEC`.
    placement: &'static str,
    entry: u64,
    segments: Vec<SegmentLine>,
    manifest: Manifest,
}

/// Sizes in bytes: `file` on disk, `app_file` of the program's file, `app_packed` of what is compressed
/// of it, the others in memory.
#[derive(Serialize)]
struct Sizes {
    file: u64,
    app: u64,
    app_file: u64,
    app_packed: u64,
    libos: u64,
    stubs: u64,
    sites: u64,
    rootfs: u64,
}

#[derive(Serialize)]
struct SegmentLine {
    part: &'static str,
    vaddr: u64,
    memsz: u64,
    offset: u64,
    filesz: u64,
    access: &'static str,
}

/// Prints the report.
///
/// # Errors
/// The file cannot be read or is not an image.
pub fn perform(options: &cli::Inspect) -> Result<ExitCode> {
    let file = files::read(&options.image)?;
    let report =
        report(&file).with_context(|| format!("{} is not an image", options.image.display()))?;
    let text = if options.json {
        serde_json::to_string_pretty(&report)? + "\n"
    } else {
        text(&report)
    };
    print!("{text}");
    Ok(ExitCode::SUCCESS)
}

fn report(file: &[u8]) -> Result<Report> {
    let program = parse::parse(file)?;
    let notes = program.notes.iter();
    let json = notes
        .filter_map(|range| note::find(&file[range.clone()]))
        .next();
    let json = json.context(
        "expected a note with a manifest, found none; make an image with `cargo libos image`",
    )?;
    let manifest = Manifest::from_json(json)
        .context("its manifest cannot be read; was it made by another version?")?;
    let layout = &manifest.layout;
    let (app_file, app_packed) = app_file(&program, file, layout.app_file);
    Ok(Report {
        digest: digest(file),
        sizes: Sizes {
            file: elf::to_u64(file.len()),
            app: layout.app.len,
            app_file,
            app_packed,
            libos: layout.libos.len,
            stubs: layout.stubs.len,
            sites: layout.sites.len,
            rootfs: layout.rootfs.len,
        },
        placement: match program.kind {
            elf::Kind::Relocatable => "ET_DYN",
            elf::Kind::Fixed => "ET_EXEC",
        },
        entry: program.entry,
        segments: segments(&program, &manifest),
        manifest,
    })
}

/// Length of the program's file in the part `range`, and of what is compressed of it.
fn app_file(program: &Program, file: &[u8], range: Range) -> (u64, u64) {
    let mut segments = program.segments.iter();
    let part = segments.find(|segment| segment.vaddr == range.start && range.len != 0);
    let bytes = part.and_then(|part| {
        let start = usize::try_from(part.offset).ok()?;
        file.get(start..)?.get(..usize::try_from(part.filesz).ok()?)
    });
    match bytes.and_then(PackedFile::of_part) {
        Some((record, packed)) => (record.len, elf::to_u64(packed.len())),
        None => (range.len, 0),
    }
}

fn digest(file: &[u8]) -> String {
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(file) {
        // Writing to a string does not fail.
        write!(text, "{byte:02x}").unwrap_or_default();
    }
    text
}

fn segments(program: &Program, manifest: &Manifest) -> Vec<SegmentLine> {
    let layout = &manifest.layout;
    let parts = [
        ("program", layout.app),
        ("libos", layout.libos),
        ("stubs", layout.stubs),
        ("sites", layout.sites),
        ("app file", layout.app_file),
        ("rootfs", layout.rootfs),
    ];
    let part_of = |address: u64| {
        let inside = |range: &libos_abi::manifest::Range| {
            address
                .checked_sub(range.start)
                .is_some_and(|offset| offset < range.len)
        };
        parts
            .iter()
            .find(|(_, range)| inside(range))
            .map_or("?", |(name, _)| name)
    };
    let line = |segment: &elf::Segment| SegmentLine {
        part: part_of(segment.vaddr),
        vaddr: segment.vaddr,
        memsz: segment.memsz,
        offset: segment.offset,
        filesz: segment.filesz,
        access: segment.access.shown(),
    };
    program.segments.iter().map(line).collect()
}

fn text(report: &Report) -> String {
    let mut out = String::new();
    describe(report, &mut out).unwrap_or_default();
    out
}

fn describe(report: &Report, out: &mut String) -> std::fmt::Result {
    let manifest = &report.manifest;
    let sites = &manifest.sites;
    let mode = match manifest.mode {
        Mode::Strict => "strict: any call past the libOS kills the process",
        Mode::Compat => "compat: calls that were not redirected trap into the libOS",
    };
    writeln!(out, "name       {}", manifest.name)?;
    writeln!(out, "digest     {}", report.digest)?;
    writeln!(out, "abi        {}", manifest.abi_version)?;
    writeln!(out, "mode       {mode}")?;
    writeln!(
        out,
        "placement  {}, entry {:#x}",
        report.placement, report.entry
    )?;
    writeln!(
        out,
        "sites      {} found: {} by window, {} by island, {} trapped",
        sites.found, sites.window, sites.island, sites.trapped
    )?;
    writeln!(out, "memory     {}", shown(manifest.memory))?;
    writeln!(out, "exe        {}", manifest.exe_path)?;
    writeln!(out, "args       {:?}", manifest.args)?;
    for (name, value) in &manifest.env {
        writeln!(out, "env        {name}={value}")?;
    }
    writeln!(out, "cwd        {}", manifest.cwd)?;
    writeln!(out, "hostname   {}", manifest.hostname)?;
    for device in &manifest.devices {
        writeln!(out, "device     {} ({})", device.name, device.kind)?;
    }
    writeln!(out, "network    {}", network(manifest))?;
    for ports in &manifest.publish {
        writeln!(out, "publish    {ports}")?;
    }
    sizes(&report.sites_and_sizes(), out)?;
    writeln!(
        out,
        "\npart             address       memory  access    in file at       bytes"
    )?;
    for line in &report.segments {
        writeln!(
            out,
            "{:<9} {:>#14x} {:>#12x}  {:<6} {:>#14x} {:>#11x}",
            line.part, line.vaddr, line.memsz, line.access, line.offset, line.filesz
        )?;
    }
    Ok(())
}

/// What a run that names no network gets.
fn network(manifest: &Manifest) -> &'static str {
    match manifest.network {
        Some(Network::User) => "user",
        Some(Network::None) => "none",
        None if manifest.publish.is_empty() => "none (default)",
        None => "user (for the published ports)",
    }
}

fn sizes(lines: &[(&str, u64)], out: &mut String) -> std::fmt::Result {
    for (name, bytes) in lines {
        writeln!(out, "{name:<10} {} ({bytes} bytes)", shown(*bytes))?;
    }
    Ok(())
}

impl Report {
    fn sites_and_sizes(&self) -> [(&'static str, u64); 7] {
        let sizes = &self.sizes;
        [
            ("file", sizes.file),
            ("program", sizes.app_file),
            ("packed", sizes.app_packed),
            ("libos", sizes.libos),
            ("stubs", sizes.stubs),
            ("table", sizes.sites),
            ("rootfs", sizes.rootfs),
        ]
    }
}
