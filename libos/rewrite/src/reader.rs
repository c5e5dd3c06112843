//! A cursor over loaded memory for little-endian tables: fixed integers, LEB128, encoded pointers.
//!
//! Main types: [`Reader`], [`Encoding`] (DW_EH_PE pointer encodings). Every method gives `None` at the
//! end of the bytes; nothing panics.

use crate::text::{Text, to_u64};

/// A cursor.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    vaddr: u64,
}

/// A DW_EH_PE pointer encoding: low nibble the format, the rest what the value is relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Encoding(pub u8);

impl Encoding {
    /// DW_EH_PE_omit: no value follows.
    pub const OMITTED: Self = Self(0xff);
    const PC_RELATIVE: u8 = 0x10;

    pub fn is_omitted(self) -> bool {
        self == Self::OMITTED
    }

    /// The same format as a plain number, such as a length.
    pub fn value_only(self) -> Self {
        Self(self.0 & 0x0f)
    }
}

impl<'a> Reader<'a> {
    /// Starts at an address; `None` where nothing is loaded.
    pub fn new(memory: &Text<'a>, vaddr: u64) -> Option<Self> {
        Some(Self {
            bytes: memory.region(vaddr)?.tail(vaddr),
            vaddr,
        })
    }

    /// The same position, ending at an address.
    pub fn until(&self, end: u64) -> Option<Self> {
        let len = usize::try_from(end.checked_sub(self.vaddr)?).ok()?;
        Some(Self {
            bytes: self.bytes.get(..len)?,
            vaddr: self.vaddr,
        })
    }

    pub fn vaddr(&self) -> u64 {
        self.vaddr
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, left) = self.bytes.split_at_checked(len)?;
        self.bytes = left;
        self.vaddr += to_u64(len);
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub fn skip(&mut self, len: usize) -> Option<()> {
        self.take(len).map(|_| ())
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Bytes up to a NUL, which is skipped.
    pub fn c_string(&mut self) -> Option<&'a [u8]> {
        let len = self.bytes.iter().position(|&byte| byte == 0)?;
        let string = self.take(len)?;
        self.skip(1)?;
        Some(string)
    }

    /// Unsigned LEB128; also skips a signed one. Bits past the 64th are lost.
    pub fn uleb(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0u32..).step_by(7) {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn sleb(&mut self) -> Option<i64> {
        let before = self.bytes.len();
        let value = self.uleb()?.cast_signed();
        let read = u32::try_from(before - self.bytes.len()).ok()?;
        let unused = 64u32.saturating_sub(read.checked_mul(7)?);
        Some(value << unused >> unused)
    }

    /// An encoded pointer. `None` for one that is omitted, indirect, or relative to anything but its
    /// own address.
    pub fn pointer(&mut self, encoding: Encoding) -> Option<u64> {
        let here = self.vaddr;
        let value = match encoding.0 & 0x0f {
            0x00 | 0x04 | 0x0c => self.u64()?,
            0x01 => self.uleb()?,
            0x02 => u64::from(self.array().map(u16::from_le_bytes)?),
            0x03 => u64::from(self.u32()?),
            0x09 => self.sleb()?.cast_unsigned(),
            0x0a => i64::from(self.array().map(i16::from_le_bytes)?).cast_unsigned(),
            0x0b => i64::from(self.array().map(i32::from_le_bytes)?).cast_unsigned(),
            _ => return None,
        };
        match encoding.0 & 0xf0 {
            0x00 => Some(value),
            // A null pointer stays null, whatever it is relative to.
            Encoding::PC_RELATIVE if value == 0 => Some(0),
            Encoding::PC_RELATIVE => Some(here.wrapping_add(value)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Region;
    use alloc::vec;

    fn over(bytes: &[u8]) -> Reader<'_> {
        let memory = Text::new(vec![Region::new(0x1000, bytes).unwrap()]).unwrap();
        Reader::new(&memory, 0x1000).unwrap()
    }

    #[test]
    fn leb128_is_read_signed_and_unsigned() {
        assert_eq!(over(&[0xe5, 0x8e, 0x26]).uleb(), Some(624_485));
        assert_eq!(over(&[0x7f]).sleb(), Some(-1));
        assert_eq!(over(&[0xc0, 0xbb, 0x78]).sleb(), Some(-123_456));
        assert_eq!(over(&[0x80; 40]).uleb(), None, "no end");
    }

    #[test]
    fn pointers_are_relative_to_their_own_address() {
        assert_eq!(
            over(&[0xf0, 0xff, 0xff, 0xff]).pointer(Encoding(0x1b)),
            Some(0xff0)
        );
        assert_eq!(over(&[0; 4]).pointer(Encoding(0x1b)), Some(0));
        assert_eq!(over(&[0; 8]).pointer(Encoding(0x9b)), None, "indirect");
    }
}
