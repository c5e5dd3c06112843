//! Flows by number: a bounded table whose keys are never mistaken for those of an earlier entry.
//!
//! Main types: [`Table`], [`Key`].

/// Names an entry. Its number goes through epoll(7) and through the stack's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    index: u32,
    generation: u32,
}

/// Bits of a generation that pass through [`Key::to_bits`].
const GENERATION_BITS: u32 = 28;

impl Key {
    /// As 60 bits: four are left for what kind of entry it is.
    pub fn to_bits(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    /// From [`Self::to_bits`].
    pub fn from_bits(bits: u64) -> Self {
        let generation = (bits >> 32) & ((1 << GENERATION_BITS) - 1);
        Self {
            index: u32::try_from(bits & u64::from(u32::MAX)).unwrap_or(u32::MAX),
            generation: u32::try_from(generation).unwrap_or(u32::MAX),
        }
    }
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

/// A table of at most so many entries.
#[derive(Debug)]
pub struct Table<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    most: usize,
}

impl<T> Table<T> {
    /// Empty; memory is used as entries come.
    pub fn new(most: usize) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            most,
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether there is no room.
    pub fn is_full(&self) -> bool {
        self.len() >= self.most
    }

    /// Adds an entry; gives it back if there is no room.
    pub fn insert(&mut self, value: T) -> Result<Key, T> {
        if self.is_full() {
            return Err(value);
        }
        let index = self.free.pop().or_else(|| {
            let index = u32::try_from(self.slots.len()).ok()?;
            self.slots.push(Slot {
                generation: 0,
                value: None,
            });
            Some(index)
        });
        let Some(index) = index else {
            return Err(value);
        };
        let slot = &mut self.slots[index as usize];
        slot.value = Some(value);
        Ok(Key {
            index,
            generation: slot.generation,
        })
    }

    /// The entry, if it is still there.
    pub fn get(&self, key: Key) -> Option<&T> {
        let slot = self.slots.get(key.index as usize)?;
        (slot.generation == key.generation).then_some(slot.value.as_ref()?)
    }

    /// The entry, to change it.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let slot = self.slots.get_mut(key.index as usize)?;
        (slot.generation == key.generation).then_some(slot.value.as_mut()?)
    }

    /// Takes the entry out.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self.slots.get_mut(key.index as usize)?;
        if slot.generation != key.generation {
            return None;
        }
        let value = slot.value.take()?;
        slot.generation = (slot.generation + 1) & ((1 << GENERATION_BITS) - 1);
        self.free.push(key.index);
        Some(value)
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        let slots = (0..).zip(&self.slots);
        slots.filter_map(|(index, slot)| {
            let key = Key {
                index,
                generation: slot.generation,
            };
            Some((key, slot.value.as_ref()?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_an_entry_that_is_gone_finds_nothing() {
        let mut table = Table::new(2);
        let first = table.insert("first").expect("room");
        assert_eq!(table.remove(first), Some("first"));
        let second = table.insert("second").expect("room");
        assert_eq!(second.index, first.index, "the slot is used again");
        assert_eq!(
            (table.get(first), table.get(second)),
            (None, Some(&"second"))
        );
        assert_eq!((table.remove(first), table.len()), (None, 1));
    }

    #[test]
    fn no_more_than_its_bound() {
        let mut table = Table::new(2);
        assert!(table.insert(1).is_ok() && table.insert(2).is_ok());
        assert_eq!((table.insert(3), table.is_full()), (Err(3), true));
        assert_eq!(
            table.iter().map(|(_, value)| *value).collect::<Vec<_>>(),
            [1, 2]
        );
    }

    #[test]
    fn keys_survive_as_bits() {
        for (index, generation) in [(0, 0), (u32::MAX, (1 << GENERATION_BITS) - 1), (7, 9)] {
            let key = Key { index, generation };
            assert_eq!(Key::from_bits(key.to_bits() | 0xf << 60), key);
        }
    }
}
