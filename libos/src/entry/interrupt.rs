//! Host signals: faults, preemption ticks, requests, trapped calls.
//!
//! The tender installed one handler for all of them, on an alternate stack, with SA_NODEFER. It
//! never returns through rt_sigreturn, which is not among the seven calls: it either resumes what it
//! interrupted from the kernel's frame, or, if application code was interrupted and there is
//! something to do, moves the registers to the thread's own frame and goes on in thread context.
//!
//! What may be done depends on what was interrupted:
//! - libOS code (not preemptible): only atomics are touched; a fault is either one that
//!   [`crate::user::copy`] expects, or a bug of the libOS, which ends the process.
//! - application code: the libOS holds no lock, so anything may be done.

use core::mem::offset_of;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use libos_abi::boot::BootInfo;

use crate::arch::event::{Event, Fault};
use crate::arch::frame::TrapFrame;
use crate::arch::vcpu;

/// General registers and more, as `struct sigcontext` has them (kernel: asm/sigcontext.h).
#[repr(C)]
struct MachineContext {
    r8: u64,
    r9: u64,
    r10: u64,
    r11: u64,
    r12: u64,
    r13: u64,
    r14: u64,
    r15: u64,
    rdi: u64,
    rsi: u64,
    rbp: u64,
    rbx: u64,
    rdx: u64,
    rax: u64,
    rcx: u64,
    rsp: u64,
    rip: u64,
    rflags: u64,
    segments: [u16; 4],
    error_code: u64,
    trap_number: u64,
    old_mask: u64,
    fault_address: u64,
    fpstate: u64,
}

/// `struct ucontext` up to what is needed here.
#[repr(C)]
struct UserContext {
    flags: u64,
    link: u64,
    stack: [u64; 3],
    machine: MachineContext,
}

/// `siginfo_t` up to what is needed here.
#[repr(C)]
struct SignalInfo {
    signo: i32,
    errno: i32,
    code: i32,
    padding: i32,
    address: u64,
    /// Of a SIGSYS: the call's number.
    number: i32,
    /// Of a SIGSYS: the architecture by which the call was made.
    architecture: u32,
}

/// Ranges of addresses that tell libOS code from the application's; written once by [`init`].
static LIBOS: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];
static VDSO: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];
/// Whether there is a running thread to interrupt.
static READY: AtomicBool = AtomicBool::new(false);

const SIGILL: i32 = 4;
const SIGTRAP: i32 = 5;
const SIGBUS: i32 = 7;
const SIGFPE: i32 = 8;
const SIGSEGV: i32 = 11;
const SIGVTALRM: i32 = 26;
const SIGSYS: i32 = 31;
/// `si_code` of a fault: positive; what a process sent is 0 or negative.
const SI_USER: i32 = 0;
/// `si_code` of a SIGSYS that the filter raised.
const SYS_SECCOMP: i32 = 1;

/// `AUDIT_ARCH_X86_64`: `syscall`, unlike `int 0x80`.
const ARCH_X86_64: u32 = 0xc000_003e;

/// What a kernel without 32-bit calls makes of `int 0x80`: a general protection fault at the instruction.
fn refuse_foreign_call(context: &mut MachineContext) -> Event {
    const INT_LEN: u64 = 2;
    const SI_KERNEL: i32 = 0x80;
    const GENERAL_PROTECTION: u64 = 13;
    /// The error code names the vector: 0x80, in the interrupt table.
    const VECTOR: u64 = 0x80 << 3 | 2;
    context.rip = context.rip.wrapping_sub(INT_LEN);
    Event::Fault(Fault {
        signo: SIGSEGV,
        code: SI_KERNEL,
        address: 0,
        cr2: context.fault_address,
        trap_number: GENERAL_PROTECTION,
        error_code: VECTOR,
    })
}

/// Notes where the libOS and the vDSO lie.
pub fn init(boot: &BootInfo) {
    for (place, span) in [(&LIBOS, boot.libos), (&VDSO, boot.vdso)] {
        place[0].store(span.start, Ordering::Relaxed);
        place[1].store(span.end(), Ordering::Relaxed);
    }
}

/// From now on there is a running thread, and host signals are served.
pub fn enable() {
    READY.store(true, Ordering::Relaxed);
}

fn within(range: &[AtomicU64; 2], address: u64) -> bool {
    (range[0].load(Ordering::Relaxed)..range[1].load(Ordering::Relaxed)).contains(&address)
}

fn is_application(context: &MachineContext) -> bool {
    if !READY.load(Ordering::Relaxed) || within(&LIBOS, context.rip) {
        return false;
    }
    // The libOS calls the vDSO on its own stack; the application might find and call it too.
    !(within(&VDSO, context.rip) && crate::task::on_libos_stack(context.rsp))
}

/// Decides on a host signal. Returns the frame to go on with in thread context, or null to resume
/// what was interrupted.
///
/// # Safety
/// Called by `libos_signal_entry` only, with what the kernel passed to it.
unsafe extern "C" fn on_host_signal(
    signo: i32,
    info: *const SignalInfo,
    context: *mut UserContext,
) -> *mut TrapFrame {
    // SAFETY: the kernel built both on the alternate stack for this invocation.
    let (info, context) = unsafe { (&*info, &mut (*context).machine) };
    let is_fault = matches!(signo, SIGSEGV | SIGBUS | SIGFPE | SIGILL | SIGTRAP | SIGSYS)
        && info.code != SI_USER
        && info.code > SI_USER;
    if !is_application(context) {
        in_libos(signo, is_fault, info, context);
        return core::ptr::null_mut();
    }
    let event = if signo == SIGSYS && info.code == SYS_SECCOMP {
        if info.architecture == ARCH_X86_64 {
            Event::TrappedCall
        } else {
            refuse_foreign_call(context)
        }
    } else if is_fault {
        Event::Fault(Fault {
            signo,
            code: info.code,
            address: if matches!(signo, SIGSEGV | SIGBUS) {
                info.address
            } else {
                context.rip
            },
            cr2: context.fault_address,
            trap_number: context.trap_number,
            error_code: context.error_code,
        })
    } else {
        note_request(signo);
        if signo == SIGVTALRM && !crate::sched::tick_has_work() {
            return core::ptr::null_mut();
        }
        Event::Attention
    };
    adopt(context, event)
}

/// A signal that interrupted the libOS.
fn in_libos(signo: i32, is_fault: bool, info: &SignalInfo, context: &mut MachineContext) {
    let rip = usize::try_from(context.rip).unwrap_or(0);
    if is_fault {
        match crate::user::copy::fixup(rip) {
            Some(resume) if matches!(signo, SIGSEGV | SIGBUS) => context.rip = resume as u64,
            _ => crate::panic::fault(signo, info.address, context.rip, context.rsp, context.rbp),
        }
        return;
    }
    note_request(signo);
    if let Some(resume) = crate::hypercall::poll_window(rip) {
        context.rip = resume as u64;
    }
}

fn note_request(signo: i32) {
    if signo == SIGVTALRM {
        crate::sched::request_reschedule();
    } else {
        crate::sched::note_host_signal(signo);
    }
}

/// Moves the interrupted registers to the running thread's frame.
fn adopt(context: &MachineContext, event: Event) -> *mut TrapFrame {
    let frame = vcpu::frame();
    // SAFETY: the pointer is the kernel's own, from the context of this signal.
    let xsave = unsafe { crate::task::adopt_extended_state(context.fpstate as *const u8) };
    // SAFETY: the running thread is in application code, so its frame is not in use; the handler
    // runs on the alternate stack, so the frame is not under our feet.
    let target = unsafe { &mut *frame };
    target.r15 = context.r15;
    target.r14 = context.r14;
    target.r13 = context.r13;
    target.r12 = context.r12;
    target.rbp = context.rbp;
    target.rbx = context.rbx;
    target.r11 = context.r11;
    target.r10 = context.r10;
    target.r9 = context.r9;
    target.r8 = context.r8;
    target.rax = context.rax;
    target.rcx = context.rcx;
    target.rdx = context.rdx;
    target.rsi = context.rsi;
    target.rdi = context.rdi;
    target.rip = context.rip;
    target.rsp = context.rsp;
    target.rflags = context.rflags;
    target.xsave = xsave;
    target.restore_all = 1;
    vcpu::set_event(event);
    frame
}

/// Goes on in thread context, on the thread's libOS stack.
extern "C" fn interrupted(frame: &mut TrapFrame) {
    match vcpu::take_event() {
        Event::Attention => {}
        Event::Fault(fault) => crate::signal::force_fault(frame, &fault),
        Event::TrappedCall => {
            // The kernel leaves the call's number in rax and rip behind the instruction.
            crate::syscall::count_trapped();
            crate::syscall::serve(frame);
            frame.restore_all = 1;
            return;
        }
    }
    crate::syscall::leave(frame);
}

core::arch::global_asm!(
    ".pushsection .text.libos_signal_entry, \"ax\", @progbits",
    ".p2align 4",
    // The kernel enters here on the alternate stack: signal number in %edi, siginfo in %rsi,
    // ucontext in %rdx, direction flag clear. All other registers are in the ucontext.
    ".globl libos_signal_entry",
    "libos_signal_entry:",
    "mov rbx, rdx",
    "and rsp, -64",
    "call {on_host_signal}",
    "test rax, rax",
    "jz 2f",
    // To thread context: %rsp = the thread's frame. The alternate stack is free again.
    "mov rsp, rax",
    "mov rdi, rax",
    "call {interrupted}",
    "jmp libos_restore_all",
    // Resume from the ucontext at %rbx.
    "2:",
    "mov rcx, [rbx + {fpstate}]",
    "test rcx, rcx",
    "jz 3f",
    "mov eax, -1",
    "mov edx, -1",
    "xrstor64 [rcx]",
    "3:",
    "push {user_ss}",
    "push [rbx + {rsp_}]",
    "push [rbx + {rflags}]",
    "push {user_cs}",
    "push [rbx + {rip}]",
    "mov r8, [rbx + {r8}]",
    "mov r9, [rbx + {r9}]",
    "mov r10, [rbx + {r10}]",
    "mov r11, [rbx + {r11}]",
    "mov r12, [rbx + {r12}]",
    "mov r13, [rbx + {r13}]",
    "mov r14, [rbx + {r14}]",
    "mov r15, [rbx + {r15}]",
    "mov rdi, [rbx + {rdi}]",
    "mov rsi, [rbx + {rsi}]",
    "mov rbp, [rbx + {rbp}]",
    "mov rdx, [rbx + {rdx}]",
    "mov rax, [rbx + {rax}]",
    "mov rcx, [rbx + {rcx}]",
    "mov rbx, [rbx + {rbx}]",
    "iretq",
    ".popsection",
    on_host_signal = sym on_host_signal,
    interrupted = sym interrupted,
    fpstate = const offset_of!(UserContext, machine) + offset_of!(MachineContext, fpstate),
    rsp_ = const offset_of!(UserContext, machine) + offset_of!(MachineContext, rsp),
    rflags = const offset_of!(UserContext, machine) + offset_of!(MachineContext, rflags),
    rip = const offset_of!(UserContext, machine) + offset_of!(MachineContext, rip),
    r8 = const offset_of!(UserContext, machine) + offset_of!(MachineContext, r8),
    r9 = const offset_of!(UserContext, machine) + offset_of!(MachineContext, r9),
    r10 = const offset_of!(UserContext, machine) + offset_of!(MachineContext, r10),
    r11 = const offset_of!(UserContext, machine) + offset_of!(MachineContext, r11),
    r12 = const offset_of!(UserContext, machine) + offset_of!(MachineContext, r12),
    r13 = const offset_of!(UserContext, machine) + offset_of!(MachineContext, r13),
    r14 = const offset_of!(UserContext, machine) + offset_of!(MachineContext, r14),
    r15 = const offset_of!(UserContext, machine) + offset_of!(MachineContext, r15),
    rdi = const offset_of!(UserContext, machine) + offset_of!(MachineContext, rdi),
    rsi = const offset_of!(UserContext, machine) + offset_of!(MachineContext, rsi),
    rbp = const offset_of!(UserContext, machine) + offset_of!(MachineContext, rbp),
    rdx = const offset_of!(UserContext, machine) + offset_of!(MachineContext, rdx),
    rax = const offset_of!(UserContext, machine) + offset_of!(MachineContext, rax),
    rcx = const offset_of!(UserContext, machine) + offset_of!(MachineContext, rcx),
    rbx = const offset_of!(UserContext, machine) + offset_of!(MachineContext, rbx),
    user_cs = const 0x33,
    user_ss = const 0x2b,
);
