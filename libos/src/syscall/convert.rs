//! From raw registers to typed arguments.

use crate::errno::SysResult;
use crate::user::UserPtr;

/// A type that a system-call argument can have.
pub trait Argument {
    /// From the register. Linux looks at the low half of a register for 32-bit arguments, so
    /// narrowing is the ABI's own.
    fn from_register(register: u64) -> Self;
}

impl Argument for u64 {
    fn from_register(register: u64) -> Self {
        register
    }
}

impl Argument for i64 {
    fn from_register(register: u64) -> Self {
        register.cast_signed()
    }
}

impl Argument for u32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the ABI takes the low half"
    )]
    fn from_register(register: u64) -> Self {
        register as Self
    }
}

impl Argument for i32 {
    fn from_register(register: u64) -> Self {
        u32::from_register(register).cast_signed()
    }
}

impl Argument for usize {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "usize is 64 bits on this architecture"
    )]
    fn from_register(register: u64) -> Self {
        register as Self
    }
}

impl<T> Argument for UserPtr<T> {
    fn from_register(register: u64) -> Self {
        Self::new(usize::from_register(register))
    }
}

/// A handler of any number of typed arguments, called with raw registers.
pub trait Handler<Arguments> {
    /// Decodes and calls.
    fn call(&self, registers: &[u64; 6]) -> SysResult;
}

macro_rules! handlers {
    ($($argument:ident $index:literal),*) => {
        impl<Function, $($argument: Argument),*> Handler<($($argument,)*)> for Function
        where
            Function: Fn($($argument),*) -> SysResult,
        {
            #[inline(always)]
            fn call(&self, registers: &[u64; 6]) -> SysResult {
                let _ = registers;
                self($($argument::from_register(registers[$index])),*)
            }
        }
    };
}

handlers!();
handlers!(A 0);
handlers!(A 0, B 1);
handlers!(A 0, B 1, C 2);
handlers!(A 0, B 1, C 2, D 3);
handlers!(A 0, B 1, C 2, D 3, E 4);
handlers!(A 0, B 1, C 2, D 3, E 4, F 5);
