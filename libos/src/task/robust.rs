//! Robust futexes: locks whose holder exits are marked and their waiters woken
//! (set_robust_list(2), kernel: Documentation/locking/robust-futexes.rst).

use core::sync::atomic::Ordering;

use crate::errno::Result;
use crate::futex;
use crate::task::Thread;
use crate::user::UserPtr;

/// Size of `struct robust_list_head`, which set_robust_list(2) insists on.
pub const HEAD_SIZE: usize = 24;
/// Longest list that is walked (the kernel's ROBUST_LIST_LIMIT).
const LIMIT: usize = 2048;
/// The futex's holder died.
const OWNER_DIED: u32 = 0x4000_0000;
/// There are waiters.
const WAITERS: u32 = 0x8000_0000;
/// The holder's id.
const TID_MASK: u32 = 0x3fff_ffff;

/// Marks and wakes every robust futex that `thread` holds. A list that can't be read ends the walk,
/// as in Linux.
pub fn release_all(thread: &Thread) {
    let head = thread.robust_list.swap(0, Ordering::Relaxed);
    if head != 0 {
        let _ = walk(thread, head);
    }
}

fn walk(thread: &Thread, head: usize) -> Result<()> {
    let words = UserPtr::<usize>::new(head);
    let offset = words.element(1)?.read()?.cast_signed();
    let pending = words.element(2)?.read()? & !1;
    let mut entry = words.read()?;
    for _ in 0..LIMIT {
        if entry & !1 == head {
            break;
        }
        let next = UserPtr::<usize>::new(entry & !1).read();
        if entry & !1 != pending {
            release(thread, (entry & !1).wrapping_add_signed(offset), false)?;
        }
        entry = next?;
    }
    if pending != 0 {
        release(thread, pending.wrapping_add_signed(offset), true)?;
    }
    Ok(())
}

fn release(thread: &Thread, address: usize, is_pending: bool) -> Result<()> {
    let futex = UserPtr::<u32>::new(address);
    let value = futex.read()?;
    if is_pending && value == 0 {
        futex::wake_address(address, 1);
        return Ok(());
    }
    if value & TID_MASK != thread.tid().cast_unsigned() {
        return Ok(());
    }
    futex.write((value & WAITERS) | OWNER_DIED)?;
    if value & WAITERS != 0 {
        futex::wake_address(address, 1);
    }
    Ok(())
}
