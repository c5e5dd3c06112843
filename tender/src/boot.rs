//! The boot information, laid out in memory of its own that outlives the tender.
//!
//! The first page holds the record itself and stays writable, so that the libOS can wipe the seed;
//! everything that it points to follows and is read-only. Main types: [`Facts`] (what goes in),
//! [`Arena`] (where it is put).

use crate::cli::RunConfig;
use crate::disk::Disk;
use crate::error::Error;
use crate::handles::Handles;
use crate::host::Host;
use crate::image::{Image, PAGE};
use crate::launch::{self, Departure, Filter};
use crate::net::{Interface, Networks, address};
use crate::share::SharedFolder;
use crate::space::Space;
use crate::space::region;
use crate::timing::Phases;
use crate::vdso::Vdso;
use libos_abi::block::{self, Block};
use libos_abi::boot::{App, Array, BOOT_MAGIC, BootInfo, Phase, Span, Text, options};
use libos_abi::driver::Module;
use libos_abi::handle::{Handle, HandleKind};
use libos_abi::image::Site;
use libos_abi::manifest::Range;
use libos_abi::net::{NetAddress, NetInterface, NetRoute};
use libos_abi::share::Share;
use libos_abi::{ABI_VERSION, PAGE_SIZE};
use rustix::mm::{MprotectFlags, ProtFlags};
use seccompiler::sock_filter;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// `size_of::<BootInfo>()` in the width of its field; it fits into a page.
#[expect(
    clippy::cast_possible_truncation,
    reason = "asserted to be at most a page"
)]
const RECORD_LEN: u32 = {
    assert!(size_of::<BootInfo>() <= PAGE_SIZE);
    size_of::<BootInfo>() as u32
};

/// Room for everything whose length the command line does not decide: paths of the manifest, handles,
/// stack zones, phases, the filter.
const FIXED_LEN: usize = 16 * PAGE_SIZE;

/// Everything that the record tells.
pub struct Facts<'a> {
    /// The command line.
    pub config: &'a RunConfig,
    /// The image.
    pub image: &'a Image,
    /// Where it is mapped.
    pub space: &'a Space,
    /// Its host objects, with their final descriptors.
    pub handles: &'a Handles,
    /// Its network interfaces.
    pub networks: &'a Networks,
    /// Its shared folders.
    pub shares: &'a [SharedFolder],
    /// Its disks.
    pub disks: &'a [Disk],
    /// The drivers of their file systems.
    pub modules: &'a [Module],
    /// The host.
    pub host: &'a Host,
    /// The vDSO.
    pub vdso: Vdso,
    /// Memory limit in bytes.
    pub memory_limit: u64,
    /// Signals that the caller ignores; bit `n - 1` for signal `n`.
    pub ignored_signals: u64,
    /// Period of the tick, in microseconds.
    pub tick_us: u32,
    /// Entropy.
    pub seed: [u8; 32],
    /// The steps so far.
    pub phases: &'a Phases,
    /// The filter.
    pub program: &'a [sock_filter],
}

/// Writes the record, and beside it what the trampoline works from. Both stay where they are for the life
/// of the process.
///
/// # Errors
/// [`Error::System`] of mmap or mprotect.
pub fn write(facts: &Facts<'_>) -> Result<*const Departure, Error> {
    let args = arguments(facts);
    let env = environment(facts);
    let texts: usize = args
        .iter()
        .chain(&env)
        .map(|text| text.len() + size_of::<Text>() + 8)
        .sum();
    let networks = networks_len(facts.networks) + shares_len(facts.shares);
    let disks = disks_len(facts.disks);
    let mut arena = Arena::new((texts + networks + disks + FIXED_LEN) as u64)?;
    let info = record(facts, &args, &env, &mut arena);
    let departure = departure(facts, &mut arena)?;
    arena.finish(info)?;
    Ok(departure)
}

fn departure(facts: &Facts<'_>, arena: &mut Arena) -> Result<*const Departure, Error> {
    let Facts { space, vdso, .. } = facts;
    let regions = launch::own_regions(Span {
        start: vdso.start,
        len: vdso.len,
    });
    let filter = Filter {
        len: u16::try_from(facts.program.len()).map_err(|_| Error::Profile("too long".into()))?,
        first: arena.array(&kernel_program(facts.program)).ptr,
    };
    let departure = Departure {
        regions: arena.array(&regions).ptr,
        filter,
        empty_mask: 0,
        entry: facts.image.entry.wrapping_add(space.bias),
        stack: space.stacks.boot.end(),
        boot: region::pointer(arena.whole.start).cast(),
    };
    Ok(arena.array(&[departure]).ptr)
}

/// The filter as plain data of the kernel's type.
fn kernel_program(program: &[sock_filter]) -> Vec<libc::sock_filter> {
    let convert =
        |&sock_filter { code, jt, jf, k }: &sock_filter| libc::sock_filter { code, jt, jf, k };
    program.iter().map(convert).collect()
}

fn record(facts: &Facts<'_>, args: &[Vec<u8>], env: &[Vec<u8>], arena: &mut Arena) -> BootInfo {
    let Facts {
        config,
        image,
        space,
        ..
    } = facts;
    let manifest = &image.manifest;
    let layout = &manifest.layout;
    let mapped = |range: Range| mapped(range, space.bias);
    let text = |given: &Option<std::ffi::OsString>, default: &str, arena: &mut Arena| match given {
        Some(given) => arena.text(given.as_bytes()),
        None => arena.text(default.as_bytes()),
    };
    BootInfo {
        magic: BOOT_MAGIC,
        abi_version: ABI_VERSION,
        size: RECORD_LEN,
        options: options_of(facts),
        image_bias: space.bias,
        libos: mapped(layout.libos),
        stubs: mapped(layout.stubs),
        sites: sites(layout.sites, space.bias),
        vdso: Span {
            start: facts.vdso.start,
            len: facts.vdso.len,
        },
        vdso_clock_gettime: facts.vdso.clock_gettime,
        rootfs: mapped(layout.rootfs),
        memory: space.memory,
        memory_limit: facts.memory_limit,
        stack_zones: arena.array(&space.stacks.zones),
        main_stack: space.stacks.main,
        boot_stack: space.stacks.boot,
        signal_stack: space.stacks.signal,
        exec_arena: space.exec_arena,
        app: app(facts, arena),
        handles: handles(facts.handles, arena),
        args: arena.texts(args),
        env: arena.texts(env),
        cwd: text(&config.cwd, &manifest.cwd, arena),
        hostname: text(&config.hostname, &manifest.hostname, arena),
        ids: facts.host.ids,
        hwcap: facts.host.hwcap,
        seed: facts.seed,
        mix_rdrand: u32::from(config.seed.is_none()),
        tick_us: facts.tick_us,
        terminal: facts.handles.terminal,
        phases: phases(facts.phases, arena),
        started_ns: facts.phases.started_ns,
        cpuinfo: Array::from_static(&[]),
        host_memory: facts.host.memory,
        ignored_signals: facts.ignored_signals,
        interfaces: interfaces(facts, arena),
        dns: dns(facts.networks, arena),
        dns_search: arena.texts(&search(facts.networks)),
        shares: shares(facts, arena),
        blocks: blocks(facts, arena),
        modules: arena.array(facts.modules),
    }
}

/// Enough room for what [`interfaces`], [`dns`] and [`search`] put into the arena, in bytes.
fn networks_len(networks: &Networks) -> usize {
    let interface = |interface: &Interface| {
        size_of::<NetInterface>()
            + interface.name.len()
            + interface.addresses.len() * size_of::<NetAddress>()
            + interface.routes.len() * size_of::<NetRoute>()
            + 4 * align_of::<u64>()
    };
    let interfaces: usize = networks.interfaces.iter().map(interface).sum();
    let search = |domain: &String| domain.len() + size_of::<Text>() + align_of::<u64>();
    let search: usize = networks.search.iter().map(search).sum();
    interfaces + search + networks.dns.len() * size_of::<NetAddress>()
}

/// Enough room for what [`shares`] puts into the arena, in bytes.
fn shares_len(shares: &[SharedFolder]) -> usize {
    let share = |share: &SharedFolder| share.target.len() + size_of::<Share>() + align_of::<u64>();
    shares.iter().map(share).sum()
}

fn shares(facts: &Facts<'_>, arena: &mut Arena) -> Array<Share> {
    let mut list: Vec<Share> = Vec::new();
    for (index, share) in facts.shares.iter().enumerate() {
        let mut handles = facts.handles.list.iter();
        let handle = handles.position(|handle| handle.share == Some(index));
        let Some(handle) = handle.and_then(|handle| u32::try_from(handle).ok()) else {
            continue;
        };
        list.push(Share {
            handle,
            flags: share.flags,
            target: arena.text(&share.target),
        });
    }
    arena.array(&list)
}

/// Enough room for what [`blocks`] puts into the arena, and for their handles, in bytes.
fn disks_len(disks: &[Disk]) -> usize {
    let disk = |disk: &Disk| {
        disk.name.len()
            + disk.mount.len()
            + size_of::<Block>()
            + 2 * size_of::<Handle>()
            + 3 * align_of::<u64>()
    };
    disks.iter().map(disk).sum()
}

fn blocks(facts: &Facts<'_>, arena: &mut Arena) -> Array<Block> {
    let mut list: Vec<Block> = Vec::new();
    for (index, disk) in facts.disks.iter().enumerate() {
        let handle_where = |is_sync: bool| {
            let mut handles = facts.handles.list.iter();
            let position = handles.position(|handle| {
                handle.disk == Some(index) && (handle.kind == HandleKind::BlockSync) == is_sync
            });
            position.and_then(|handle| u32::try_from(handle).ok())
        };
        let Some(handle) = handle_where(false) else {
            continue;
        };
        list.push(Block {
            name: arena.text(disk.name.as_bytes()),
            handle,
            sync_handle: handle_where(true).unwrap_or(block::NO_HANDLE),
            len: disk.len,
            flags: if disk.read_only {
                block::flags::READ_ONLY
            } else {
                0
            },
            fs: disk.driver.map_or(block::RAW, |driver| driver as u32),
            mount: arena.text(&disk.mount),
        });
    }
    arena.array(&list)
}

fn interfaces(facts: &Facts<'_>, arena: &mut Arena) -> Array<NetInterface> {
    let mut list: Vec<NetInterface> = Vec::new();
    for (index, interface) in facts.networks.interfaces.iter().enumerate() {
        let mut handles = facts.handles.list.iter();
        let handle = handles.position(|handle| handle.interface == Some(index));
        let Some(handle) = handle.and_then(|handle| u32::try_from(handle).ok()) else {
            continue;
        };
        list.push(net_interface(interface, handle, arena));
    }
    arena.array(&list)
}

fn net_interface(interface: &Interface, handle: u32, arena: &mut Arena) -> NetInterface {
    let addresses: Vec<NetAddress> = interface
        .addresses
        .iter()
        .map(|network| network.to_abi())
        .collect();
    let gateway = |gateway| address::to_abi(gateway, address::bits(gateway));
    let routes: Vec<NetRoute> = interface
        .routes
        .iter()
        .map(|route| NetRoute {
            destination: route.destination.to_abi(),
            gateway: route.gateway.map_or(address::NONE, gateway),
            metric: route.metric,
        })
        .collect();
    NetInterface {
        handle,
        framing: interface.framing,
        flags: interface.flags,
        mtu: interface.mtu.into(),
        mac: interface.mac,
        reserved: 0,
        name: arena.text(interface.name.as_bytes()),
        addresses: arena.array(&addresses),
        routes: arena.array(&routes),
    }
}

fn dns(networks: &Networks, arena: &mut Arena) -> Array<NetAddress> {
    let server = |server: &std::net::IpAddr| address::to_abi(*server, address::bits(*server));
    let servers: Vec<NetAddress> = networks.dns.iter().map(server).collect();
    arena.array(&servers)
}

fn search(networks: &Networks) -> Vec<Vec<u8>> {
    networks
        .search
        .iter()
        .map(|domain| domain.clone().into_bytes())
        .collect()
}

fn options_of(facts: &Facts<'_>) -> u64 {
    let choose = |condition, option| if condition { option } else { 0 };
    choose(facts.config.trace.is_some(), options::STRACE)
        | choose(facts.image.is_compat(), options::COMPAT)
        | choose(facts.vdso.is_fast, options::VDSO_CLOCK)
        | choose(facts.config.debug, options::DEBUG)
}

fn app(facts: &Facts<'_>, arena: &mut Arena) -> App {
    let manifest = &facts.image.manifest;
    let bias = facts.space.bias;
    let extent = manifest.layout.app;
    let first = extent.start & !(PAGE - 1);
    let end = (extent.start + extent.len).next_multiple_of(PAGE);
    App {
        load_bias: bias,
        entry: manifest.app.entry.wrapping_add(bias),
        phdr: match manifest.app.phdr {
            0 => 0,
            phdr => phdr.wrapping_add(bias),
        },
        phnum: manifest.app.phnum,
        extent: Span {
            start: first.wrapping_add(bias),
            len: end - first,
        },
        break_start: end.wrapping_add(bias),
        file: mapped(manifest.layout.app_file, bias),
        path: arena.text(manifest.exe_path.as_bytes()),
    }
}

/// A range of the manifest where it is mapped; an empty one has no address.
fn mapped(range: Range, bias: u64) -> Span {
    if range.len == 0 {
        return Span::default();
    }
    Span {
        start: range.start.wrapping_add(bias),
        len: range.len,
    }
}

fn sites(range: Range, bias: u64) -> Array<Site> {
    let span = mapped(range, bias);
    if span.len == 0 {
        return Array::from_static(&[]);
    }
    Array {
        ptr: region::pointer(span.start).cast(),
        len: usize::try_from(span.len).unwrap_or(0) / size_of::<Site>(),
    }
}

fn handles(handles: &Handles, arena: &mut Arena) -> Array<Handle> {
    let list: Vec<Handle> = handles
        .list
        .iter()
        .map(|handle| Handle {
            kind: handle.kind,
            fd: handle.fd,
            mode: handle.mode,
            status_flags: handle.status_flags,
            rdev: handle.rdev,
            ino: handle.ino,
            is_terminal: u32::from(handle.is_terminal),
            reserved: 0,
            name: Array::from_static(&[]),
        })
        .collect();
    arena.array(&list)
}

fn phases(phases: &Phases, arena: &mut Arena) -> Array<Phase> {
    let list: Vec<Phase> = phases
        .done
        .iter()
        .map(|&(name, nanoseconds)| Phase {
            name: arena.text(name.as_bytes()),
            nanoseconds,
        })
        .collect();
    arena.array(&list)
}

fn arguments(facts: &Facts<'_>) -> Vec<Vec<u8>> {
    let manifest = &facts.image.manifest;
    let arg0 = match &facts.config.arg0 {
        Some(arg0) => arg0.as_bytes().to_vec(),
        None => manifest.exe_path.as_bytes().to_vec(),
    };
    let mut args = vec![arg0];
    if facts.config.args.is_empty() {
        args.extend(manifest.args.iter().map(|arg| arg.as_bytes().to_vec()));
    } else {
        args.extend(facts.config.args.iter().map(|arg| arg.as_bytes().to_vec()));
    }
    args
}

/// What every image finds set, as a container does.
const BASE_ENVIRONMENT: [&[u8]; 2] = [
    b"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    b"HOME=/root",
];

/// The base environment, then the manifest's, then the caller's if it is passed on, then the command line's; a
/// later one takes the place of an earlier one of the same name.
fn environment(facts: &Facts<'_>) -> Vec<Vec<u8>> {
    let manifest = facts.image.manifest.env.iter();
    let mut layers = vec![
        BASE_ENVIRONMENT.map(<[u8]>::to_vec).to_vec(),
        manifest
            .map(|(name, value)| format!("{name}={value}").into_bytes())
            .collect(),
    ];
    if facts.config.inherit_env {
        layers.push(std::env::vars_os().map(pair).collect());
    }
    layers.push(
        facts
            .config
            .env
            .iter()
            .map(|pair| pair.as_bytes().to_vec())
            .collect(),
    );
    merge(layers)
}

fn pair((name, value): (std::ffi::OsString, std::ffi::OsString)) -> Vec<u8> {
    let mut pair = name.into_vec();
    pair.push(b'=');
    pair.extend(value.into_vec());
    pair
}

fn merge(layers: Vec<Vec<Vec<u8>>>) -> Vec<Vec<u8>> {
    let mut merged: Vec<Vec<u8>> = Vec::new();
    for layer in layers {
        merged.retain(|old| !layer.iter().any(|new| name_of(new) == name_of(old)));
        merged.extend(layer);
    }
    merged
}

fn name_of(pair: &[u8]) -> &[u8] {
    pair.split(|&byte| byte == b'=').next().unwrap_or(pair)
}

/// Memory that is filled once and then stays.
struct Arena {
    whole: Span,
    used: u64,
}

impl Arena {
    /// Room for `capacity` bytes behind a first page.
    fn new(capacity: u64) -> Result<Self, Error> {
        let len = PAGE + capacity.next_multiple_of(PAGE);
        let whole = region::anywhere(len, ProtFlags::READ | ProtFlags::WRITE)
            .map_err(|source| region::failed("mmap(2) of the boot information", source))?;
        Ok(Self { whole, used: PAGE })
    }

    /// Copies `items`. Panics never: `new` was given room for all; what does not fit is left out.
    fn array<T: Copy + 'static>(&mut self, items: &[T]) -> Array<T> {
        let start = self.used.next_multiple_of(align_of::<T>() as u64);
        let end = start + size_of_val(items) as u64;
        if items.is_empty() || end > self.whole.len {
            debug_assert!(items.is_empty(), "the arena was given room for everything");
            return Array::from_static(&[]);
        }
        self.used = end;
        let first = region::pointer(self.whole.start + start).cast::<T>();
        // SAFETY: `[start, end)` lies in the arena's own mapping, aligned for T, and behind
        // everything handed out before; the source is a slice elsewhere.
        unsafe { first.copy_from_nonoverlapping(items.as_ptr(), items.len()) };
        Array {
            ptr: first,
            len: items.len(),
        }
    }

    fn text(&mut self, bytes: &[u8]) -> Text {
        self.array(bytes)
    }

    fn texts(&mut self, all: &[Vec<u8>]) -> Array<Text> {
        let list: Vec<Text> = all.iter().map(|bytes| self.text(bytes)).collect();
        self.array(&list)
    }

    /// Puts the record into the first page, and makes the rest read-only.
    fn finish(self, info: BootInfo) -> Result<(), Error> {
        let first = region::pointer(self.whole.start).cast::<BootInfo>();
        // SAFETY: the first page is mapped, page-aligned, large enough (asserted above), and empty.
        unsafe { first.write(info) };
        let rest = Span {
            start: self.whole.start + PAGE,
            len: self.whole.len - PAGE,
        };
        // SAFETY: nothing writes to the arena again.
        unsafe { region::protect(rest, MprotectFlags::READ) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(words: &[&str]) -> Vec<Vec<u8>> {
        words.iter().map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn a_later_layer_of_the_environment_wins() {
        let merged = merge(vec![
            texts(&["A=1", "B=1"]),
            texts(&["C=2", "A=2"]),
            texts(&["C=3", "AB=3"]),
        ]);
        assert_eq!(merged, texts(&["B=1", "A=2", "C=3", "AB=3"]));
    }

    #[test]
    fn an_empty_range_has_no_address() {
        assert_eq!(mapped(Range { start: 16, len: 0 }, 0x1000), Span::default());
        let span = mapped(Range { start: 16, len: 2 }, 0x1000);
        assert_eq!((span.start, span.len), (0x1010, 2));
    }

    #[test]
    fn the_arena_keeps_what_it_was_given() {
        let mut arena = Arena::new(100).expect("mmap");
        let first = arena.text(b"first");
        let list = arena.texts(&texts(&["a", "", "ccc"]));
        let numbers = arena.array(&[1u64, 2]);
        assert_eq!(numbers.ptr.addr() % 8, 0);
        // SAFETY: the arena is mapped and not changed again.
        unsafe {
            assert_eq!(first.as_slice(), b"first");
            assert_eq!(numbers.as_slice(), [1, 2]);
            let list: Vec<&[u8]> = list.as_slice().iter().map(|text| text.as_slice()).collect();
            assert_eq!(list, [&b"a"[..], b"", b"ccc"]);
        }
    }
}
