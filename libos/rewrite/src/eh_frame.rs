//! Reads `.eh_frame`: where functions begin and end, and where exceptions land.
//!
//! Main type: [`Frames`]. Follows the Linux Standard Base (`.eh_frame` and pointer encodings) and the
//! Itanium C++ ABI (language-specific data: call-site tables). A malformed record is skipped, since
//! the data only adds knowledge. Unwind rules themselves are not interpreted.

use alloc::vec::Vec;
use core::ops::Range;

use crate::reader::{Encoding, Reader};
use crate::text::Text;

/// What the unwind information tells about the code.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frames {
    /// Address ranges that have unwind rules: functions, or their cold parts.
    pub functions: Vec<Range<u64>>,
    /// Addresses at which exceptions land.
    pub landing_pads: Vec<u64>,
}

/// Parses the records from an address on; `memory` is everything that the program loads.
pub(crate) fn parse(memory: &Text<'_>, eh_frame: u64) -> Frames {
    let mut parser = Parser {
        memory,
        cies: Vec::new(),
        frames: Frames::default(),
        budget: memory.len(),
    };
    let mut vaddr = eh_frame;
    while let Some(next) = parser.record(vaddr) {
        vaddr = next;
    }
    parser.frames
}

/// Where `.eh_frame` is, from the address of the PT_GNU_EH_FRAME segment.
pub(crate) fn locate(memory: &Text<'_>, eh_frame_hdr: u64) -> Option<u64> {
    let mut reader = Reader::new(memory, eh_frame_hdr)?;
    if reader.u8()? != 1 {
        return None;
    }
    let encoding = Encoding(reader.u8()?);
    reader.skip(2)?;
    reader.pointer(encoding)
}

/// Common information: what its FDEs are encoded with.
#[derive(Clone, Copy)]
struct Cie {
    vaddr: u64,
    addresses: Encoding,
    lsda: Encoding,
    augmented: bool,
    /// Of a signal trampoline, whose FDE begins a byte early: unwinders look up the byte before a
    /// return address, and a handler "returns" to the first byte of the trampoline.
    signal: bool,
}

struct Parser<'t, 'a> {
    memory: &'t Text<'a>,
    /// In rising order, as they are met.
    cies: Vec<Cie>,
    frames: Frames,
    /// Landing pads that may still be collected: a hostile file can name one table countless times.
    budget: usize,
}

impl Parser<'_, '_> {
    /// Parses one record; the address of the next.
    fn record(&mut self, vaddr: u64) -> Option<u64> {
        let mut reader = Reader::new(self.memory, vaddr)?;
        let length = match reader.u32()? {
            0 => return None,
            0xffff_ffff => reader.u64()?,
            length => u64::from(length),
        };
        let id_vaddr = reader.vaddr();
        let next = id_vaddr.checked_add(length)?;
        let id = reader.u32()?;
        let mut reader = reader.until(next)?;
        if id == 0 {
            if let Some(cie) = cie(vaddr, &mut reader) {
                self.cies.push(cie);
            }
        } else {
            self.fde(&mut reader, id_vaddr.checked_sub(u64::from(id))?);
        }
        Some(next)
    }

    fn fde(&mut self, reader: &mut Reader<'_>, cie_vaddr: u64) -> Option<()> {
        let index = self
            .cies
            .binary_search_by_key(&cie_vaddr, |cie| cie.vaddr)
            .ok()?;
        let cie = self.cies[index];
        let start = reader.pointer(cie.addresses)?;
        let len = reader.pointer(cie.addresses.value_only())?;
        let end = start.checked_add(len)?;
        let first = if cie.signal {
            start.checked_add(1)?
        } else {
            start
        };
        if first < end {
            self.frames.functions.push(first..end);
        }
        if cie.augmented && !cie.lsda.is_omitted() && reader.uleb()? > 0 {
            let lsda = reader.pointer(cie.lsda)?;
            self.landing_pads(lsda, start);
        }
        Some(())
    }

    /// Reads a language-specific data area; landing pads are relative to the function's start.
    fn landing_pads(&mut self, lsda: u64, function: u64) -> Option<()> {
        let mut reader = Reader::new(self.memory, lsda)?;
        let encoding = Encoding(reader.u8()?);
        let base = if encoding.is_omitted() {
            function
        } else {
            reader.pointer(encoding)?
        };
        if !Encoding(reader.u8()?).is_omitted() {
            reader.uleb()?;
        }
        let encoding = Encoding(reader.u8()?);
        let length = reader.uleb()?;
        let end = reader.vaddr().checked_add(length)?;
        while reader.vaddr() < end && self.budget > 0 {
            reader.pointer(encoding)?;
            reader.pointer(encoding)?;
            let landing = reader.pointer(encoding)?;
            reader.uleb()?;
            self.budget -= 1;
            if landing != 0 {
                self.frames.landing_pads.push(base.wrapping_add(landing));
            }
        }
        Some(())
    }
}

fn cie(vaddr: u64, reader: &mut Reader<'_>) -> Option<Cie> {
    let version = reader.u8()?;
    let augmentation = reader.c_string()?;
    if version == 4 {
        reader.skip(2)?;
    }
    reader.uleb()?;
    reader.uleb()?;
    if version == 1 {
        reader.u8()?;
    } else {
        reader.uleb()?;
    }
    let mut cie = Cie {
        vaddr,
        addresses: Encoding(0),
        lsda: Encoding::OMITTED,
        augmented: false,
        signal: false,
    };
    for letter in augmentation {
        match letter {
            b'z' => {
                cie.augmented = true;
                reader.uleb()?;
            }
            b'R' => cie.addresses = Encoding(reader.u8()?),
            b'L' => cie.lsda = Encoding(reader.u8()?),
            b'P' => {
                let encoding = Encoding(reader.u8()?);
                reader.pointer(encoding.value_only())?;
            }
            b'S' => cie.signal = true,
            b'B' => {}
            _ => return None,
        }
    }
    Some(cie)
}
