//! Record locks as pure data: who holds which range how.

use alloc::vec::Vec;

/// Shared or exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// F_RDLCK: many may hold it.
    Read,
    /// F_WRLCK: one alone.
    Write,
}

/// Who holds a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// A process, by id.
    Process(i32),
    /// An open file description, by a number that no other living one has.
    Description(usize),
}

/// Bytes `first..=last`; `last` is [`Range::END`] for "to the end, however far that moves".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// First byte.
    pub first: u64,
    /// Last byte.
    pub last: u64,
}

impl Range {
    /// The largest position: a lock to it has `l_len` 0.
    pub const END: u64 = i64::MAX as u64;

    /// Bytes `first..=last`.
    pub const fn new(first: u64, last: u64) -> Self {
        Self { first, last }
    }

    /// From `l_start` and `l_len` of `struct flock`, relative to `base`; `None` if it begins before
    /// the file or ends beyond the largest position.
    pub fn from_flock(base: u64, start: i64, len: i64) -> Option<Self> {
        let start = base.checked_add_signed(start)?;
        let (first, last) = match len {
            0 => (start, Self::END),
            1.. => (start, start.checked_add_signed(len - 1)?),
            _ => (start.checked_add_signed(len)?, start.checked_sub(1)?),
        };
        (last <= Self::END && first <= last).then_some(Self { first, last })
    }

    /// `l_start` and `l_len`, relative to the file's start.
    pub fn to_flock(self) -> (i64, i64) {
        let len = match self.last {
            Self::END => 0,
            last => last - self.first + 1,
        };
        (self.first.cast_signed(), len.cast_signed())
    }

    fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// Whether they overlap or stand side by side.
    fn touches(self, other: Self) -> bool {
        self.first <= other.last.saturating_add(1) && other.first <= self.last.saturating_add(1)
    }
}

/// A lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeLock {
    /// Who holds it.
    pub owner: Owner,
    /// Shared or exclusive.
    pub kind: Kind,
    /// On which bytes.
    pub range: Range,
}

/// All record locks of a file. One owner's locks don't overlap, and those of one kind don't touch.
#[derive(Default)]
pub struct RangeLocks {
    held: Vec<RangeLock>,
}

impl RangeLocks {
    /// The lock with the lowest position that keeps `owner` from taking `kind` on `range`.
    pub fn conflict(&self, owner: Owner, kind: Kind, range: Range) -> Option<RangeLock> {
        self.held
            .iter()
            .filter(|lock| lock.owner != owner && lock.range.overlaps(range))
            .filter(|lock| kind == Kind::Write || lock.kind == Kind::Write)
            .min_by_key(|lock| lock.range.first)
            .copied()
    }

    /// Gives `owner` a lock on `range` (`None`: none), whatever it held there before. The caller has
    /// excluded conflicts.
    pub fn set(&mut self, owner: Owner, kind: Option<Kind>, range: Range) {
        let mut wanted = range;
        let mut kept = Vec::new();
        self.held.retain(|lock| {
            if lock.owner != owner || !lock.range.touches(range) {
                return true;
            }
            if Some(lock.kind) == kind {
                wanted.first = wanted.first.min(lock.range.first);
                wanted.last = wanted.last.max(lock.range.last);
                return false;
            }
            kept.extend(remainder(*lock, range));
            false
        });
        self.held.extend(kept);
        if let Some(kind) = kind {
            self.held.push(RangeLock {
                owner,
                kind,
                range: wanted,
            });
        }
    }

    /// Drops all locks of `owner`.
    pub fn release(&mut self, owner: Owner) {
        self.held.retain(|lock| lock.owner != owner);
    }
}

/// What is left of `lock` outside `range`.
fn remainder(lock: RangeLock, range: Range) -> impl Iterator<Item = RangeLock> {
    let part = |first: u64, last: u64| RangeLock {
        range: Range::new(first, last),
        ..lock
    };
    let before = (lock.range.first < range.first)
        .then(|| part(lock.range.first, lock.range.last.min(range.first - 1)));
    let behind = (lock.range.last > range.last)
        .then(|| part(lock.range.first.max(range.last + 1), lock.range.last));
    before.into_iter().chain(behind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::testing::Random;

    #[test]
    fn flock_ranges() {
        let range = |base, start, len| Range::from_flock(base, start, len);
        assert_eq!(range(0, 0, 0), Some(Range::new(0, Range::END)));
        assert_eq!(range(10, 5, 10), Some(Range::new(15, 24)));
        assert_eq!(range(10, 0, -5), Some(Range::new(5, 9)));
        assert_eq!(range(10, 0, -11), None);
        assert_eq!(range(0, -1, 1), None);
        assert_eq!(range(0, 0, -1), None);
        assert_eq!(range(0, i64::MAX, 2), None);
        assert_eq!(range(u64::MAX, 1, 1), None);
        assert_eq!(Range::new(5, 9).to_flock(), (5, 5));
        assert_eq!(Range::new(5, Range::END).to_flock(), (5, 0));
    }

    /// Random locks against an array that says for each byte who holds it how.
    #[test]
    fn it_agrees_with_a_byte_by_byte_model() {
        const BYTES: usize = 40;
        let owners = [Owner::Process(1), Owner::Process(2), Owner::Description(1)];
        let mut random = Random::new(3);
        let mut locks = RangeLocks::default();
        let mut model = [[None; 3]; BYTES];
        for step in 0..20_000 {
            let first = random.below(BYTES as u64);
            let last = (first + random.below(10)).min(BYTES as u64 - 1);
            let range = Range::new(first, last);
            let who = usize::try_from(random.below(3)).expect("small");
            let kind = [None, Some(Kind::Read), Some(Kind::Write)]
                [usize::try_from(random.below(3)).expect("small")];
            let bytes =
                usize::try_from(first).expect("small")..=usize::try_from(last).expect("small");
            if let Some(kind) = kind {
                let clash = bytes.clone().any(|byte| {
                    (0..3).any(|other| {
                        other != who
                            && match model[byte][other] {
                                None => false,
                                Some(held) => kind == Kind::Write || held == Kind::Write,
                            }
                    })
                });
                let conflict = locks.conflict(owners[who], kind, range);
                assert_eq!(conflict.is_some(), clash, "step {step}");
                if clash {
                    continue;
                }
            }
            locks.set(owners[who], kind, range);
            bytes.for_each(|byte| model[byte][who] = kind);
            for (index, owner) in owners.iter().enumerate() {
                for (byte, held) in (0..).zip(&model) {
                    let at = Range::new(byte, byte);
                    let mut holds = locks
                        .held
                        .iter()
                        .filter(|lock| lock.owner == *owner && lock.range.overlaps(at));
                    assert_eq!(holds.next().map(|lock| lock.kind), held[index]);
                    assert!(holds.next().is_none(), "one owner's locks overlap");
                }
            }
        }
    }
}
