//! What the terminal ioctls answer (ioctl_tty(2)).
//!
//! The record comes from the boot information. The seven calls cannot change a host terminal, so a
//! change of settings is kept here and read back, but the host's line discipline goes on as it was.

use core::sync::atomic::{AtomicI32, Ordering};

use linux_raw_sys::ioctl::{
    FIONREAD, TCFLSH, TCGETS, TCGETS2, TCSBRK, TCSBRKP, TCSETS, TCSETS2, TCSETSF, TCSETSF2,
    TCSETSW, TCSETSW2, TCXONC, TIOCGPGRP, TIOCGSID, TIOCGWINSZ, TIOCNOTTY, TIOCOUTQ, TIOCSCTTY,
    TIOCSPGRP, TIOCSWINSZ,
};

use crate::errno::{Errno, Result};
use crate::sync::SpinLock;
use crate::user::{Plain, UserPtr};

/// The kernel's `struct termios`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Termios {
    /// `c_iflag`, `c_oflag`, `c_cflag`, `c_lflag`.
    flags: [u32; 4],
    line: u8,
    control: [u8; 19],
}

// SAFETY: integers without padding (36 bytes): every pattern is valid, nothing is owned.
unsafe impl Plain for Termios {}

/// `struct termios2`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Termios2 {
    base: Termios,
    input_speed: u32,
    output_speed: u32,
}

// SAFETY: integers without padding (44 bytes): every pattern is valid, nothing is owned.
unsafe impl Plain for Termios2 {}

/// A terminal as the application sees it.
pub struct Terminal {
    settings: SpinLock<Termios>,
    /// Rows, columns, width and height in pixels.
    window: SpinLock<[u16; 4]>,
    /// The foreground process group; 0 while it is the asking process's own.
    foreground: AtomicI32,
}

impl Terminal {
    /// A terminal as it was at start-up.
    pub fn new(record: &libos_abi::boot::Terminal) -> Self {
        Self {
            settings: SpinLock::new(Termios {
                flags: record.flags,
                line: record.line,
                control: record.control,
            }),
            window: SpinLock::new(record.window),
            foreground: AtomicI32::new(0),
        }
    }

    /// Serves `request`. `has_input` asks the host whether a read would return.
    ///
    /// # Errors
    /// ENOTTY for a request that a terminal does not know, EPERM for what the sandbox forbids, EFAULT.
    pub fn ioctl(
        &self,
        request: u32,
        argument: usize,
        has_input: impl FnOnce() -> bool,
    ) -> Result<usize> {
        match request {
            TCGETS => UserPtr::new(argument).write(*self.settings.lock())?,
            TCGETS2 => UserPtr::new(argument).write(self.settings2())?,
            TCSETS | TCSETSW | TCSETSF => *self.settings.lock() = UserPtr::new(argument).read()?,
            TCSETS2 | TCSETSW2 | TCSETSF2 => {
                *self.settings.lock() = UserPtr::<Termios2>::new(argument).read()?.base;
            }
            TIOCGWINSZ => UserPtr::new(argument).write(*self.window.lock())?,
            TIOCSWINSZ => *self.window.lock() = UserPtr::new(argument).read()?,
            TIOCGPGRP => UserPtr::new(argument).write(self.foreground())?,
            TIOCSPGRP => self.set_foreground(UserPtr::new(argument).read()?)?,
            TIOCGSID => UserPtr::new(argument).write(crate::task::current_process().pid())?,
            // How much there is cannot be asked with the seven calls: 1 says "some".
            FIONREAD => UserPtr::new(argument).write(i32::from(has_input()))?,
            TIOCOUTQ => UserPtr::new(argument).write(0_i32)?,
            TCFLSH | TCSBRK | TCSBRKP | TCXONC | TIOCSCTTY => {}
            TIOCNOTTY => return Err(Errno::EPERM.because("the console stays the terminal")),
            _ => return Err(Errno::ENOTTY),
        }
        Ok(0)
    }

    fn settings2(&self) -> Termios2 {
        let base = *self.settings.lock();
        let speed = baud(base.flags[2]);
        Termios2 {
            base,
            input_speed: speed,
            output_speed: speed,
        }
    }

    fn foreground(&self) -> i32 {
        match self.foreground.load(Ordering::Relaxed) {
            0 => crate::task::current_process().pid(),
            group => group,
        }
    }

    fn set_foreground(&self, group: i32) -> Result<()> {
        if group <= 0 {
            return Err(Errno::EINVAL);
        }
        self.foreground.store(group, Ordering::Relaxed);
        Ok(())
    }
}

/// Bits per second of a `c_cflag` (its CBAUD field).
fn baud(cflag: u32) -> u32 {
    const LOW: [u32; 16] = [
        0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400,
    ];
    const HIGH: [u32; 5] = [0, 57_600, 115_200, 230_400, 460_800];
    let index = usize::try_from(cflag & 0xf).unwrap_or(0);
    if cflag & 0x1000 == 0 {
        LOW[index]
    } else {
        HIGH.get(index).copied().unwrap_or(38_400)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminal() -> Terminal {
        Terminal::new(&libos_abi::boot::Terminal {
            present: 1,
            flags: [0x500, 5, 0xbf, 0x8a3b],
            line: 0,
            control: [3; 19],
            window: [24, 80, 0, 0],
        })
    }

    fn ask<T: Default>(terminal: &Terminal, request: u32) -> (Result<usize>, T) {
        let mut answer = T::default();
        let result = terminal.ioctl(request, &raw mut answer as usize, || true);
        (result, answer)
    }

    #[test]
    fn the_sizes_are_the_kernels() {
        assert_eq!((size_of::<Termios>(), size_of::<Termios2>()), (36, 44));
    }

    #[test]
    fn the_window_is_the_hosts() {
        let terminal = terminal();
        assert_eq!(ask(&terminal, TIOCGWINSZ), (Ok(0), [24_u16, 80, 0, 0]));
        assert_eq!(ask(&terminal, FIONREAD), (Ok(0), 1_i32));
    }

    #[test]
    fn settings_are_read_back() {
        let terminal = terminal();
        let (result, mut settings) = ask::<Termios>(&terminal, TCGETS);
        assert_eq!(result, Ok(0));
        settings.flags[3] = 0;
        let set = terminal.ioctl(TCSETSF, &raw mut settings as usize, || false);
        assert_eq!(set, Ok(0));
        assert_eq!(ask::<Termios>(&terminal, TCGETS).1, settings);
        assert_eq!(ask::<Termios2>(&terminal, TCGETS2).1.output_speed, 38_400);
    }

    #[test]
    fn unknown_requests_are_enotty_and_bad_pointers_efault() {
        let terminal = terminal();
        assert_eq!(terminal.ioctl(0x1234, 0, || false), Err(Errno::ENOTTY));
        assert_eq!(terminal.ioctl(TCGETS, 0, || false), Err(Errno::EFAULT));
    }
}
