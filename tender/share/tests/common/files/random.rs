//! Operations at random, on a few names, so that they meet.

use super::Operation::{self, *};

const NEW: i32 = libc::O_CREAT | libc::O_RDWR;

fn s(text: &str) -> String {
    text.into()
}

/// A number generator: xorshift.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(0x9e37_79b9_7f4a_7c15 ^ seed)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).expect("53 bits") % bound
    }

    fn pick<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())].clone()
    }

    pub fn operation(&mut self) -> Operation {
        let directory = self.pick(&["d", "e", "d/f"]);
        let name = self.pick(&["a", "b", "c", "d/a", "d/b", "e/a", "d/f/a"]);
        let other = self.pick(&["a", "b", "c", "d/a", "d/b", "e/a", "d/f/a"]);
        let offset = self.below(20_000) as u64;
        let data = vec![b'0' + u8::try_from(self.below(10)).expect("a digit"); self.below(9000)];
        let mode = u32::try_from(self.below(0o1000)).expect("bits") | 0o600;
        let (name, other) = (s(name), s(other));
        match self.below(28) {
            0 => Mkdir(s(directory), mode | 0o700),
            1 => Rmdir(s(directory)),
            2 => Rename(s(directory), s(self.pick(&["d", "e", "d/f"])), 0),
            3 | 4 => Unlink(name),
            5..=8 => Write(name, NEW, mode, offset, data),
            9 => Write(
                name,
                NEW | self.pick(&[libc::O_EXCL, libc::O_TRUNC]),
                mode,
                0,
                data,
            ),
            10 => Write(name, libc::O_WRONLY | libc::O_APPEND, 0, 0, data),
            11..=13 => Read(name, offset, 5000),
            14 => Truncate(name, offset),
            15 | 16 => Rename(name, other, self.pick(&[0, 0, 1, 2])),
            17 => Link(name, other),
            18 => Symlink(other, name),
            19 => Readlink(name),
            20 => Chmod(name, mode),
            21 => Times(name, i64::try_from(offset).expect("small"), 999_999_999),
            22 => SetXattr(
                name,
                s(self.pick(&["user.a", "user.b"])),
                data[..data.len().min(50)].into(),
                0,
            ),
            23 => GetXattr(name, s(self.pick(&["user.a", "user.b"]))),
            24 => Fallocate(
                name,
                self.pick(&[0, 1, 3, 0x10, 0x11]),
                offset,
                1 + offset / 2,
            ),
            25 => Seek(name, offset, self.pick(&[3, 4])),
            26 => List(s(self.pick(&["", "d", "e", "d/f"]))),
            _ => Stat(name),
        }
    }
}
