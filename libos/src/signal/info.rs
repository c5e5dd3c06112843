//! `siginfo_t`: what is told along with a signal.

use crate::user::Plain;

/// Sent by kill(2).
pub const SI_USER: i32 = 0;
/// Sent by the kernel.
pub const SI_KERNEL: i32 = 0x80;
/// Sent by a POSIX timer.
pub const SI_TIMER: i32 = -2;
/// Sent by tkill(2) or tgkill(2).
pub const SI_TKILL: i32 = -6;

/// `siginfo_t` as the kernel lays it out: three numbers, and 112 bytes whose meaning `code` tells.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigInfo {
    /// Signal number.
    pub signo: i32,
    /// Always 0 from the kernel.
    pub errno: i32,
    /// `si_code`.
    pub code: i32,
    /// Keeps the union aligned.
    pub padding: i32,
    /// The union, as 32-bit words.
    pub fields: [u32; 28],
}

// SAFETY: integers without gaps: every pattern is valid, nothing is owned.
unsafe impl Plain for SigInfo {}
const _: () = assert!(size_of::<SigInfo>() == 128);

impl SigInfo {
    /// Without anything but a code.
    pub const fn new(signo: i32, code: i32) -> Self {
        Self {
            signo,
            errno: 0,
            code,
            padding: 0,
            fields: [0; 28],
        }
    }

    /// From a process: its id and its real user.
    pub const fn from_process(signo: i32, code: i32, pid: i32, uid: u32) -> Self {
        let mut info = Self::new(signo, code);
        info.fields[0] = pid.cast_unsigned();
        info.fields[1] = uid;
        info
    }

    /// A fault at `address`.
    pub const fn fault(signo: i32, code: i32, address: u64) -> Self {
        Self::new(signo, code).with_words(0, address)
    }

    /// From POSIX timer `id`: `value` is `sigev_value`.
    pub const fn timer(signo: i32, id: i32, overrun: i32, value: u64) -> Self {
        let mut info = Self::new(signo, SI_TIMER).with_words(2, value);
        info.fields[0] = id.cast_unsigned();
        info.fields[1] = overrun.cast_unsigned();
        info
    }

    /// `si_timerid`, for [`SI_TIMER`].
    pub const fn timer_id(&self) -> i32 {
        self.fields[0].cast_signed()
    }

    /// With `value` in two words.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "splits a word into its halves"
    )]
    const fn with_words(mut self, at: usize, value: u64) -> Self {
        self.fields[at] = value as u32;
        self.fields[at + 1] = (value >> 32) as u32;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(info: &SigInfo) -> Vec<u8> {
        let words = [info.signo, info.errno, info.code, info.padding];
        let head = words.iter().flat_map(|word| word.to_ne_bytes());
        head.chain(info.fields.iter().flat_map(|word| word.to_ne_bytes()))
            .collect()
    }

    #[test]
    fn fields_stand_where_the_kernel_has_them() {
        let info = bytes(&SigInfo::from_process(10, SI_USER, 0x1234, 1000));
        assert_eq!(&info[16..20], &0x1234_u32.to_ne_bytes());
        assert_eq!(&info[20..24], &1000_u32.to_ne_bytes());
        let info = bytes(&SigInfo::fault(11, 1, 0xdead_beef_0123));
        assert_eq!(&info[16..24], &0xdead_beef_0123_u64.to_ne_bytes());
        let info = bytes(&SigInfo::timer(14, 3, 7, u64::MAX - 1));
        assert_eq!(&info[8..12], &SI_TIMER.to_ne_bytes());
        assert_eq!(&info[16..20], &3_u32.to_ne_bytes());
        assert_eq!(&info[20..24], &7_u32.to_ne_bytes());
        assert_eq!(&info[24..32], &(u64::MAX - 1).to_ne_bytes());
    }
}
