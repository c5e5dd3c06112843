//! Handles: the host objects that the image may use, opened before the filter.
//!
//! Main type: [`Handles`], the list from which the filter's rules and the boot information are made.
//! A handle's descriptor is final only after [`Handles::renumber`]. The state of descriptors that are
//! shared with the caller (O_NONBLOCK, position) is never changed.

use crate::cli::{RunConfig, Trace};
use crate::disk::{self, Disk};
use crate::error::{Error, Step};
use crate::net::{Interface, Networks};
use crate::share::SharedFolder;
use crate::terminal;
use libos_abi::boot::Terminal;
use libos_abi::handle::HandleKind;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, IntoRawFd};
use std::path::Path;

/// The three console descriptors, in the order of their kinds.
const CONSOLE: [(HandleKind, i32); 3] = [
    (HandleKind::ConsoleIn, libc::STDIN_FILENO),
    (HandleKind::ConsoleOut, libc::STDOUT_FILENO),
    (HandleKind::ConsoleErr, libc::STDERR_FILENO),
];

/// First descriptor behind the console's.
const FIRST_FREE: i32 = 3;

/// One open host object.
#[derive(Clone, Copy, Debug)]
pub struct OpenHandle {
    /// What it is.
    pub kind: HandleKind,
    /// Its descriptor.
    pub fd: i32,
    /// `st_mode`.
    pub mode: u32,
    /// `O_*` flags of the description.
    pub status_flags: u32,
    /// `st_rdev`.
    pub rdev: u64,
    /// `st_ino`.
    pub ino: u64,
    /// Whether it is a terminal.
    pub is_terminal: bool,
    /// The network interface whose frames it carries: its place in [`Networks::interfaces`].
    pub interface: Option<usize>,
    /// The shared folder whose messages it carries: its place in the list of them.
    pub share: Option<usize>,
    /// The disk that it belongs to: its place in the list of them.
    pub disk: Option<usize>,
}

/// All handles of a run.
#[derive(Debug, Default)]
pub struct Handles {
    /// In order of their descriptors.
    pub list: Vec<OpenHandle>,
    /// State of the first console handle that is a terminal.
    pub terminal: Terminal,
}

impl Handles {
    /// Opens the console, and the files that the command line names.
    ///
    /// # Errors
    /// [`Error::OpenFile`] for those files, [`Error::System`] for the console.
    pub fn open(config: &RunConfig) -> Result<Self, Error> {
        let mut handles = Self::default();
        for (kind, fd) in CONSOLE {
            handles.add(kind, fd)?;
        }
        match &config.trace {
            None => {}
            Some(Trace::Stderr) => {
                let copy = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stderr(), FIRST_FREE)
                    .map_err(|error| system("fcntl(F_DUPFD_CLOEXEC) for --strace", error.into()))?;
                handles.add(HandleKind::Log, copy.into_raw_fd())?;
            }
            Some(Trace::File(path)) => handles.create(HandleKind::Log, "--strace", path)?,
        }
        if let Some(path) = &config.report {
            handles.create(HandleKind::Report, "--report", path)?;
        }
        Ok(handles)
    }

    /// Takes the interfaces' descriptors as handles.
    ///
    /// # Errors
    /// [`Error::System`].
    pub fn add_networks(&mut self, networks: &mut Networks) -> Result<(), Error> {
        let interfaces = networks.interfaces.iter_mut().enumerate();
        for (index, Interface { fd, .. }) in interfaces {
            // Kept open for the life of the process.
            let Some(fd) = fd.take().map(IntoRawFd::into_raw_fd) else {
                continue;
            };
            let handle = describe(HandleKind::Net, fd)?;
            let interface = Some(index);
            self.list.push(OpenHandle {
                interface,
                ..handle
            });
        }
        Ok(())
    }

    /// Takes the shared folders' descriptors as handles.
    ///
    /// # Errors
    /// [`Error::System`].
    pub fn add_shares(&mut self, shares: &mut [SharedFolder]) -> Result<(), Error> {
        for (index, SharedFolder { fd, .. }) in shares.iter_mut().enumerate() {
            // Kept open for the life of the process.
            let Some(fd) = fd.take().map(IntoRawFd::into_raw_fd) else {
                continue;
            };
            let handle = describe(HandleKind::Share, fd)?;
            let share = Some(index);
            self.list.push(OpenHandle { share, ..handle });
        }
        Ok(())
    }

    /// Takes the disks' descriptors as handles.
    ///
    /// # Errors
    /// [`Error::System`].
    pub fn add_disks(&mut self, disks: &mut [Disk]) -> Result<(), Error> {
        for (index, opened) in disks.iter_mut().enumerate() {
            let [kind, sync] = disk::handle_kinds(opened.read_only);
            // Kept open for the life of the process.
            let main = opened.file.take().map(IntoRawFd::into_raw_fd);
            let second = opened.sync.take().map(IntoRawFd::into_raw_fd);
            for (kind, fd) in kind.zip(main).into_iter().chain(sync.zip(second)) {
                let handle = describe(kind, fd)?;
                let disk = Some(index);
                self.list.push(OpenHandle { disk, ..handle });
            }
        }
        Ok(())
    }

    /// The handles that a run with this many interfaces and shared folders, these disks and no other options has, for
    /// showing its filter.
    pub fn typical(interfaces: usize, shares: usize, disks: &[disk::spec::Spec]) -> Self {
        let console = [
            HandleKind::ConsoleIn,
            HandleKind::ConsoleOut,
            HandleKind::ConsoleErr,
        ];
        let networks = std::iter::repeat_n(HandleKind::Net, interfaces);
        let shares = std::iter::repeat_n(HandleKind::Share, shares);
        let disks = disks
            .iter()
            .flat_map(|disk| disk::handle_kinds(disk.read_only))
            .flatten();
        let statistics = [HandleKind::Pagemap, HandleKind::Statm, HandleKind::CpuInfo];
        let kinds = console
            .into_iter()
            .chain(networks)
            .chain(shares)
            .chain(disks)
            .chain(statistics);
        let list = (0..)
            .zip(kinds)
            .map(|(fd, kind)| OpenHandle::unknown(kind, fd));
        Self {
            list: list.collect(),
            terminal: Terminal::default(),
        }
    }

    /// Moves the handles to descriptors 0, 1, 2, 3 … without gaps, and closes every other one.
    ///
    /// # Errors
    /// [`Error::System`].
    pub fn renumber(&mut self) -> Result<(), Error> {
        // Ascending, and none below its target: so no move lands on a handle that is yet to move.
        self.list.sort_unstable_by_key(|handle| handle.fd);
        for (target, handle) in (0..).zip(&mut self.list) {
            if handle.fd != target {
                move_descriptor(handle.fd, target)?;
                handle.fd = target;
            }
        }
        close_from(u32::try_from(self.list.len()).unwrap_or(u32::MAX))
    }

    /// Opens what this process may read about itself and the CPU. All are optional: without them the
    /// libOS clears more memory than it must, or reports less.
    ///
    /// Only to be called without capabilities: the kernel checks those of the opener, and hides frame
    /// numbers from one that has none.
    pub fn open_statistics(&mut self) {
        for (kind, path) in [
            (HandleKind::Pagemap, c"/proc/self/pagemap"),
            (HandleKind::Statm, c"/proc/self/statm"),
            (HandleKind::CpuInfo, c"/proc/cpuinfo"),
        ] {
            let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC;
            if let Ok(file) = rustix::fs::open(path, flags, rustix::fs::Mode::empty()) {
                let mode = libc::S_IFREG | 0o400;
                let handle = OpenHandle::unknown(kind, file.into_raw_fd());
                self.list.push(OpenHandle { mode, ..handle });
            }
        }
    }

    /// How many handles may appear in a ppoll(2) set.
    pub fn pollable(&self) -> usize {
        self.list
            .iter()
            .filter(|handle| handle.kind.rights().poll)
            .count()
    }

    fn create(&mut self, kind: HandleKind, option: &'static str, path: &Path) -> Result<(), Error> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
            .map_err(|source| Error::OpenFile {
                option,
                path: path.to_owned(),
                source,
            })?;
        // Kept open for the life of the process.
        self.add(kind, file.into_raw_fd())
    }

    fn add(&mut self, kind: HandleKind, fd: i32) -> Result<(), Error> {
        let handle = describe(kind, fd)?;
        let terminal = match handle.mode & libc::S_IFMT {
            libc::S_IFCHR => terminal::read(fd),
            _ => None,
        };
        if let (0, Some(terminal)) = (self.terminal.present, terminal) {
            self.terminal = terminal;
        }
        let is_terminal = terminal.is_some();
        self.list.push(OpenHandle {
            is_terminal,
            ..handle
        });
        Ok(())
    }
}

impl OpenHandle {
    /// A handle of which nothing but the kind matters.
    fn unknown(kind: HandleKind, fd: i32) -> Self {
        Self {
            kind,
            fd,
            mode: 0,
            status_flags: 0,
            rdev: 0,
            ino: 0,
            is_terminal: false,
            interface: None,
            share: None,
            disk: None,
        }
    }
}

/// What fstat(2) and fcntl(2) say of it.
fn describe(kind: HandleKind, fd: i32) -> Result<OpenHandle, Error> {
    let stat = stat(fd)?;
    // SAFETY: F_GETFL reads the flags of an open descriptor.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    Ok(OpenHandle {
        mode: stat.st_mode,
        status_flags: u32::try_from(flags).unwrap_or(0),
        rdev: stat.st_rdev,
        ino: stat.st_ino,
        ..OpenHandle::unknown(kind, fd)
    })
}

fn system(call: &'static str, source: io::Error) -> Error {
    Error::System {
        step: Step::Handles,
        call,
        source,
    }
}

fn stat(fd: i32) -> Result<libc::stat, Error> {
    let mut stat = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: fstat writes one `struct stat` to its argument.
    if unsafe { libc::fstat(fd, stat.as_mut_ptr()) } != 0 {
        return Err(system("fstat(2) of a handle", io::Error::last_os_error()));
    }
    // SAFETY: fstat succeeded, so it has written the whole record.
    Ok(unsafe { stat.assume_init() })
}

/// Opens `/dev/null` in place of each console descriptor that the caller has closed, so that no file
/// opened later gets its number.
///
/// # Errors
/// [`Error::System`].
pub fn ensure_console() -> Result<(), Error> {
    CONSOLE.iter().try_for_each(|&(_, fd)| ensure_open(fd))
}

fn ensure_open(fd: i32) -> Result<(), Error> {
    // SAFETY: F_GETFD reads a descriptor's flags, and fails for a closed one.
    if unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0 {
        return Ok(());
    }
    let null = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")
        .map_err(|source| {
            system(
                "open(2) of /dev/null for a closed console descriptor",
                source,
            )
        })?;
    // Descriptors below `fd` are open, so it is the lowest free one and `null` has got it already.
    if null.as_raw_fd() == fd {
        let _ = null.into_raw_fd();
        return Ok(());
    }
    move_descriptor(null.into_raw_fd(), fd)
}

fn move_descriptor(from: i32, to: i32) -> Result<(), Error> {
    // SAFETY: nothing owns `to`: what it may hold is closed for good, as all but the handles is.
    if unsafe { libc::dup3(from, to, libc::O_CLOEXEC) } < 0 {
        return Err(Error::System {
            step: Step::Descriptors,
            call: "dup3(2) of a handle",
            source: io::Error::last_os_error(),
        });
    }
    Ok(())
}

/// Closes every descriptor from `first` on.
fn close_from(first: u32) -> Result<(), Error> {
    // SAFETY: nothing in this process uses a descriptor from `first` on again: the handles lie below,
    // and the image file has been mapped.
    if unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) } != 0 {
        return Err(Error::System {
            step: Step::Descriptors,
            call: "close_range(2) of everything that is not a handle",
            source: io::Error::last_os_error(),
        });
    }
    Ok(())
}
