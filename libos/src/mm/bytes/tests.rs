//! The memory functions against the obvious loops, at every small length, alignment and overlap.

use super::*;
use crate::mm::testing::Random;

/// Lengths on both sides of every branch.
fn lengths() -> impl Iterator<Item = usize> {
    (0..=200).chain([
        255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 1500, 4095, 4096, 4097, 9000,
    ])
}

fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    (0..len).map(|_| random.number().to_le_bytes()[0]).collect()
}

/// Bytes around the destination, which must stay as they were.
const MARGIN: usize = 64;

#[test]
fn memcpy_copies_just_the_bytes() {
    for len in lengths() {
        for (source_shift, dest_shift) in [(0, 0), (1, 0), (0, 3), (7, 13), (15, 1)] {
            let source = noise(len + 16, 3);
            let before = noise(len + 2 * MARGIN, 5);
            let mut dest = before.clone();
            let at = MARGIN - dest_shift;
            let target = dest[at..].as_mut_ptr();
            // SAFETY: both runs lie in their vectors.
            let result = unsafe { memcpy(target, source[source_shift..].as_ptr(), len) };
            assert_eq!(result, target);
            let mut expected = before;
            expected[at..at + len].copy_from_slice(&source[source_shift..source_shift + len]);
            assert!(dest == expected, "{len} {source_shift} {dest_shift}");
        }
    }
}

#[test]
fn memmove_is_right_at_every_overlap() {
    let distances = [
        0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129, 300, 1500,
    ];
    for len in lengths() {
        for distance in distances {
            for (from, to) in [(distance, 0), (0, distance)] {
                let mut memory = noise(len + distance + 64, 11);
                let mut expected = memory.clone();
                expected.copy_within(from..from + len, to);
                let base = memory.as_mut_ptr();
                // SAFETY: both runs lie in the vector.
                let result = unsafe { memmove(base.add(to), base.add(from), len) };
                assert_eq!(result as usize, base as usize + to);
                assert!(memory == expected, "{len} bytes from {from} to {to}");
            }
        }
    }
}

#[test]
fn memset_sets_just_the_bytes() {
    for len in lengths() {
        for shift in [0, 1, 7, 15] {
            let before = noise(len + 2 * MARGIN, 5);
            let mut dest = before.clone();
            let target = dest[shift + 16..].as_mut_ptr();
            // SAFETY: the run lies in the vector.
            assert_eq!(unsafe { memset(target, 0x1a5, len) }, target);
            let mut expected = before;
            expected[shift + 16..shift + 16 + len].fill(0xa5);
            assert!(dest == expected, "{len} {shift}");
        }
    }
}

#[test]
fn memcmp_orders_by_the_first_difference() {
    for len in lengths() {
        let left = noise(len, 17);
        let mut right = left.clone();
        let compare = |left: &[u8], right: &[u8]| {
            // SAFETY: both have `len` bytes.
            let (full, equal) = unsafe {
                (
                    memcmp(left.as_ptr(), right.as_ptr(), len).signum(),
                    bcmp(left.as_ptr(), right.as_ptr(), len) == 0,
                )
            };
            assert_eq!(full, left.cmp(right) as i32, "{len}");
            assert_eq!(equal, left == right, "{len}");
        };
        compare(&left, &right);
        let step = 1 + len / 70;
        for at in (0..len).step_by(step).chain(len.checked_sub(1)) {
            let original = right[at];
            for other in [original.wrapping_add(1), original ^ 0x80, 0, 255] {
                right[at] = other;
                // A later difference must not count.
                if let Some(later) = right.get_mut(at + 3) {
                    *later = !*later;
                }
                compare(&left, &right);
                compare(&right, &left);
                if let Some(later) = right.get_mut(at + 3) {
                    *later = !*later;
                }
            }
            right[at] = original;
        }
    }
}

#[test]
fn strlen_finds_the_first_nul_at_every_alignment() {
    for shift in 0..32 {
        for len in 0..100 {
            let mut memory = [b'x'; 160];
            // NULs in front of the string share its block.
            memory[..shift].fill(0);
            memory[shift + len] = 0;
            // SAFETY: there is a NUL in the vector; blocks around it lie in the same pages.
            assert_eq!(unsafe { strlen(memory[shift..].as_ptr()) }, len, "{shift}");
        }
    }
}
