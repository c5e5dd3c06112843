//! The way back to the application: what is pending takes effect, and a handler's return.
//!
//! [`deliver`] runs in thread context with nothing locked, before the application goes on. It takes
//! signal after signal: ignores, ends the program, or pushes a frame for a handler; several frames
//! may be pushed, and the last handler runs first, as on Linux.

use crate::arch::event::Fault;
use crate::arch::frame::TrapFrame;
use crate::arch::sites;
use crate::errno::{Errno, Result};
use crate::signal::action::{Action, ActionFlags};
use crate::signal::extended;
use crate::signal::fpstate;
use crate::signal::frame::{enter, is_user_address, place};
use crate::signal::info::{SI_KERNEL, SigInfo};
use crate::signal::restart::Restart;
use crate::signal::set::{SIGSEGV, SignalSet};
use crate::signal::state::take_pending;
use crate::signal::ucontext::{FaultRegisters, MachineContext, RtSigframe, UC_FLAGS, UContext};
use crate::sync::SpinLock;
use crate::task;
use crate::user::UserPtr;

/// Delivers what is pending to the running thread, whose registers are in `frame`, and settles an
/// interrupted call.
pub fn deliver(frame: &mut TrapFrame, restart: Option<Restart>) {
    let mut restart = restart;
    while let Some(info) = next() {
        let action = task::with_current(|thread| thread.process().signals.action(info.signo));
        if action.ignores(info.signo) {
            continue;
        }
        if !action.has_handler() {
            task::exit_by_signal(info.signo);
        }
        if let Some(call) = restart.take() {
            if call.survives(action.flags()) {
                call.rewind(frame);
            } else {
                Restart::fail(frame);
            }
        }
        handle(frame, &info, &action);
    }
    if let Some(call) = restart {
        call.rewind(frame);
        frame.rip = sites::to_stub(frame.rip);
    }
    task::with_current(|thread| {
        if let Some(mask) = thread.signals.own(|own| own.saved_mask.take()) {
            thread.signals.set_blocked(mask);
        }
    });
}

fn next() -> Option<SigInfo> {
    let blocked = task::with_current(|thread| thread.signals.blocked());
    take_pending(SignalSet::from_bits(u64::MAX).minus(blocked))
}

/// Enters the handler of `action`; a stack that cannot hold the frame is a fault of its own.
fn handle(frame: &mut TrapFrame, info: &SigInfo, action: &Action) {
    let flags = action.flags();
    if flags.contains(ActionFlags::RESETHAND) {
        task::with_current(|thread| {
            let reset = Action {
                handler: 0,
                ..*action
            };
            thread.process().signals.set_action(info.signo, reset)
        });
    }
    if push(frame, info, action).is_err() {
        if info.signo == SIGSEGV {
            task::exit_by_signal(SIGSEGV);
        }
        return force(&SigInfo::new(SIGSEGV, SI_KERNEL));
    }
    task::with_current(|thread| {
        let signals = &thread.signals;
        let mut blocked = signals.blocked().union(SignalSet::from_bits(action.mask));
        if !flags.contains(ActionFlags::NODEFER) {
            blocked = blocked.with(info.signo);
        }
        signals.set_blocked(blocked);
    });
}

/// Writes the frame and sets the registers for the handler; on an error nothing has changed.
fn push(frame: &mut TrapFrame, info: &SigInfo, action: &Action) -> Result<()> {
    let flags = action.flags();
    if !flags.contains(ActionFlags::RESTORER) || !is_user_address(action.handler) {
        return Err(Errno::EFAULT);
    }
    let (own, blocked) =
        task::with_current(|thread| (thread.signals.own(|own| *own), thread.signals.blocked()));
    let mask = own.saved_mask.unwrap_or(blocked);
    let shape = fpstate::shape();
    let onstack = flags.contains(ActionFlags::ONSTACK);
    let size = fpstate::frame_size(shape) as u64;
    let place = place(frame.rsp, &own.altstack, onstack, size).ok_or(Errno::EFAULT)?;

    let image = pointer::<u8>(place.image);
    extended::with_image(frame, shape, |bytes| {
        fpstate::mark(bytes, shape);
        image.write_slice(bytes)?;
        image
            .byte_offset::<u8>(bytes.len())?
            .write_slice(&fpstate::tail())
    })?;
    let shown = sites::to_original(frame.rip);
    let machine = MachineContext {
        fpstate: place.image,
        ..MachineContext::capture(frame, shown, &own.fault, mask.bits())
    };
    pointer(place.frame).write(RtSigframe {
        restorer: action.restorer,
        context: UContext {
            flags: UC_FLAGS,
            link: 0,
            stack: own.altstack.describe(frame.rsp),
            machine,
            mask: mask.bits(),
        },
        info: *info,
    })?;

    enter(frame, place.frame, action.handler, info.signo);
    frame.xsave = extended::initial();
    task::with_current(|thread| {
        thread.signals.own(|own| {
            own.saved_mask = None;
            own.altstack = own.altstack.entered();
        });
    });
    Ok(())
}

fn pointer<T>(address: u64) -> UserPtr<T> {
    // Addresses are 64 bits; one that did not fit would be refused as any bad one.
    UserPtr::new(usize::try_from(address).unwrap_or(usize::MAX))
}

/// Makes `info` take effect on the running thread whatever it blocks or ignores: then the default
/// action is taken.
fn force(info: &SigInfo) {
    if !can_handle(info.signo) {
        task::exit_by_signal(info.signo);
    }
    task::with_current(|thread| {
        // Without a limit it is refused only where the heap is exhausted; it is pending then too.
        let _ = thread.signals.inbox.add(*info, u64::MAX);
    });
}

/// Whether a handler of the running thread would see `signo` at once.
fn can_handle(signo: i32) -> bool {
    task::with_current(|thread| {
        let action = thread.process().signals.action(signo);
        action.has_handler() && !thread.signals.blocked().contains(signo)
    })
}

/// Who hears of a fault that ends the program.
static FATAL_FAULT: SpinLock<fn(&TrapFrame, &Fault)> = SpinLock::new(|_, _| ());

/// Sets who is told of a fault that ends the program, just before it does.
pub fn on_fatal_fault(tell: fn(&TrapFrame, &Fault)) {
    *FATAL_FAULT.lock() = tell;
}

/// The application faulted: its next step is the handler, or a report and the program's end.
pub fn force_fault(frame: &mut TrapFrame, fault: &Fault) {
    if !can_handle(fault.signo) {
        let tell = *FATAL_FAULT.lock();
        tell(frame, fault);
        task::exit_by_signal(fault.signo);
    }
    task::with_current(|thread| {
        thread.signals.own(|own| {
            own.fault = FaultRegisters {
                cr2: fault.cr2,
                trap_number: fault.trap_number,
                error_code: fault.error_code,
            };
        });
    });
    force(&SigInfo::fault(fault.signo, fault.code, fault.address));
}

/// A handler returns: everything goes back to how its frame says it was.
pub fn sigreturn(frame: &mut TrapFrame) {
    if restore(frame).is_err() {
        force(&SigInfo::new(SIGSEGV, SI_KERNEL));
    }
}

fn restore(frame: &mut TrapFrame) -> Result<()> {
    // The handler's return took the restorer's address off the stack.
    let context = pointer::<UContext>(frame.rsp).read()?;
    if !is_user_address(context.machine.rip) {
        return Err(Errno::EFAULT);
    }
    restore_extended(frame, context.machine.fpstate)?;
    context.machine.restore(frame);
    frame.rip = sites::to_stub(frame.rip);
    task::with_current(|thread| {
        let signals = &thread.signals;
        signals.set_blocked(SignalSet::from_bits(context.mask));
        signals.own(|own| {
            // As in the kernel, a stack that cannot be restored stays as it is.
            if let Ok(stack) = own.altstack.replaced(&context.stack, frame.rsp) {
                own.altstack = stack;
            }
        });
    });
    Ok(())
}

fn restore_extended(frame: &mut TrapFrame, address: u64) -> Result<()> {
    if address == 0 {
        frame.xsave = extended::initial();
        return Ok(());
    }
    let shape = fpstate::shape();
    let legacy: [u8; fpstate::LEGACY] = pointer(address).read()?;
    let rest = pointer::<u8>(address).byte_offset::<u8>(size_of_val(&legacy))?;
    let tail = || -> Result<[u8; 4]> {
        pointer::<u8>(address)
            .byte_offset::<[u8; 4]>(shape.size)?
            .read()
    };
    let extended = fpstate::is_extended(&legacy, shape) && fpstate::is_tail(tail()?);
    extended::replace_image(frame, shape, |image| {
        let (head, body) = image.split_at_mut(fpstate::LEGACY);
        head.copy_from_slice(&legacy);
        if extended {
            rest.read_into(body)?;
        }
        fpstate::sanitize(image, shape, extended)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::altstack::{AltStack, StackT};
    use crate::signal::send::to_thread;
    use crate::signal::state::pending_for_current;

    const HANDLER: u64 = 0x40_1000;
    const RESTORER: u64 = 0x40_2000;

    /// A stack in this process's memory, which the "application" uses.
    struct Stack(Vec<u64>);

    impl Stack {
        fn new() -> Self {
            Self(vec![0; 4096])
        }

        fn top(&self) -> u64 {
            self.0.as_ptr_range().end as u64
        }
    }

    fn set_handler(signo: i32, flags: ActionFlags, mask: u64) {
        let action = Action {
            handler: HANDLER,
            flags: (flags | ActionFlags::RESTORER).bits(),
            restorer: RESTORER,
            mask,
        };
        task::current_process().signals.set_action(signo, action);
    }

    fn send(signo: i32) {
        let info = SigInfo::from_process(signo, 0, 77, 1000);
        to_thread(&task::current_arc(), info).expect("room");
    }

    fn blocked() -> SignalSet {
        task::with_current(|thread| thread.signals.blocked())
    }

    fn application(stack: &Stack) -> TrapFrame {
        let mut frame = TrapFrame::zeroed();
        frame.rip = 0x40_0123;
        frame.rsp = stack.top() - 64;
        frame.rbx = 42;
        frame.rax = 7;
        frame.xmm[3] = [0x5a; 16];
        frame
    }

    fn read<T: crate::user::Plain>(address: u64) -> T {
        pointer(address).read().expect("the frame was written")
    }

    #[test]
    fn a_handler_runs_and_its_return_restores_everything() {
        let stack = Stack::new();
        let before = application(&stack);
        let mut frame = before.clone();
        set_handler(10, ActionFlags::empty(), 1 << 11);
        send(10);
        deliver(&mut frame, None);
        assert_eq!((frame.rip, frame.rdi), (HANDLER, 10));
        assert_eq!(blocked(), SignalSet::of(&[10, 12]));
        let pushed: RtSigframe = read(frame.rsp);
        assert_eq!(pushed.restorer, RESTORER);
        assert_eq!(pushed.info.fields[0], 77);
        assert_eq!(pushed.context.machine.rbx, 42);
        let image: [u8; 512] = read(pushed.context.machine.fpstate);
        assert_eq!(image[160 + 48..160 + 64], [0x5a; 16]);

        frame.rsp += 8;
        frame.rbx = 0;
        sigreturn(&mut frame);
        assert_eq!((frame.rip, frame.rsp), (before.rip, before.rsp));
        assert_eq!((frame.rax, frame.rbx), (7, 42));
        assert_eq!(blocked(), SignalSet::EMPTY);
        assert_ne!(frame.xsave, 0);
    }

    #[test]
    fn a_handler_may_change_what_it_returns_to() {
        let stack = Stack::new();
        let mut frame = application(&stack);
        set_handler(10, ActionFlags::empty(), 0);
        send(10);
        deliver(&mut frame, None);
        let context = frame.rdx;
        let mut changed: UContext = read(context);
        changed.machine.rip = 0x40_9999;
        changed.machine.rax = 99;
        pointer(context).write(changed).expect("writable");
        frame.rsp += 8;
        sigreturn(&mut frame);
        assert_eq!((frame.rip, frame.rax), (0x40_9999, 99));
    }

    #[test]
    fn handlers_nest_and_the_last_frame_runs_first() {
        let stack = Stack::new();
        let mut frame = application(&stack);
        set_handler(10, ActionFlags::empty(), 0);
        set_handler(12, ActionFlags::empty(), 0);
        send(12);
        send(10);
        deliver(&mut frame, None);
        assert_eq!(frame.rdi, 12);
        let outer: UContext = read(frame.rdx);
        assert_eq!((outer.machine.rip, outer.machine.rdi), (HANDLER, 10));
        assert_eq!(outer.mask, SignalSet::of(&[10]).bits());
    }

    #[test]
    fn an_interrupted_call_is_made_again_or_fails() {
        let stack = Stack::new();
        let call = Restart {
            number: 202,
            errno: Errno::ERESTARTSYS,
        };
        set_handler(10, ActionFlags::RESTART | ActionFlags::RESETHAND, 0);
        send(10);
        let mut frame = application(&stack);
        deliver(&mut frame, Some(call));
        let context: UContext = read(frame.rdx);
        assert_eq!(context.machine.rip, 0x40_0121);
        assert_eq!(context.machine.rax, 202);
        let action = task::current_process().signals.action(10);
        assert!(!action.has_handler(), "SA_RESETHAND");

        set_handler(12, ActionFlags::empty(), 0);
        send(12);
        let mut frame = application(&stack);
        deliver(&mut frame, Some(call));
        let context: UContext = read(frame.rdx);
        assert_eq!(context.machine.rip, 0x40_0123);
        assert_eq!(context.machine.rax.cast_signed(), -4);

        let mut frame = application(&stack);
        deliver(&mut frame, Some(call));
        assert_eq!((frame.rip, frame.rax), (0x40_0121, 202));
    }

    #[test]
    fn the_alternate_stack_is_used() {
        let (stack, other) = (Stack::new(), Stack::new());
        let base = other.top() - 32768;
        task::with_current(|thread| {
            thread.signals.own(|own| {
                own.altstack = AltStack::default()
                    .replaced(&StackT::new(base, 0, 32768), 0)
                    .expect("valid");
            });
        });
        let mut frame = application(&stack);
        set_handler(10, ActionFlags::ONSTACK | ActionFlags::NODEFER, 0);
        send(10);
        deliver(&mut frame, None);
        assert!((base..other.top()).contains(&frame.rsp));
        assert_eq!(blocked(), SignalSet::EMPTY);
        let context: UContext = read(frame.rdx);
        assert_eq!(context.stack, StackT::new(base, 0, 32768));
    }

    #[test]
    fn a_fault_tells_the_handler_what_happened() {
        let stack = Stack::new();
        let mut frame = application(&stack);
        set_handler(11, ActionFlags::empty(), 0);
        let fault = Fault {
            signo: 11,
            code: 1,
            address: 0x18,
            cr2: 0x18,
            trap_number: 14,
            error_code: 6,
        };
        force_fault(&mut frame, &fault);
        assert!(pending_for_current());
        deliver(&mut frame, None);
        let pushed: RtSigframe = read(frame.rsp);
        assert_eq!(pushed.info, SigInfo::fault(11, 1, 0x18));
        let machine = pushed.context.machine;
        assert_eq!(
            (machine.cr2, machine.trap_number, machine.error_code),
            (0x18, 14, 6)
        );
    }

    #[test]
    fn a_mask_of_a_call_is_undone_after_its_handler() {
        let stack = Stack::new();
        let mut frame = application(&stack);
        task::with_current(|thread| {
            thread.signals.set_blocked(SignalSet::EMPTY);
            thread
                .signals
                .own(|own| own.saved_mask = Some(SignalSet::of(&[15])));
        });
        set_handler(10, ActionFlags::empty(), 0);
        send(10);
        deliver(&mut frame, None);
        let context: UContext = read(frame.rdx);
        assert_eq!(context.mask, SignalSet::of(&[15]).bits());
        assert_eq!(blocked(), SignalSet::of(&[10]));
    }
}
