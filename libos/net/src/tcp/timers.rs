//! When to look at which connection: a hierarchical timing wheel.
//!
//! Each connection has one place in it at most, so that its memory is bounded by their number; setting,
//! moving and clearing cost the same however many there are. Six levels of 64 slots: the lowest
//! holds the next 64 milliseconds, each higher one 64 times as much. What lies further ahead waits in the
//! highest level and is sorted anew when its slot is reached (Varghese and Lauck's scheme 7).

use alloc::vec::Vec;

use crate::time::Instant;

const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;
const LEVELS: usize = 6;
/// The furthest that the wheel can tell apart, in milliseconds: some two years. One slot of the highest level
/// less than it could, so that nothing far ahead looks like the present slot.
const HORIZON: u64 = (SLOTS as u64 - 1) << (BITS * 5);
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Node {
    previous: u32,
    next: u32,
    /// Milliseconds; meaningless if not queued.
    due: u64,
    /// Level and slot; none if not queued.
    place: Option<(u8, u8)>,
}

#[derive(Debug)]
struct Level {
    heads: [u32; SLOTS],
    occupied: u64,
}

/// The wheel. Entries are the indices of the [table](super::table).
#[derive(Debug)]
pub(crate) struct Timers {
    levels: [Level; LEVELS],
    nodes: Vec<Node>,
    /// Milliseconds up to which everything was handed out.
    elapsed: u64,
}

impl Default for Timers {
    fn default() -> Self {
        let level = || Level {
            heads: [NONE; SLOTS],
            occupied: 0,
        };
        Self {
            levels: core::array::from_fn(|_| level()),
            nodes: Vec::new(),
            elapsed: 0,
        }
    }
}

impl Timers {
    /// Puts `index` at `due`, wherever it was; a moment that is past is the next millisecond's.
    pub fn set(&mut self, index: u32, due: Option<Instant>) {
        let due = due.map(millis);
        let at = at(index);
        if self.nodes.len() <= at {
            let empty = Node {
                previous: NONE,
                next: NONE,
                due: 0,
                place: None,
            };
            self.nodes.resize(at + 1, empty);
        }
        let node = self.nodes[at];
        let queued = node.place.map(|_| node.due);
        if queued == due {
            return;
        }
        self.unlink(index);
        if let Some(due) = due {
            self.link(index, due);
        }
    }

    /// The next moment at which [`Self::expired`] may have something.
    pub fn next(&self) -> Option<Instant> {
        let (_, _, start) = self.next_slot()?;
        Some(Instant::from_micros(
            i64::try_from(start.saturating_mul(1000)).unwrap_or(i64::MAX),
        ))
    }

    /// Takes out one whose moment has come.
    pub fn expired(&mut self, now: Instant) -> Option<u32> {
        let now = now.total_micros().max(0).cast_unsigned() / 1000;
        loop {
            let (level, slot, start) = self.next_slot()?;
            if start > now {
                return None;
            }
            self.elapsed = self.elapsed.max(start);
            let index = self.levels[level].heads[slot];
            if level == 0 {
                self.unlink(index);
                return Some(index);
            }
            self.cascade(level, slot);
        }
    }

    /// Sorts the entries of a slot that was reached into lower levels.
    fn cascade(&mut self, level: usize, slot: usize) {
        let mut index = core::mem::replace(&mut self.levels[level].heads[slot], NONE);
        self.levels[level].occupied &= !(1 << slot);
        while let Some(node) = self.nodes.get(at(index)).copied() {
            self.link(index, node.due);
            index = node.next;
        }
    }

    /// The first slot with entries, and the millisecond at which it begins.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        (0..LEVELS).find_map(|level| {
            let occupied = self.levels[level].occupied;
            if occupied == 0 {
                return None;
            }
            let shift = BITS * u32::try_from(level).ok()?;
            let current = u32::try_from((self.elapsed >> shift) % 64).ok()?;
            let ahead = occupied.rotate_right(current).trailing_zeros();
            let slot = (current + ahead) % 64;
            let turn = self.elapsed >> shift >> BITS << BITS << shift;
            let mut start = turn + (u64::from(slot) << shift);
            if slot < current {
                start += 1 << (shift + BITS);
            }
            Some((level, usize::try_from(slot).ok()?, start))
        })
    }

    fn link(&mut self, index: u32, due: u64) {
        let when = due.clamp(self.elapsed, self.elapsed + HORIZON);
        let different = (self.elapsed ^ when) | (64 - 1);
        let level = ((63 - different.leading_zeros()) / BITS).min(5);
        let slot = (when >> (level * BITS)) % 64;
        let (level, slot) = (level_index(level), level_index(slot));
        let head = self.levels[level].heads[slot];
        self.nodes[at(index)] = Node {
            previous: NONE,
            next: head,
            due,
            place: u8::try_from(level).ok().zip(u8::try_from(slot).ok()),
        };
        if let Some(next) = self.nodes.get_mut(at(head)) {
            next.previous = index;
        }
        self.levels[level].heads[slot] = index;
        self.levels[level].occupied |= 1 << slot;
    }

    fn unlink(&mut self, index: u32) {
        let node = self.nodes[at(index)];
        let Some((level, slot)) = node.place else {
            return;
        };
        self.nodes[at(index)].place = None;
        if let Some(next) = self.nodes.get_mut(at(node.next)) {
            next.previous = node.previous;
        }
        if let Some(previous) = self.nodes.get_mut(at(node.previous)) {
            previous.next = node.next;
            return;
        }
        let level = &mut self.levels[usize::from(level)];
        level.heads[usize::from(slot)] = node.next;
        if node.next == NONE {
            level.occupied &= !(1 << slot);
        }
    }
}

/// Rounded up: never too early.
fn millis(at: Instant) -> u64 {
    at.total_micros().max(0).cast_unsigned().div_ceil(1000)
}

fn at(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

fn level_index<T: TryInto<usize>>(number: T) -> usize {
    number.try_into().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn at_ms(ms: u64) -> Instant {
        Instant::from_millis(i64::try_from(ms).expect("a small number"))
    }

    #[test]
    fn entries_come_at_their_moment_and_once() {
        let mut timers = Timers::default();
        timers.set(3, Some(at_ms(10)));
        timers.set(1, Some(at_ms(70)));
        timers.set(2, Some(at_ms(5000)));
        timers.set(2, Some(at_ms(20)));
        timers.set(4, Some(at_ms(30)));
        timers.set(4, None);
        assert_eq!(timers.next(), Some(at_ms(10)));
        assert_eq!(timers.expired(at_ms(9)), None);
        assert_eq!(timers.expired(at_ms(25)), Some(3));
        assert_eq!(timers.expired(at_ms(25)), Some(2));
        assert_eq!(timers.expired(at_ms(69)), None);
        assert_eq!(timers.expired(at_ms(100_000)), Some(1));
        assert_eq!(timers.expired(at_ms(100_000)), None);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn what_is_past_comes_at_once() {
        let mut timers = Timers::default();
        timers.set(0, Some(at_ms(1000)));
        assert_eq!(timers.expired(at_ms(2000)), Some(0));
        timers.set(0, Some(at_ms(5)));
        assert_eq!(timers.expired(at_ms(2000)), Some(0));
    }

    /// Against a sorted map, over three years.
    #[test]
    fn it_agrees_with_a_sorted_map() {
        let mut timers = Timers::default();
        let mut model: BTreeMap<u32, u64> = BTreeMap::new();
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut now = 0;
        for _ in 0..20_000 {
            let index = u32::try_from(random() % 50).expect("small");
            let far = 1_u64 << (random() % 37);
            match random() % 4 {
                0 => {
                    timers.set(index, None);
                    model.remove(&index);
                }
                1 | 2 => {
                    let due = now + random() % far;
                    timers.set(index, Some(at_ms(due)));
                    model.insert(index, due);
                }
                _ => {
                    now += random() % far.min(1 << 32);
                    while let Some(index) = timers.expired(at_ms(now)) {
                        let due = model.remove(&index).expect("it was set");
                        assert!(due <= now, "{due} came at {now}");
                    }
                    assert!(model.values().all(|due| *due > now), "one is late at {now}");
                }
            }
            let next = model.values().min();
            assert_eq!(timers.next().is_some(), next.is_some());
            if let (Some(at), Some(next)) = (timers.next(), next) {
                assert!(at <= at_ms(*next), "it would wake too late");
            }
        }
    }
}
