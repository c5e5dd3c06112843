//! Where a signal frame goes, and how the registers look when the handler starts.
//!
//! Pure decisions over numbers; [`super::deliver`] does the copying.

use crate::arch::frame::TrapFrame;
use crate::signal::altstack::AltStack;
use crate::signal::ucontext::RtSigframe;

/// Bytes below the stack pointer that leaf functions use without moving it.
const RED_ZONE: u64 = 128;
/// Alignment of an XSAVE image.
const IMAGE_ALIGN: u64 = 64;
const FRAME_SIZE: u64 = size_of::<RtSigframe>() as u64;

/// The addresses of a frame's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The [`RtSigframe`]; the handler's stack pointer.
    pub frame: u64,
    /// The extended state, 64-byte aligned.
    pub image: u64,
}

/// Places a frame for a thread whose stack pointer is `sp`, with `image_size` bytes of extended
/// state (its trailing magic included); `onstack` if the handler wants the alternate stack.
///
/// `None` if the stack has no room, as far as addresses tell.
pub fn place(sp: u64, altstack: &AltStack, onstack: bool, image_size: u64) -> Option<Placement> {
    let was_on = altstack.is_on(sp);
    let below = sp.checked_sub(RED_ZONE)?;
    let (top, entering) = match altstack.top_if_free(below).filter(|_| onstack) {
        Some(top) => (top, true),
        None => (below, false),
    };
    let image = top.checked_sub(image_size)? & !(IMAGE_ALIGN - 1);
    // The handler is entered as if called: the stack pointer is 8 below a multiple of 16.
    let frame = (image.checked_sub(FRAME_SIZE)? & !15).checked_sub(8)?;
    if (was_on || entering) && !altstack.covers(frame) {
        return None;
    }
    Some(Placement { frame, image })
}

/// Sets the registers for the handler of `signo` at `handler`.
pub fn enter(registers: &mut TrapFrame, frame: u64, handler: u64, signo: i32) {
    /// Trap, direction and resume flags.
    const CLEARED: u64 = 0x1_0500;
    let info = core::mem::offset_of!(RtSigframe, info) as u64;
    let context = core::mem::offset_of!(RtSigframe, context) as u64;
    registers.rdi = u64::from(signo.unsigned_abs());
    registers.rsi = frame + info;
    registers.rdx = frame + context;
    registers.rax = 0;
    registers.rip = handler;
    registers.rsp = frame;
    registers.rflags &= !CLEARED;
    registers.restore_all = 1;
}

/// Whether user code may be at `address`: the lower canonical half. The CPU would fault on any
/// other on the way there, inside the libOS.
pub const fn is_user_address(address: u64) -> bool {
    address >> 47 == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::altstack::StackT;

    const IMAGE: u64 = 836;

    fn altstack(size: u64, flags: i32) -> AltStack {
        AltStack::default()
            .replaced(&StackT::new(0x10_0000, flags, size), 0)
            .expect("valid")
    }

    #[test]
    fn a_frame_keeps_off_the_red_zone_and_is_aligned() {
        for sp in [0x7fff_0000, 0x7fff_0008, 0x7fff_0031] {
            let none = AltStack::default();
            let placed = place(sp, &none, true, IMAGE).expect("room");
            assert!(placed.image + IMAGE <= sp - 128);
            assert_eq!(placed.image % 64, 0);
            assert_eq!(placed.frame % 16, 8);
            assert!(placed.frame + FRAME_SIZE <= placed.image);
        }
    }

    #[test]
    fn the_alternate_stack_is_used_if_wanted_and_not_in_use() {
        let stack = altstack(0x4000, 0);
        let placed = place(0x7fff_0000, &stack, true, IMAGE).expect("room");
        assert!(stack.covers(placed.frame) && placed.image + IMAGE <= 0x10_4000);
        let placed = place(0x7fff_0000, &stack, false, IMAGE).expect("room");
        assert!(!stack.covers(placed.frame));
        let nested = place(0x10_3000, &stack, true, IMAGE).expect("room");
        assert!(nested.frame < 0x10_3000 && nested.frame > 0x10_2000);
    }

    #[test]
    fn an_alternate_stack_that_overflows_has_no_place() {
        let small = altstack(2048, 0);
        assert_eq!(place(0x7fff_0000, &small, true, 2700), None);
        assert_eq!(place(0x10_0200, &altstack(0x4000, 0), true, IMAGE), None);
        assert_eq!(place(100, &AltStack::default(), false, IMAGE), None);
    }

    #[test]
    fn the_handler_gets_its_arguments() {
        let mut registers = TrapFrame::zeroed();
        registers.rflags = 0x1_0746;
        enter(&mut registers, 0x8008, 0x40_0000, 11);
        assert_eq!((registers.rdi, registers.rax), (11, 0));
        assert_eq!(registers.rsi, 0x8008 + 312);
        assert_eq!(registers.rdx, 0x8008 + 8);
        assert_eq!((registers.rip, registers.rsp), (0x40_0000, 0x8008));
        assert_eq!(registers.rflags, 0x246);
    }

    #[test]
    fn only_the_lower_half_is_the_users() {
        assert!(is_user_address(0x7fff_ffff_ffff));
        assert!(!is_user_address(0x8000_0000_0000));
        assert!(!is_user_address(u64::MAX));
    }
}
