//! From the tender's jump to the application's first instruction.
//!
//! The order is the dependency order: relocation, boot record, clock, `%gs`, memory, entropy,
//! files, the first thread, its stack, and the application.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use libos_abi::ABI_VERSION;
use libos_abi::boot::{BOOT_MAGIC, BootInfo, options};

use crate::arch::frame::{INITIAL_FLAGS, TrapFrame};
use crate::arch::{context, sites, vcpu, xstate};
use crate::entry::interrupt;
use crate::panic::stop;
use crate::task::{Process, Thread};

// The image's entry point. The tender passes the boot record's address in %rdi and a 16-byte
// aligned stack. The libOS was linked at address 0 and its words that hold addresses must be moved
// to where it lies, before any code that uses them runs; so this part is assembly.
#[cfg(feature = "image")]
core::arch::global_asm!(
    ".pushsection .text.libos_start, \"ax\", @progbits",
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    include_str!("../link/relocate.s"),
    "call {start}",
    "ud2",
    ".popsection",
    start = sym start,
);

/// Runs on the boot stack; never returns.
#[cfg_attr(
    not(feature = "image"),
    expect(dead_code, reason = "the image's entry point calls it")
)]
unsafe extern "C" fn start(boot: *mut BootInfo) -> ! {
    // SAFETY: the tender passes its record, which stays mapped and unchanged.
    let info: &'static BootInfo = unsafe { &*boot };
    if info.magic != BOOT_MAGIC || info.abi_version != ABI_VERSION {
        // Without a record that can be understood there is no console to say so.
        crate::hypercall::exit(125);
    }
    crate::boot::remember(info);
    register_upcalls();
    if info.options & options::VDSO_CLOCK != 0 {
        let address = usize::try_from(info.vdso_clock_gettime).unwrap_or(0);
        crate::hypercall::clock::use_vdso(address);
    }
    let began = crate::hypercall::monotonic_ns();
    crate::time::cycles::init();
    vcpu::install();
    interrupt::init(info);
    // SAFETY: the tender's table stays mapped and unchanged.
    sites::init(unsafe { info.sites.as_slice() }, info.image_bias);
    if let Err(error) = crate::mm::init(info) {
        stop(format_args!("memory: {error}"));
    }
    // SAFETY: the tender's records stay mapped and unchanged.
    if let [disk, ..] = unsafe { info.blocks.as_slice() } {
        // SAFETY: as above.
        let name = String::from_utf8_lossy(unsafe { disk.name.as_slice() });
        stop(format_args!(
            "this image cannot use the disk {name} yet: run it without --block"
        ));
    }
    crate::random::init(&info.seed, info.mix_rdrand != 0);
    if info.options & options::STRACE != 0 {
        crate::syscall::trace_calls();
    }
    let thread = first_thread(info);
    enter(info, thread, began)
}

/// Tells the lower layers whom to call above them.
fn register_upcalls() {
    crate::task::exit::at_exit([leave, crate::report::write]);
    crate::signal::deliver::on_fatal_fault(crate::crash::tell);
    crate::sched::on_host_signal(crate::signal::post_from_host);
}

/// What is owed to others at the end: the disks first, since the network may take its time.
fn leave(_status: u8) {
    crate::views::volumes::unmount();
    crate::net::inet::farewell();
}

fn first_thread(info: &'static BootInfo) -> Arc<Thread> {
    const FIRST: i32 = 1;
    let process = Process::new(FIRST);
    process.signals.inherit_ignored(info.ignored_signals);
    let thread = Thread::new(FIRST, Arc::clone(&process));
    process.threads.lock().insert(FIRST, Arc::clone(&thread));
    set_name(&thread, info);
    process.identity.start_as(info.ids);
    // SAFETY: the tender's texts stay mapped and unchanged.
    crate::task::uts::set_hostname(unsafe { info.hostname.as_slice() });
    crate::sched::start_first(Arc::clone(&thread));
    if let Err(error) = crate::views::init(info, &process) {
        stop(format_args!("root file system: {error:?}"));
    }
    crate::net::init(info);
    thread
}

/// A program's first thread bears its file's name, cut to 15 bytes.
fn set_name(thread: &Thread, info: &BootInfo) {
    // SAFETY: the tender's texts stay mapped and unchanged.
    let path = unsafe { info.app.path.as_slice() };
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
    let mut bytes = [0; 16];
    let len = name.len().min(15);
    bytes[..len].copy_from_slice(&name[..len]);
    *thread.name.lock() = bytes;
}

fn enter(info: &'static BootInfo, thread: Arc<Thread>, began: u64) -> ! {
    let frame = thread.frame();
    let stack = initial_stack(info);
    // SAFETY: the first thread's frame is not in use yet.
    unsafe {
        frame.write(TrapFrame {
            rip: info.app.entry,
            rsp: stack,
            rflags: INITIAL_FLAGS,
            ..TrapFrame::zeroed()
        });
    }
    thread.begin_cpu(context::timestamp());
    drop(thread);
    xstate::init_all();
    context::set_fs_base(0);
    crate::boot::remember_startup(crate::hypercall::monotonic_ns().saturating_sub(began));
    interrupt::enable();
    // SAFETY: the frame is complete; the boot stack is left for good.
    unsafe {
        core::arch::asm!("mov rsp, {}", "jmp libos_restore_all", in(reg) frame, options(noreturn))
    }
}

/// Lays out the first thread's stack as execve(2) does (System V ABI, "Process Initialization"):
/// strings at the top; below them, from the stack pointer up, argc, argv, envp, auxv.
fn initial_stack(info: &'static BootInfo) -> u64 {
    let mut top = info.main_stack.end();
    let mut push = |bytes: &[u8]| {
        top -= bytes.len() as u64;
        // SAFETY: the tender's stack is writable; the sizes were checked against it by the tender.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), top as *mut u8, bytes.len()) };
        top
    };
    let mut string = |bytes: &[u8]| {
        push(&[0]);
        push(bytes)
    };
    // SAFETY: the tender's arrays and texts stay mapped and unchanged.
    let texts = |array: &libos_abi::boot::Array<libos_abi::boot::Text>| unsafe {
        array
            .as_slice()
            .iter()
            .map(|text| text.as_slice())
            .collect::<Vec<_>>()
    };
    // SAFETY: as above.
    let exec_name = string(unsafe { info.app.path.as_slice() });
    let platform = string(b"x86_64");
    let env: Vec<u64> = texts(&info.env)
        .into_iter()
        .rev()
        .map(&mut string)
        .collect();
    let args: Vec<u64> = texts(&info.args)
        .into_iter()
        .rev()
        .map(&mut string)
        .collect();
    let mut seed = [0; 16];
    crate::random::fill(&mut seed);
    let random = push(&seed);

    let auxv = auxiliary_vector(info, exec_name, platform, random);
    let mut words: Vec<u64> = Vec::new();
    words.push(args.len() as u64);
    words.extend(args.iter().rev());
    words.push(0);
    words.extend(env.iter().rev());
    words.push(0);
    words.extend(auxv.iter().flatten());
    // The stack pointer is 16-byte aligned at entry.
    let stack = (top - words.len() as u64 * 8) & !15;
    // SAFETY: as in `push`.
    unsafe { core::ptr::copy_nonoverlapping(words.as_ptr(), stack as *mut u64, words.len()) };
    stack
}

/// The auxiliary vector (getauxval(3)). There is no AT_SYSINFO_EHDR: a vDSO's fall-back would
/// execute a system call of its own, and through the gate the clock costs little more.
fn auxiliary_vector(info: &BootInfo, exec: u64, platform: u64, random: u64) -> [[u64; 2]; 20] {
    use linux_raw_sys::auxvec as at;
    const PHENT: u64 = 56;
    const CLOCK_TICKS: u64 = 100;
    let [uid, euid, gid, egid] = info.ids.map(u64::from);
    let entry = |key: u32, value: u64| [u64::from(key), value];
    [
        entry(at::AT_PHDR, info.app.phdr),
        entry(at::AT_PHENT, PHENT),
        entry(at::AT_PHNUM, info.app.phnum),
        entry(at::AT_PAGESZ, libos_abi::PAGE_SIZE as u64),
        entry(at::AT_BASE, 0),
        entry(at::AT_FLAGS, 0),
        entry(at::AT_ENTRY, info.app.entry),
        entry(at::AT_UID, uid),
        entry(at::AT_EUID, euid),
        entry(at::AT_GID, gid),
        entry(at::AT_EGID, egid),
        entry(at::AT_SECURE, 0),
        entry(at::AT_RANDOM, random),
        entry(at::AT_HWCAP, info.hwcap[0]),
        entry(at::AT_HWCAP2, info.hwcap[1]),
        entry(at::AT_CLKTCK, CLOCK_TICKS),
        entry(at::AT_EXECFN, exec),
        entry(at::AT_PLATFORM, platform),
        entry(at::AT_MINSIGSTKSZ, crate::signal::min_stack() as u64),
        entry(at::AT_NULL, 0),
    ]
}
