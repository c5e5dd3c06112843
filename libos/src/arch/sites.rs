//! Addresses in stubs, and the application's addresses that they stand for.
//!
//! A signal handler that looks at where it interrupted (to unwind, to restart a call) must see the
//! application's own addresses; a return from it must land in the stub again. The image carries a
//! table of all redirected sites for that.

use core::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};

use libos_abi::image::Site;

static TABLE: AtomicPtr<Site> = AtomicPtr::new(core::ptr::null_mut());
static LEN: AtomicUsize = AtomicUsize::new(0);
static BIAS: AtomicU64 = AtomicU64::new(0);

/// Makes `table`, moved by `bias`, the image's site table.
pub fn init(table: &'static [Site], bias: u64) {
    TABLE.store(table.as_ptr().cast_mut(), Ordering::Relaxed);
    LEN.store(table.len(), Ordering::Relaxed);
    BIAS.store(bias, Ordering::Relaxed);
}

fn sites() -> Sites {
    let table = TABLE.load(Ordering::Relaxed);
    let table = if table.is_null() {
        &[]
    } else {
        // SAFETY: `init` stored a static slice's address and length.
        unsafe { core::slice::from_raw_parts(table, LEN.load(Ordering::Relaxed)) }
    };
    Sites::new(table, BIAS.load(Ordering::Relaxed))
}

/// [`Sites::to_original`] of the image's table.
pub fn to_original(address: u64) -> u64 {
    sites().to_original(address)
}

/// [`Sites::to_stub`] of the image's table.
pub fn to_stub(address: u64) -> u64 {
    sites().to_stub(address)
}

/// The site table with the image's load bias.
#[derive(Clone, Copy, Debug)]
pub struct Sites {
    table: &'static [Site],
    bias: u64,
}

impl Sites {
    /// The table as linked, moved by `bias`.
    pub const fn new(table: &'static [Site], bias: u64) -> Self {
        Self { table, bias }
    }

    /// What the application should see for `address`: the place behind its `syscall` for an address
    /// in a stub where a call returns to, the address itself for any other.
    pub fn to_original(&self, address: u64) -> u64 {
        let linked = address.wrapping_sub(self.bias);
        match self
            .table
            .iter()
            .find(|site| site.resume == linked && site.resume != site.syscall + 2)
        {
            Some(site) => site.syscall.wrapping_add(2).wrapping_add(self.bias),
            None => address,
        }
    }

    /// Where to go on for an address that the application was shown: into the stub if `address` is
    /// a redirected `syscall` (which is to be executed again) or the place behind one whose
    /// following instructions were displaced; else `address` itself.
    pub fn to_stub(&self, address: u64) -> u64 {
        let linked = address.wrapping_sub(self.bias);
        let at_or_before = self.table.partition_point(|site| site.syscall <= linked);
        let Some(site) = at_or_before.checked_sub(1).map(|index| &self.table[index]) else {
            return address;
        };
        match linked - site.syscall {
            0 => site.call.wrapping_add(self.bias),
            2 => site.resume.wrapping_add(self.bias),
            _ => address,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BIAS: u64 = 0x7000_0000;
    static TABLE: [Site; 2] = [
        Site {
            syscall: 0x1000,
            stub: 0x9000,
            call: 0x9005,
            resume: 0x1002,
        },
        Site {
            syscall: 0x2000,
            stub: 0x9010,
            call: 0x9010,
            resume: 0x901c,
        },
    ];

    #[test]
    fn a_return_into_a_stub_is_shown_behind_the_syscall_and_back() {
        let sites = Sites::new(&TABLE, BIAS);
        assert_eq!(sites.to_original(BIAS + 0x901c), BIAS + 0x2002);
        assert_eq!(sites.to_stub(BIAS + 0x2002), BIAS + 0x901c);
    }

    #[test]
    fn a_syscall_to_be_repeated_goes_to_its_stub() {
        let sites = Sites::new(&TABLE, BIAS);
        assert_eq!(sites.to_stub(BIAS + 0x1000), BIAS + 0x9005);
        assert_eq!(sites.to_stub(BIAS + 0x2000), BIAS + 0x9010);
    }

    #[test]
    fn other_addresses_stay() {
        let sites = Sites::new(&TABLE, BIAS);
        for address in [
            0,
            BIAS,
            BIAS + 0x1001,
            BIAS + 0x1002,
            BIAS + 0x5000,
            u64::MAX,
        ] {
            assert_eq!(sites.to_stub(address), address);
            assert_eq!(sites.to_original(address), address);
        }
    }
}
