//! The state of the caller's terminal, read once: the guest cannot ask for it later.
//!
//! It reads and never sets: what the program does to "its" terminal stays inside the libOS.

use libos_abi::boot::Terminal;

/// The kernel's `struct termios` (`asm-generic/termbits.h`); glibc's differs.
#[repr(C)]
#[derive(Default)]
struct KernelTermios {
    flags: [u32; 4],
    line: u8,
    control: [u8; 19],
}

/// The terminal behind `fd`, or `None` if it is none.
pub fn read(fd: i32) -> Option<Terminal> {
    let mut termios = KernelTermios::default();
    // SAFETY: TCGETS writes one kernel `struct termios`, which `KernelTermios` is, to its argument.
    if unsafe { libc::ioctl(fd, libc::TCGETS, &raw mut termios) } != 0 {
        return None;
    }
    Some(Terminal {
        present: 1,
        flags: termios.flags,
        line: termios.line,
        control: termios.control,
        window: window(fd),
    })
}

/// Rows, columns, width, height; zeros if the terminal does not say.
fn window(fd: i32) -> [u16; 4] {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: TIOCGWINSZ writes one `struct winsize` to its argument.
    if unsafe { libc::ioctl(fd, libc::TIOCGWINSZ, &raw mut size) } != 0 {
        return [0; 4];
    }
    [size.ws_row, size.ws_col, size.ws_xpixel, size.ws_ypixel]
}
