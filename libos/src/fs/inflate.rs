//! Decodes DEFLATE, the format of RFC 1951.
//!
//! Main function: [`inflate`]. For what images hold compressed: small and rarely read, so the decoder
//! is the shortest one, a bit at a time. Neighbour: [`crate::fs::packed`]. It encodes nothing,
//! and knows no checksums.

use alloc::vec::Vec;

/// Longest code, in bits.
const LONGEST: usize = 15;

/// In which order the lengths of the code-length code are given (RFC 1951, 3.2.7).
const LENGTH_ORDER: [usize; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];

/// Number of symbols for literals and lengths, and for distances.
const LITERALS: usize = 288;
const DISTANCES: usize = 30;

/// The end of a block.
const END: u16 = 256;

/// The longest match has a symbol of its own.
const LONGEST_MATCH: (usize, usize) = (28, 258);

/// What `packed` holds; `None` if it is not DEFLATE data of exactly `len` bytes, or there is no memory.
pub fn inflate(packed: &[u8], len: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).ok()?;
    let mut bits = Bits {
        bytes: packed,
        at: 0,
    };
    loop {
        let is_last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => stored(&mut bits, &mut bytes, len)?,
            1 => {
                let (literals, distances) = fixed_codes();
                compressed(&mut bits, &mut bytes, len, &literals, &distances)?;
            }
            2 => {
                let (literals, distances) = given_codes(&mut bits)?;
                compressed(&mut bits, &mut bytes, len, &literals, &distances)?;
            }
            _ => return None,
        }
        if is_last {
            return (bytes.len() == len).then_some(bytes);
        }
    }
}

/// Bits, the least significant of a byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    /// The next bit.
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<usize> {
        let byte = *self.bytes.get(self.at / 8)?;
        let bit = byte >> (self.at % 8) & 1;
        self.at += 1;
        Some(usize::from(bit))
    }

    /// A number of `count` bits, the least significant first.
    fn take(&mut self, count: usize) -> Option<usize> {
        (0..count).try_fold(0, |number, place| Some(number | self.bit()? << place))
    }
}

/// A canonical Huffman code.
struct Code {
    /// How many symbols have a code of each length.
    counts: [u16; LONGEST + 1],
    /// The symbols, by code.
    symbols: [u16; LITERALS],
}

impl Code {
    /// The code in which each symbol has a code of that length, or none if it is 0.
    fn new(lengths: &[u8]) -> Self {
        let mut code = Self {
            counts: [0; LONGEST + 1],
            symbols: [0; LITERALS],
        };
        let mut next = 0;
        for bits in 1..=LONGEST {
            for (symbol, _) in (0..)
                .zip(lengths)
                .filter(|&(_, &length)| usize::from(length) == bits)
            {
                code.symbols[next] = symbol;
                code.counts[bits] += 1;
                next += 1;
            }
        }
        code
    }

    fn decode(&self, bits: &mut Bits<'_>) -> Option<u16> {
        // Among the codes of one length, how far the bits so far are behind the first; and that
        // first one's place among all symbols.
        let (mut beyond, mut place) = (0, 0);
        for &count in &self.counts[1..] {
            let count = usize::from(count);
            beyond = beyond * 2 + bits.bit()?;
            if beyond < count {
                return Some(self.symbols[place + beyond]);
            }
            beyond -= count;
            place += count;
        }
        None
    }
}

fn stored(bits: &mut Bits<'_>, bytes: &mut Vec<u8>, len: usize) -> Option<()> {
    bits.at = bits.at.next_multiple_of(8);
    let count = bits.take(16)?;
    if bits.take(16)? != !count & 0xffff || bytes.len() + count > len {
        return None;
    }
    let start = bits.at / 8;
    bytes.extend_from_slice(bits.bytes.get(start..start + count)?);
    bits.at += count * 8;
    Some(())
}

fn fixed_codes() -> (Code, Code) {
    let mut lengths = [8; LITERALS];
    lengths[144..256].fill(9);
    lengths[256..280].fill(7);
    (Code::new(&lengths), Code::new(&[5; DISTANCES]))
}

/// The codes that a block begins with, themselves encoded.
fn given_codes(bits: &mut Bits<'_>) -> Option<(Code, Code)> {
    let (literals, distances) = (bits.take(5)? + 257, bits.take(5)? + 1);
    let given = bits.take(4)? + 4;
    let mut lengths = [0; 19];
    for &symbol in &LENGTH_ORDER[..given] {
        lengths[symbol] = u8::try_from(bits.take(3)?).ok()?;
    }
    let code = Code::new(&lengths);
    let mut lengths = [0_u8; LITERALS + 32];
    let total = literals + distances;
    let mut known = 0;
    while known < total {
        let (length, repeat) = match code.decode(bits)? {
            16 => (*lengths[..known].last()?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            length => (u8::try_from(length).ok()?, 1),
        };
        lengths[..total]
            .get_mut(known..known + repeat)?
            .fill(length);
        known += repeat;
    }
    let (literal, distance) = lengths[..total].split_at(literals);
    Some((Code::new(literal), Code::new(distance)))
}

/// A block of literals and matches.
fn compressed(
    bits: &mut Bits<'_>,
    bytes: &mut Vec<u8>,
    len: usize,
    literals: &Code,
    distances: &Code,
) -> Option<()> {
    loop {
        let symbol = literals.decode(bits)?;
        if symbol == END {
            return Some(());
        }
        if symbol < END {
            if bytes.len() == len {
                return None;
            }
            bytes.push(u8::try_from(symbol).ok()?);
            continue;
        }
        let count = match_length(usize::from(symbol - END - 1), bits)?;
        let distance = match_distance(usize::from(distances.decode(bits)?), bits)?;
        let start = bytes.len().checked_sub(distance)?;
        if bytes.len() + count > len {
            return None;
        }
        for at in start..start + count {
            bytes.push(bytes[at]);
        }
    }
}

/// Lengths from 3 on: eight of one each, then groups of four, each group twice as wide.
fn match_length(symbol: usize, bits: &mut Bits<'_>) -> Option<usize> {
    match symbol {
        0..8 => Some(3 + symbol),
        8..28 => {
            let extra = symbol / 4 - 1;
            Some(3 + ((4 + symbol % 4) << extra) + bits.take(extra)?)
        }
        _ => (symbol == LONGEST_MATCH.0).then_some(LONGEST_MATCH.1),
    }
}

/// Distances from 1 on: four of one each, then groups of two.
fn match_distance(symbol: usize, bits: &mut Bits<'_>) -> Option<usize> {
    match symbol {
        0..4 => Some(1 + symbol),
        4..DISTANCES => {
            let extra = symbol / 2 - 1;
            Some(1 + ((2 + symbol % 2) << extra) + bits.take(extra)?)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::testing::Random;
    use miniz_oxide::deflate::compress_to_vec;
    use std::vec;

    /// Bytes of few kinds, with repetitions.
    fn sample(random: &mut Random, len: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < len {
            let word = random.below(200);
            bytes.extend(vec![
                word.to_le_bytes()[0];
                1 + usize::try_from(random.below(9)).expect("small")
            ]);
            bytes.extend(word.to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }

    #[test]
    fn gives_back_what_another_encoder_packed() {
        let mut random = Random::new(1951);
        for len in [0, 1, 3, 257, 300, 5000, 100_000, 300_000] {
            let bytes = sample(&mut random, len);
            for level in [0, 1, 6, 9] {
                let packed = compress_to_vec(&bytes, level);
                assert!(
                    inflate(&packed, len).as_ref() == Some(&bytes),
                    "{len} {level}"
                );
                assert_eq!(inflate(&packed, len + 1), None);
                assert!(len == 0 || inflate(&packed, len - 1).is_none());
            }
        }
    }

    #[test]
    fn gives_back_a_program() {
        let bytes = std::fs::read("/proc/self/exe").expect("own file");
        let bytes = &bytes[..bytes.len().min(1 << 20)];
        let packed = compress_to_vec(bytes, 9);
        assert!(inflate(&packed, bytes.len()).is_some_and(|unpacked| unpacked == bytes));
    }

    #[test]
    fn fixed_codes_are_known() {
        // "aaaaaaaaaa" as zlib packs it, without header and checksum.
        let packed = [0x4b, 0x84, 0x03, 0x00];
        assert_eq!(inflate(&packed, 10).as_deref(), Some(&b"aaaaaaaaaa"[..]));
    }

    #[test]
    fn what_is_damaged_is_refused_and_harms_nothing() {
        let mut random = Random::new(7);
        let bytes = sample(&mut random, 4000);
        let packed = compress_to_vec(&bytes, 9);
        for cut in 0..packed.len() {
            assert_eq!(inflate(&packed[..cut], bytes.len()), None, "{cut}");
        }
        for _ in 0..20_000 {
            let mut damaged = packed.clone();
            for _ in 0..=random.below(3) {
                let at = usize::try_from(random.below(packed.len() as u64)).expect("small");
                damaged[at] ^= 1 << random.below(8);
            }
            if let Some(unpacked) = inflate(&damaged, bytes.len()) {
                assert_eq!(unpacked.len(), bytes.len());
            }
        }
        assert_eq!(inflate(&[], 0), None);
        assert_eq!(inflate(&[0x07], 0), None, "no such kind of block");
    }
}
