//! A run, step by step. The order is the sandbox: see `docs/security.md` for why it is this one.

use crate::boot::{self, Facts};
use crate::cli::RunConfig;
use crate::confine;
use crate::disk;
use crate::error::{Error, Step};
use crate::handles::{self, Handles};
use crate::host;
use crate::image::Image;
use crate::launch;
use crate::net;
use crate::share;
use crate::signals;
use crate::space::segments::BaseSource;
use crate::space::{Space, memory, module};
use crate::timing::Phases;
use crate::vdso;
use std::convert::Infallible;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

/// Period of the preemption tick, in microseconds of CPU time: Linux's own at HZ=250.
const TICK_US: u32 = 4000;

/// Runs an image. Returns only to report why it could not be entered.
///
/// # Errors
/// The step that failed.
pub fn run(config: &RunConfig, started_ns: u64) -> Result<Infallible, Error> {
    let mut phases = Phases::since(started_ns);
    phases.end("parse");
    handles::ensure_console()?;
    let (file, image) = open_image(&config.image)?;
    phases.end("validate");
    let host = host::examine()?;
    let memory_limit = memory::limit(&image, config.memory, host.memory)?;
    phases.end("host");
    let mut handles = Handles::open(config)?;
    phases.end("handles");
    let plan = net::plan(&config.net, &image.manifest)?;
    let mut networks = net::open(&plan)?;
    handles.add_networks(&mut networks)?;
    phases.end("net");
    let mut shares = share::open(&config.volumes)?;
    handles.add_shares(&mut shares)?;
    phases.end("shares");
    let mut disks = disk::open(&config.disks)?;
    handles.add_disks(&mut disks)?;
    phases.end("disks");
    let space = Space::map(&image, file.as_fd(), memory_limit, base_source(config))?;
    let drivers = config.disks.iter().filter_map(|disk| disk.driver);
    let modules = module::map_all(drivers, base_source(config))?;
    let vdso = vdso::find();
    phases.end("map");
    let ignored_signals = prepare_signals(&image, &space)?;
    phases.end("signals");
    drop(file);
    handles.renumber()?;
    phases.end("descriptors");
    confine::privileges::drop_all()?;
    handles.open_statistics();
    phases.end("privileges");
    let program = confine::compile(&image, space.bias, &handles, vdso)?;
    phases.end("filter");
    signals::start_tick(TICK_US)?;
    let departure = boot::write(&Facts {
        config,
        image: &image,
        space: &space,
        handles: &handles,
        networks: &networks,
        shares: &shares,
        disks: &disks,
        modules: &modules,
        host: &host,
        vdso,
        memory_limit,
        ignored_signals,
        tick_us: TICK_US,
        seed: seed(config)?,
        phases: &phases,
        program: &program,
    })?;
    // SAFETY: the image was validated and mapped, its stack and boot information are in place outside of
    // the tender's own regions, signals are blocked, and the tender has started no thread.
    unsafe { launch::enter(departure) }
}

/// Opens, reads and validates an image. The file is mapped for that, and unmapped again.
///
/// # Errors
/// [`Error::OpenImage`] or [`Error::Image`].
pub fn open_image(path: &Path) -> Result<(File, Image), Error> {
    let open = |source| Error::OpenImage {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(open)?;
    let metadata = file.metadata().map_err(open)?;
    if metadata.is_dir() {
        return Err(open(std::io::Error::from_raw_os_error(libc::EISDIR)));
    }
    let bytes = FileBytes::map(&file, metadata.len()).map_err(open)?;
    let image = Image::parse(bytes.as_slice()).map_err(|source| Error::Image {
        path: path.to_owned(),
        source,
    })?;
    drop(bytes);
    Ok((file, image))
}

/// A file mapped read-only: only the pages that are looked at are read.
struct FileBytes {
    start: *mut std::ffi::c_void,
    len: usize,
}

impl FileBytes {
    fn map(file: &File, len: u64) -> std::io::Result<Self> {
        let len = usize::try_from(len).map_err(std::io::Error::other)?;
        if len == 0 {
            let start = std::ptr::null_mut();
            return Ok(Self { start, len });
        }
        let (protection, flags) = (rustix::mm::ProtFlags::READ, rustix::mm::MapFlags::PRIVATE);
        // SAFETY: without MAP_FIXED the kernel picks addresses that nothing uses.
        let start =
            unsafe { rustix::mm::mmap(std::ptr::null_mut(), len, protection, flags, file, 0)? };
        Ok(Self { start, len })
    }

    fn as_slice(&self) -> &[u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: `len` bytes are mapped at `start` until drop. Another process that writes to the
        // image at this moment can make the checks see a mixture; who may write to an image may
        // choose what runs anyway.
        unsafe { std::slice::from_raw_parts(self.start.cast(), self.len) }
    }
}

impl Drop for FileBytes {
    fn drop(&mut self) {
        if self.len != 0 {
            // SAFETY: the mapping is this value's own, and no slice of it outlives the value.
            let _ = unsafe { rustix::mm::munmap(self.start, self.len) };
        }
    }
}

/// Signals stay blocked from here until the filter.
fn prepare_signals(image: &Image, space: &Space) -> Result<u64, Error> {
    signals::block_all()?;
    let handler = image.manifest.layout.signal_entry.wrapping_add(space.bias);
    signals::install(handler, space.stacks.signal)
}

fn base_source(config: &RunConfig) -> BaseSource {
    let Some(seed) = config.seed else {
        return BaseSource::Random;
    };
    let words = seed
        .chunks_exact(8)
        .filter_map(|chunk| chunk.try_into().ok());
    BaseSource::Seeded(
        words
            .map(u64::from_le_bytes)
            .fold(0x5eed, |mixed: u64, word| {
                (mixed ^ word)
                    .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                    .rotate_left(29)
            }),
    )
}

fn seed(config: &RunConfig) -> Result<[u8; 32], Error> {
    if let Some(seed) = config.seed {
        return Ok(seed);
    }
    let mut seed = [0; 32];
    rustix::rand::getrandom(&mut seed, rustix::rand::GetRandomFlags::empty()).map_err(
        |source| Error::System {
            step: Step::Handles,
            call: "getrandom(2)",
            source: source.into(),
        },
    )?;
    Ok(seed)
}
