//! Where a read puts its bytes ([`Dest`]) and where a write takes them from ([`Source`]).
//!
//! Both walk over application buffers (one, or an I/O vector) or over memory of the libOS, so that
//! a file's code is written once. They keep count of what was moved; a fault after some bytes ends
//! the transfer short, as Linux does.

use core::marker::PhantomData;

use crate::errno::{Errno, Result};
use crate::mm::{self, Access};
use crate::user::{Iovec, UserPtr, copy};

#[derive(Clone, Copy)]
enum Owner {
    Application,
    LibOs,
}

/// The part that both directions share: a position in a list of runs.
struct Cursor<'a> {
    head: Iovec,
    rest: &'a [Iovec],
    left: usize,
    moved: usize,
    owner: Owner,
    access: Access,
}

impl<'a> Cursor<'a> {
    fn single(base: usize, len: usize, owner: Owner, access: Access) -> Self {
        Self {
            head: Iovec { base, len },
            rest: &[],
            left: len,
            moved: 0,
            owner,
            access,
        }
    }

    fn vector(iovecs: &'a [Iovec], access: Access) -> Self {
        let left = iovecs.iter().map(|iovec| iovec.len).sum();
        let head = Iovec { base: 0, len: 0 };
        Self {
            head,
            rest: iovecs,
            left,
            moved: 0,
            owner: Owner::Application,
            access,
        }
    }

    /// The next run of at most `max` bytes, checked, without moving past it.
    fn next_run(&mut self, max: usize) -> Result<Iovec> {
        while self.head.len == 0 {
            let Some((first, rest)) = self.rest.split_first() else {
                return Ok(Iovec { base: 0, len: 0 });
            };
            (self.head, self.rest) = (*first, rest);
        }
        let run = Iovec {
            base: self.head.base,
            len: self.head.len.min(max).min(self.left),
        };
        match self.owner {
            Owner::LibOs => Ok(run),
            Owner::Application => accessible(run, self.access),
        }
    }

    fn advance(&mut self, count: usize) {
        self.head.base += count;
        self.head.len -= count;
        self.left -= count;
        self.moved += count;
    }

    /// Moves up to `max` bytes run by run; a fault counts only if nothing was moved.
    fn transfer(
        &mut self,
        max: usize,
        mut step: impl FnMut(Iovec, usize) -> Result<usize>,
    ) -> Result<usize> {
        let mut done = 0;
        while done < max && self.left > 0 {
            let moved = match self
                .next_run(max - done)
                .and_then(|run| Ok((run, step(run, done)?)))
            {
                Ok((run, moved)) => {
                    self.advance(moved);
                    done += moved;
                    if moved < run.len { break } else { continue }
                }
                Err(error) => Err(error),
            };
            return if done > 0 { Ok(done) } else { moved };
        }
        Ok(done)
    }
}

/// As much of `run` as the application may access, from its start: a transfer into a buffer whose end
/// is not there is cut short, and fails only if nothing is left.
#[inline]
fn accessible(run: Iovec, access: Access) -> Result<Iovec> {
    if mm::check(run.base, run.len, access).is_ok() {
        return Ok(run);
    }
    match mm::accessible_len(run.base, run.len, access) {
        0 => Err(Errno::EFAULT),
        len => Ok(Iovec {
            base: run.base,
            len,
        }),
    }
}

/// Where a read puts its bytes.
pub struct Dest<'a> {
    cursor: Cursor<'a>,
    borrow: PhantomData<&'a mut [u8]>,
}

impl<'a> Dest<'a> {
    /// One buffer of the application.
    pub fn user(ptr: UserPtr<u8>, len: usize) -> Self {
        let cursor = Cursor::single(ptr.address(), len, Owner::Application, Access::Write);
        Self {
            cursor,
            borrow: PhantomData,
        }
    }

    /// An I/O vector of the application.
    pub fn vector(iovecs: &'a [Iovec]) -> Self {
        Self {
            cursor: Cursor::vector(iovecs, Access::Write),
            borrow: PhantomData,
        }
    }

    /// Memory of the libOS.
    pub fn kernel(buffer: &'a mut [u8]) -> Self {
        let cursor = Cursor::single(
            buffer.as_mut_ptr() as usize,
            buffer.len(),
            Owner::LibOs,
            Access::Write,
        );
        Self {
            cursor,
            borrow: PhantomData,
        }
    }

    /// How many bytes still fit.
    pub fn room(&self) -> usize {
        self.cursor.left
    }

    /// Takes no more than `len` further bytes.
    pub fn truncate(&mut self, len: usize) {
        self.cursor.left = self.cursor.left.min(len);
    }

    /// How many bytes were put so far.
    pub fn written(&self) -> usize {
        self.cursor.moved
    }

    /// Puts as many of `bytes` as fit; returns how many.
    ///
    /// # Errors
    /// EFAULT if not even one byte could be put because of the application's buffer.
    pub fn put(&mut self, bytes: &[u8]) -> Result<usize> {
        self.cursor.transfer(bytes.len(), |run, done| {
            // SAFETY: `bytes[done..]` has `run.len` bytes; the destination may fault.
            unsafe { copy::copy(run.base as *mut u8, bytes[done..].as_ptr(), run.len)? };
            Ok(run.len)
        })
    }

    /// Puts up to `count` zero bytes; returns how many.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn put_zeroes(&mut self, count: usize) -> Result<usize> {
        let zeroes = zeroes();
        let mut done = 0;
        while done < count && self.room() > 0 {
            match self.put(&zeroes[..zeroes.len().min(count - done)]) {
                Ok(0) => break,
                Ok(put) => done += put,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    /// Lets `fill` write straight into the next run of memory (address, length), such as a host
    /// read; it returns how many bytes it put.
    ///
    /// # Errors
    /// EFAULT for a bad buffer; else the error of `fill`.
    pub fn fill_with(
        &mut self,
        fill: impl FnOnce(*mut u8, usize) -> Result<usize>,
    ) -> Result<usize> {
        let run = self.cursor.next_run(usize::MAX)?;
        if run.len == 0 {
            return Ok(0);
        }
        let count = fill(run.base as *mut u8, run.len)?;
        debug_assert!(count <= run.len);
        self.cursor.advance(count.min(run.len));
        Ok(count)
    }
}

/// Where a write takes its bytes from.
pub struct Source<'a> {
    cursor: Cursor<'a>,
    borrow: PhantomData<&'a [u8]>,
}

impl<'a> Source<'a> {
    /// One buffer of the application.
    pub fn user(ptr: UserPtr<u8>, len: usize) -> Self {
        let cursor = Cursor::single(ptr.address(), len, Owner::Application, Access::Read);
        Self {
            cursor,
            borrow: PhantomData,
        }
    }

    /// An I/O vector of the application.
    pub fn vector(iovecs: &'a [Iovec]) -> Self {
        Self {
            cursor: Cursor::vector(iovecs, Access::Read),
            borrow: PhantomData,
        }
    }

    /// Memory of the libOS.
    pub fn kernel(buffer: &'a [u8]) -> Self {
        let cursor = Cursor::single(
            buffer.as_ptr() as usize,
            buffer.len(),
            Owner::LibOs,
            Access::Read,
        );
        Self {
            cursor,
            borrow: PhantomData,
        }
    }

    /// How many bytes are left to take.
    pub fn left(&self) -> usize {
        self.cursor.left
    }

    /// Takes no more than `len` further bytes.
    pub fn truncate(&mut self, len: usize) {
        self.cursor.left = self.cursor.left.min(len);
    }

    /// How many bytes were taken so far.
    pub fn taken(&self) -> usize {
        self.cursor.moved
    }

    /// Fills as much of `buffer` as there is left; returns how many bytes.
    ///
    /// # Errors
    /// EFAULT if not even one byte could be taken because of the application's buffer.
    pub fn take(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.cursor.transfer(buffer.len(), |run, done| {
            // SAFETY: `buffer[done..]` has room for `run.len` bytes; the source may fault.
            unsafe { copy::copy(buffer[done..].as_mut_ptr(), run.base as *const u8, run.len)? };
            Ok(run.len)
        })
    }

    /// Lets `drain` read straight from the next run of memory (address, length), such as a host
    /// write; it returns how many bytes it took.
    ///
    /// # Errors
    /// EFAULT for a bad buffer; else the error of `drain`.
    pub fn drain_with(
        &mut self,
        drain: impl FnOnce(*const u8, usize) -> Result<usize>,
    ) -> Result<usize> {
        let run = self.cursor.next_run(usize::MAX)?;
        if run.len == 0 {
            return Ok(0);
        }
        let count = drain(run.base as *const u8, run.len)?;
        debug_assert!(count <= run.len);
        self.cursor.advance(count.min(run.len));
        Ok(count)
    }
}

/// The longest transfer of one call (Linux's `MAX_RW_COUNT`).
pub const MAX_TRANSFER: usize = 0x7fff_f000;

/// Copies an I/O vector in and checks its lengths as readv(2) does.
///
/// # Errors
/// EINVAL for more than 1024 runs or a total that overflows; EFAULT.
pub fn read_iovecs(ptr: UserPtr<Iovec>, count: i32) -> Result<alloc::vec::Vec<Iovec>> {
    let count = usize::try_from(count).map_err(|_| Errno::EINVAL)?;
    if count > 1024 {
        return Err(Errno::EINVAL);
    }
    let mut iovecs = ptr.read_vec(count)?;
    let mut total = 0_usize;
    for iovec in &mut iovecs {
        if isize::try_from(iovec.len).is_err() {
            return Err(Errno::EINVAL);
        }
        iovec.len = iovec.len.min(MAX_TRANSFER - total);
        total += iovec.len;
    }
    Ok(iovecs)
}

/// A page of zeroes.
fn zeroes() -> &'static [u8; libos_abi::PAGE_SIZE] {
    /// The cell puts it among the variables without initial value, which the image's file leaves out.
    struct Zeroes(core::cell::UnsafeCell<[u8; libos_abi::PAGE_SIZE]>);
    // SAFETY: nothing ever writes to it.
    unsafe impl Sync for Zeroes {}
    static ZEROES: Zeroes = Zeroes(core::cell::UnsafeCell::new([0; libos_abi::PAGE_SIZE]));
    // SAFETY: as above.
    unsafe { &*ZEROES.0.get() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_filled_run_by_run() {
        let (mut a, mut b) = ([0_u8; 3], [0_u8; 4]);
        let iovecs = [
            Iovec {
                base: a.as_mut_ptr() as usize,
                len: 3,
            },
            Iovec { base: 0, len: 0 },
            Iovec {
                base: b.as_mut_ptr() as usize,
                len: 4,
            },
        ];
        let mut dest = Dest::vector(&iovecs);
        assert_eq!(dest.put(b"hello"), Ok(5));
        assert_eq!((dest.room(), dest.written()), (2, 5));
        assert_eq!(dest.put(b"!!!"), Ok(2));
        assert_eq!((&a, &b), (b"hel", b"lo!!"));
    }

    #[test]
    fn a_source_gives_what_is_left() {
        let mut source = Source::kernel(b"abcdef");
        let mut part = [0; 4];
        assert_eq!(source.take(&mut part), Ok(4));
        assert_eq!(source.take(&mut part), Ok(2));
        assert_eq!(&part, b"efcd");
        assert_eq!(source.take(&mut part), Ok(0));
    }
}
