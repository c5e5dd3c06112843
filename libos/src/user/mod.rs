//! The application's memory, seen from the libOS: every address is a claim.
//!
//! - [`UserPtr`]: an address that the application passed for a `T`; reading or writing through it
//!   can fail with EFAULT.
//! - [`Dest`] and [`Source`]: where a read puts its bytes and where a write takes them from, be it
//!   one buffer, an I/O vector, or memory of the libOS itself.
//!
//! A claim is checked against the address space's bookkeeping ([`crate::mm::check`]), and the copy
//! itself survives a fault ([`copy`]). Nothing beyond this module dereferences a raw application
//! pointer.

pub mod copy;
mod io;

use alloc::vec::Vec;
use core::marker::PhantomData;
use core::mem::{MaybeUninit, size_of};

use crate::errno::{Errno, Result};
use crate::mm::{self, Access};

pub use io::{Dest, MAX_TRANSFER, Source, read_iovecs};

/// Types that may be copied from and to application memory byte by byte.
///
/// # Safety
/// 1. Every bit pattern is a valid value,
/// 2. the type owns nothing (no pointers that the libOS would follow).
pub unsafe trait Plain: Copy {}

macro_rules! plain {
    ($($type:ty),* $(,)?) => {
        $(
            // SAFETY: an integer (1: all patterns are valid; 2: it owns nothing).
            unsafe impl Plain for $type {}
        )*
    };
}
plain!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

// SAFETY: an array of plain values is plain (1 and 2 hold for each element).
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}

/// `struct iovec`: a run of application memory.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Iovec {
    /// First address.
    pub base: usize,
    /// Length in bytes.
    pub len: usize,
}

// SAFETY: two integers (1 and 2 as for `plain!`).
unsafe impl Plain for Iovec {}

/// `struct timespec`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timespec {
    /// Seconds.
    pub sec: i64,
    /// Nanoseconds, 0..=999_999_999 in valid values.
    pub nsec: i64,
}

// SAFETY: two integers (1 and 2 as for `plain!`).
unsafe impl Plain for Timespec {}

impl Timespec {
    /// From nanoseconds.
    pub const fn from_ns(ns: u64) -> Self {
        #[expect(
            clippy::cast_possible_wrap,
            reason = "both fit: a quotient and a remainder by 10^9"
        )]
        Self {
            sec: (ns / 1_000_000_000) as i64,
            nsec: (ns % 1_000_000_000) as i64,
        }
    }

    /// As nanoseconds; saturates.
    ///
    /// # Errors
    /// EINVAL for a negative time or a nanosecond field out of range.
    pub fn to_ns(self) -> Result<u64> {
        let (Ok(sec), Ok(nsec)) = (u64::try_from(self.sec), u64::try_from(self.nsec)) else {
            return Err(Errno::EINVAL);
        };
        if nsec >= 1_000_000_000 {
            return Err(Errno::EINVAL);
        }
        Ok(sec.saturating_mul(1_000_000_000).saturating_add(nsec))
    }

    /// As a duration.
    ///
    /// # Errors
    /// As [`Self::to_ns`].
    pub fn to_duration(self) -> Result<core::time::Duration> {
        self.to_ns().map(core::time::Duration::from_nanos)
    }
}

/// An address that the application claims to hold a `T`.
pub struct UserPtr<T> {
    address: usize,
    kind: PhantomData<*mut T>,
}

impl<T> Clone for UserPtr<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for UserPtr<T> {}

impl<T> core::fmt::Debug for UserPtr<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:#x}", self.address)
    }
}

impl<T> UserPtr<T> {
    /// A claim about `address`.
    pub const fn new(address: usize) -> Self {
        Self {
            address,
            kind: PhantomData,
        }
    }

    /// The address.
    pub const fn address(self) -> usize {
        self.address
    }

    /// Whether it is the null pointer, which many calls take as "not given".
    pub const fn is_null(self) -> bool {
        self.address == 0
    }

    /// `None` for the null pointer.
    pub fn non_null(self) -> Option<Self> {
        (!self.is_null()).then_some(self)
    }

    /// The same address as a claim about another type.
    pub const fn cast<U>(self) -> UserPtr<U> {
        UserPtr::new(self.address)
    }

    /// The claim about the `index`-th element of an array.
    ///
    /// # Errors
    /// EFAULT if the address wraps.
    pub fn element(self, index: usize) -> Result<Self> {
        let offset = index.checked_mul(size_of::<T>()).ok_or(Errno::EFAULT)?;
        self.address
            .checked_add(offset)
            .map(Self::new)
            .ok_or(Errno::EFAULT)
    }

    /// The claim `bytes` further on.
    ///
    /// # Errors
    /// EFAULT if the address wraps.
    pub fn byte_offset<U>(self, bytes: usize) -> Result<UserPtr<U>> {
        self.address
            .checked_add(bytes)
            .map(UserPtr::new)
            .ok_or(Errno::EFAULT)
    }
}

impl<T: Plain> UserPtr<T> {
    /// Copies the value in.
    ///
    /// # Errors
    /// EFAULT if it is not readable.
    pub fn read(self) -> Result<T> {
        let mut value = MaybeUninit::<T>::uninit();
        mm::check(self.address, size_of::<T>(), Access::Read)?;
        // SAFETY: the destination is `size_of::<T>()` bytes of our own; the source may fault.
        unsafe {
            copy::copy(
                value.as_mut_ptr().cast(),
                self.address as *const u8,
                size_of::<T>(),
            )?
        };
        // SAFETY: all bytes were copied, and every pattern is valid (`Plain` 1).
        Ok(unsafe { value.assume_init() })
    }

    /// Copies `value` out.
    ///
    /// # Errors
    /// EFAULT if it is not writable.
    pub fn write(self, value: T) -> Result<()> {
        mm::check(self.address, size_of::<T>(), Access::Write)?;
        // SAFETY: the source is a value of our own; the destination may fault.
        unsafe {
            copy::copy(
                self.address as *mut u8,
                (&raw const value).cast(),
                size_of::<T>(),
            )
        }
    }

    /// Copies `count` values in.
    ///
    /// # Errors
    /// EFAULT if any is not readable; ENOMEM if they do not fit into the libOS's heap.
    pub fn read_vec(self, count: usize) -> Result<Vec<T>> {
        let bytes = count.checked_mul(size_of::<T>()).ok_or(Errno::EFAULT)?;
        mm::check(self.address, bytes, Access::Read)?;
        let mut values: Vec<T> = Vec::new();
        values.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
        // SAFETY: the destination has room for `count` values; the source may fault.
        unsafe { copy::copy(values.as_mut_ptr().cast(), self.address as *const u8, bytes)? };
        // SAFETY: `count` values were copied, and every pattern is valid (`Plain` 1).
        unsafe { values.set_len(count) };
        Ok(values)
    }

    /// Copies as many values in as `values` holds.
    ///
    /// # Errors
    /// EFAULT if any is not readable.
    pub fn read_into(self, values: &mut [T]) -> Result<()> {
        let bytes = size_of_val(values);
        mm::check(self.address, bytes, Access::Read)?;
        // SAFETY: the destination is a slice of ours; the source may fault, and every pattern that
        // arrives is valid (`Plain` 1).
        unsafe { copy::copy(values.as_mut_ptr().cast(), self.address as *const u8, bytes) }
    }

    /// Copies `values` out.
    ///
    /// # Errors
    /// EFAULT if any place is not writable.
    pub fn write_slice(self, values: &[T]) -> Result<()> {
        let bytes = size_of_val(values);
        mm::check(self.address, bytes, Access::Write)?;
        // SAFETY: the source is a slice of ours; the destination may fault.
        unsafe { copy::copy(self.address as *mut u8, values.as_ptr().cast(), bytes) }
    }
}

impl UserPtr<u8> {
    /// Copies a NUL-terminated string in, without its NUL.
    ///
    /// # Errors
    /// EFAULT if it is not readable up to its NUL; ENAMETOOLONG if it has no NUL within `max` bytes.
    pub fn read_cstr(self, max: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut chunk = [0_u8; 256];
        let mut at = self.address;
        while bytes.len() < max {
            // Stay within a page, so that a string that ends before an unmapped page is read.
            let in_page = libos_abi::PAGE_SIZE - at % libos_abi::PAGE_SIZE;
            let len = in_page.min(chunk.len()).min(max - bytes.len());
            mm::check(at, len, Access::Read)?;
            // SAFETY: the destination is our own array, `len` fits; the source may fault.
            unsafe { copy::copy(chunk.as_mut_ptr(), at as *const u8, len)? };
            if let Some(end) = chunk[..len].iter().position(|&byte| byte == 0) {
                bytes.extend_from_slice(&chunk[..end]);
                return Ok(bytes);
            }
            bytes.extend_from_slice(&chunk[..len]);
            at = at.checked_add(len).ok_or(Errno::EFAULT)?;
        }
        Err(Errno::ENAMETOOLONG)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_travel_both_ways() {
        let mut cell = 7_u32;
        let ptr = UserPtr::<u32>::new(&raw mut cell as usize);
        assert_eq!(ptr.read(), Ok(7));
        assert_eq!(ptr.write(9), Ok(()));
        assert_eq!(cell, 9);
    }

    #[test]
    fn a_string_ends_at_its_nul_and_not_beyond_max() {
        let text = b"hello\0world\0";
        let ptr = UserPtr::<u8>::new(text.as_ptr() as usize);
        assert_eq!(ptr.read_cstr(64).as_deref(), Ok(&b"hello"[..]));
        assert_eq!(ptr.read_cstr(3), Err(Errno::ENAMETOOLONG));
    }

    #[test]
    fn a_wrapping_array_is_a_fault() {
        assert_eq!(
            UserPtr::<u64>::new(usize::MAX - 3)
                .element(1)
                .map(UserPtr::address),
            Err(Errno::EFAULT)
        );
        assert_eq!(
            UserPtr::<u64>::new(8).read_vec(usize::MAX / 4),
            Err(Errno::EFAULT)
        );
    }
}
