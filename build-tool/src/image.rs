//! From a static program to an image: rewrite, place, describe, write.
//!
//! Main types: [`Request`], [`Made`]; main function: [`make`]. The parts come from `elf` (headers and
//! addresses), the rewriter, [`crate::libos`] and [`crate::rootfs`]; what is particular to an image is
//! put together here. No files are opened.

use crate::config::Settings;
use crate::elf::emit::{self, Content, Part};
use crate::elf::layout::{Bases, Tail};
use crate::elf::parse::{Access, Segment};
use crate::elf::{Program, note, pack, parse, to_u64};
use crate::libos::Libos;
use anyhow::{Context, Result};
use libos_abi::image::Site;
use libos_abi::manifest::{App, Layout, Manifest, Mode, Range, SiteCounts};
use libos_rewrite::Kind as Redirected;

/// What an image is made of.
pub struct Request<'a> {
    /// The program's ELF file.
    pub program: &'a [u8],
    /// The libOS.
    pub libos: &'a Libos,
    /// How it is to run.
    pub settings: &'a Settings,
    /// The path that the program sees as its own.
    pub exe_path: String,
    /// Length of the root file system, which belongs behind the image's file; 0 if there is none.
    pub rootfs_len: u64,
}

/// A new image.
pub struct Made {
    /// The bytes of its file up to the root file system.
    pub file: Vec<u8>,
    /// What the user should know, one sentence each.
    pub remarks: Vec<String>,
}

/// The blobs of an image, by their index in its file.
#[derive(Clone, Copy)]
enum Blob {
    Program,
    Libos,
    Stubs,
    Sites,
    Rootfs,
}

/// Makes an image.
///
/// # Errors
/// The program cannot become one: not static, writable code, a system call that cannot be redirected.
pub fn make(request: Request<'_>) -> Result<Made> {
    let program = parse::parse(request.program)?;
    let libos = request.libos;
    let bases = Bases::behind(program.extent().end, libos.program.extent().end);
    let output = rewrite(request.program, bases, libos, request.settings.mode)?;
    let sites = site_table(&output.sites);
    let blobs = vec![
        pack::pack(&program, output.elf),
        loaded(libos),
        output.stubs,
        sites,
        // The last one: it is appended by the caller.
        Vec::new(),
    ];
    let [stubs, sites, program_len] =
        [Blob::Stubs, Blob::Sites, Blob::Program].map(|blob| to_u64(blobs[blob as usize].len()));
    let tail = Tail::place(bases.stubs, [stubs, sites, program_len, request.rootfs_len]);
    let manifest = manifest(
        request.settings,
        request.exe_path,
        layout(&program, libos, bases, tail),
        &program,
        counts(&output.stats),
    );
    let file = emit::write(&emit::Image {
        kind: program.kind,
        entry: libos.entry + bases.libos,
        parts: parts(&program, libos, bases, tail),
        note: note::write(&manifest.to_json().context("writing the manifest")?),
        blobs,
    })?;
    Ok(Made {
        file,
        remarks: remarks(&program, &manifest),
    })
}

fn rewrite(
    program: &[u8],
    bases: Bases,
    libos: &Libos,
    mode: Mode,
) -> Result<libos_rewrite::Output> {
    let layout = libos_rewrite::Layout {
        stub_vaddr: bases.stubs,
        gate_vaddr: libos.gate + bases.libos,
    };
    let mode = match mode {
        Mode::Strict => libos_rewrite::Mode::Strict,
        Mode::Compat => libos_rewrite::Mode::Compat,
    };
    libos_rewrite::rewrite(program, layout, mode).context("redirecting the program's system calls")
}

/// The redirected sites by address, as the libOS reads them.
fn site_table(sites: &[libos_rewrite::Site]) -> Vec<u8> {
    let mut table: Vec<Site> = sites
        .iter()
        .filter(|site| !matches!(site.kind, Redirected::Trapped(_)))
        .map(|site| Site {
            syscall: site.syscall_vaddr,
            stub: site.stub_vaddr,
            call: site.call_vaddr,
            resume: site.resume_vaddr,
        })
        .collect();
    table.sort_by_key(|site| site.syscall);
    let words = table
        .iter()
        .flat_map(|site| [site.syscall, site.stub, site.call, site.resume]);
    words.flat_map(u64::to_le_bytes).collect()
}

/// The part of the libOS's file that its segments show; its symbols stay behind.
fn loaded(libos: &Libos) -> Vec<u8> {
    let ends = libos
        .program
        .segments
        .iter()
        .map(|segment| segment.offset + segment.filesz);
    let end = usize::try_from(ends.max().unwrap_or(0)).unwrap_or(usize::MAX);
    libos.file[..end.min(libos.file.len())].to_vec()
}

fn parts(program: &Program, libos: &Libos, bases: Bases, tail: Tail) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    parts.extend(
        program
            .segments
            .iter()
            .map(|segment| of_file(segment, 0, Blob::Program)),
    );
    parts.extend(
        libos
            .program
            .segments
            .iter()
            .map(|segment| of_file(segment, bases.libos, Blob::Libos)),
    );
    for (range, access, blob) in [
        (tail.stubs, Access::ReadExecute, Blob::Stubs),
        (tail.sites, Access::Read, Blob::Sites),
        (tail.app_file, Access::Read, Blob::Program),
        (tail.rootfs, Access::Read, Blob::Rootfs),
    ] {
        if range.len != 0 {
            parts.push(whole(range, access, blob));
        }
    }
    parts
}

fn of_file(segment: &Segment, bias: u64, blob: Blob) -> Part {
    let vaddr = segment.vaddr + bias;
    // Without bytes in the file, any offset will do that agrees with the address.
    let offset = if segment.filesz == 0 {
        vaddr % crate::elf::PAGE
    } else {
        segment.offset
    };
    Part {
        vaddr,
        memsz: segment.memsz,
        access: segment.access,
        content: Content {
            blob: blob as usize,
            offset,
            len: segment.filesz,
        },
    }
}

fn whole(range: Range, access: Access, blob: Blob) -> Part {
    Part {
        vaddr: range.start,
        memsz: range.len,
        access,
        content: Content {
            blob: blob as usize,
            offset: 0,
            len: range.len,
        },
    }
}

fn layout(program: &Program, libos: &Libos, bases: Bases, tail: Tail) -> Layout {
    let moved = |range: Range| Range {
        start: range.start + bases.libos,
        ..range
    };
    let app = program.extent();
    Layout {
        app: Range {
            start: app.start,
            len: app.end - app.start,
        },
        libos: moved(Range {
            start: 0,
            len: libos.program.extent().end,
        }),
        hypercall: moved(libos.hypercall),
        signal_entry: libos.signal_entry + bases.libos,
        gate: libos.gate + bases.libos,
        stubs: tail.stubs,
        sites: tail.sites,
        app_file: tail.app_file,
        rootfs: tail.rootfs,
    }
}

fn counts(stats: &libos_rewrite::Stats) -> SiteCounts {
    SiteCounts {
        found: to_u64(stats.found),
        window: to_u64(stats.windows),
        island: to_u64(stats.islands),
        trapped: to_u64(stats.trapped),
    }
}

fn manifest(
    settings: &Settings,
    exe_path: String,
    layout: Layout,
    program: &Program,
    sites: SiteCounts,
) -> Manifest {
    Manifest {
        abi_version: libos_abi::ABI_VERSION,
        name: settings.name.clone(),
        exe_path,
        mode: settings.mode,
        args: settings.args.clone(),
        env: settings.env.clone(),
        cwd: settings.cwd.clone(),
        hostname: settings.hostname.clone(),
        memory: settings.memory,
        devices: settings.devices.clone(),
        network: settings.network,
        publish: settings.publish.clone(),
        layout,
        app: App {
            relocatable: program.kind == crate::elf::Kind::Relocatable,
            entry: program.entry,
            phdr: program.phdr,
            phnum: program.phnum,
        },
        sites,
    }
}

fn remarks(program: &Program, manifest: &Manifest) -> Vec<String> {
    let mut remarks = Vec::new();
    if program.executable_stack {
        remarks.push("the program asks for an executable stack; it gets one that is not".into());
    }
    if manifest.sites.trapped != 0 {
        remarks.push(format!(
            "{} of {} system-call sites are not redirected; each use of one traps (compat mode)",
            manifest.sites.trapped, manifest.sites.found
        ));
    }
    remarks
}
