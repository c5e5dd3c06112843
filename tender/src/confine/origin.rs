//! Where a call comes from: BPF instructions that look at the instruction pointer.
//!
//! `seccompiler` knows numbers and arguments, not addresses, so these few instructions are put in
//! front of its program. They let a call through to it only from the libOS's hypercall code (or, for
//! `clock_gettime`, the vDSO) and answer everything else with the default action. In compat mode this is
//! what makes a stray `write` of the application trap instead of reaching a host handle; in strict mode
//! it takes the value out of `syscall` bytes hidden in other instructions. It costs four instructions.
//!
//! The kernel shows the address *behind* the `syscall` instruction, so a window excludes its first
//! address and includes its end.

use libos_abi::hypercall::Hypercall;
use seccompiler::sock_filter;

/// Offsets in `struct seccomp_data`.
pub mod offset {
    /// The call's number.
    pub const NUMBER: u32 = 0;
    /// The architecture.
    pub const ARCH: u32 = 4;
    /// Low half of the instruction pointer.
    pub const ADDRESS_LOW: u32 = 8;
    /// High half of the instruction pointer.
    pub const ADDRESS_HIGH: u32 = 12;
    /// Low half of argument 0; each argument has 8 bytes.
    pub const ARGUMENTS: u32 = 16;
}

/// Instruction codes of classic BPF (`linux/bpf_common.h`), as far as filters use them.
pub mod code {
    /// Load a word of `struct seccomp_data`.
    pub const LOAD: u16 = 0x20;
    /// Jump always.
    pub const JUMP: u16 = 0x05;
    /// Jump if equal.
    pub const JUMP_EQUAL: u16 = 0x15;
    /// Jump if greater.
    pub const JUMP_GREATER: u16 = 0x25;
    /// Jump if greater or equal.
    pub const JUMP_GREATER_EQUAL: u16 = 0x35;
    /// And with a constant.
    pub const AND: u16 = 0x54;
    /// Answer with a constant.
    pub const RETURN: u16 = 0x06;
}

/// A run of code in one 4 GiB block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    high: u32,
    /// Low half of the first address.
    first: u32,
    /// Low half of the address behind the last byte.
    end: u32,
}

impl Window {
    /// `len` bytes from `start`; `None` if empty, or if it crosses a multiple of 4 GiB.
    pub fn new(start: u64, len: u64) -> Option<Self> {
        let end = start.checked_add(len)?;
        let low = |address: u64| u32::try_from(address & u64::from(u32::MAX)).ok();
        let high = u32::try_from(start >> 32).ok()?;
        (len != 0 && end >> 32 == start >> 32).then_some(Self {
            high,
            first: low(start)?,
            end: low(end)?,
        })
    }
}

/// The windows from which calls are admitted.
#[derive(Clone, Copy, Debug)]
pub struct Origins {
    /// For all seven.
    pub hypercall: Window,
    /// For `clock_gettime` alone.
    pub vdso: Option<Window>,
}

/// Number of instructions that test for a window.
const WINDOW_LEN: u8 = 5;

/// The instructions: fall through to what follows if the origin is admitted, else answer `otherwise`.
pub fn check(origins: &Origins, otherwise: u32) -> Vec<sock_filter> {
    // Instructions behind the hypercall window: the vDSO's (with its test of the number), the answer.
    let vdso_len = if origins.vdso.is_some() {
        WINDOW_LEN + 2
    } else {
        0
    };
    let mut program = window(origins.hypercall, 0, vdso_len + 1);
    if let Some(vdso) = origins.vdso {
        program.push(instruction(code::LOAD, 0, 0, offset::NUMBER));
        let to_answer = WINDOW_LEN;
        program.push(instruction(
            code::JUMP_EQUAL,
            0,
            to_answer,
            Hypercall::Clock.number(),
        ));
        program.extend(window(vdso, 0, 1));
    }
    program.push(instruction(code::RETURN, 0, 0, otherwise));
    program
}

/// Tests for one window: `inside` instructions are skipped behind the test if the address lies in it,
/// else `outside`.
fn window(window: Window, outside: u8, inside: u8) -> Vec<sock_filter> {
    vec![
        instruction(code::LOAD, 0, 0, offset::ADDRESS_HIGH),
        instruction(code::JUMP_EQUAL, 0, outside + 3, window.high),
        instruction(code::LOAD, 0, 0, offset::ADDRESS_LOW),
        instruction(code::JUMP_GREATER, 0, outside + 1, window.first),
        instruction(code::JUMP_GREATER, outside, inside, window.end),
    ]
}

fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::confine::disassemble::run_for_test;

    const MISS: u32 = 0xdead;
    const THROUGH: u32 = 0xbeef;

    fn verdict(origins: &Origins, number: u32, address: u64) -> u32 {
        let mut program = check(origins, MISS);
        program.push(instruction(code::RETURN, 0, 0, THROUGH));
        let [low, high] =
            [address & 0xffff_ffff, address >> 32].map(|half| u32::try_from(half).expect("half"));
        let data = [number, 0, low, high];
        run_for_test(&program, &data)
    }

    #[test]
    fn only_the_hypercall_window_passes() {
        let start = 0x1234_5678_9000;
        let origins = Origins {
            hypercall: Window::new(start, 0x40).expect("one block"),
            vdso: None,
        };
        for (address, expected) in [
            (start, MISS),
            (start + 2, THROUGH),
            (start + 0x40, THROUGH),
            (start + 0x41, MISS),
            (start + 2 + (1 << 32), MISS),
            ((start + 2) & 0xffff_ffff, MISS),
            (0, MISS),
            (u64::MAX, MISS),
        ] {
            assert_eq!(verdict(&origins, 1, address), expected, "{address:#x}");
        }
    }

    #[test]
    fn the_vdso_may_ask_for_the_clock_alone() {
        let vdso = 0x7fff_0000_1000;
        let origins = Origins {
            hypercall: Window::new(0x1234_5678_9000, 0x40).expect("one block"),
            vdso: Window::new(vdso, 0x2000),
        };
        assert_eq!(verdict(&origins, 228, vdso + 0x100), THROUGH);
        assert_eq!(verdict(&origins, 1, vdso + 0x100), MISS);
        assert_eq!(verdict(&origins, 228, vdso + 0x2001), MISS);
        assert_eq!(verdict(&origins, 228, vdso), MISS);
        assert_eq!(verdict(&origins, 1, 0x1234_5678_9002), THROUGH);
        assert_eq!(verdict(&origins, 228, 0x1234_5678_9002), THROUGH);
    }

    #[test]
    fn a_window_lies_in_one_block() {
        assert_eq!(Window::new(0xffff_f000, 0x1000), None);
        assert_eq!(Window::new(0x1000, 0), None);
        assert_eq!(Window::new(u64::MAX, 2), None);
        assert!(Window::new(0xffff_f000, 0xfff).is_some());
    }
}
