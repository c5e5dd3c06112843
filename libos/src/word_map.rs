//! An ordered map of numbers to pointers, the code of which all users share.
//!
//! Each kind of `BTreeMap` is 5 KiB of code. [`WordMap`] is one kind for all values of a pointer's size (`Arc`,
//! `Weak`, `Box`), and all keys that are numbers. Use it where a map may grow long; for tens of entries there is
//! [`crate::sorted_map`].

use alloc::collections::BTreeMap;
use core::marker::PhantomData;
use core::mem::{self, ManuallyDrop, MaybeUninit};

/// A number that can be a key.
pub trait WordKey: Copy {
    /// As a word, in the same order.
    fn to_word(self) -> u64;

    /// Back from [`Self::to_word`].
    fn from_word(word: u64) -> Self;
}

impl WordKey for u64 {
    fn to_word(self) -> u64 {
        self
    }

    fn from_word(word: u64) -> Self {
        word
    }
}

impl WordKey for usize {
    fn to_word(self) -> u64 {
        self as u64
    }

    fn from_word(word: u64) -> Self {
        Self::try_from(word).unwrap_or(Self::MAX)
    }
}

impl WordKey for u16 {
    fn to_word(self) -> u64 {
        self.into()
    }

    fn from_word(word: u64) -> Self {
        Self::try_from(word).unwrap_or(Self::MAX)
    }
}

impl WordKey for u32 {
    fn to_word(self) -> u64 {
        self.into()
    }

    fn from_word(word: u64) -> Self {
        Self::try_from(word).unwrap_or(Self::MAX)
    }
}

/// Flips the sign, so that negative numbers come first.
impl WordKey for i32 {
    fn to_word(self) -> u64 {
        (self.cast_unsigned() ^ 1 << 31).into()
    }

    fn from_word(word: u64) -> Self {
        (u32::from_word(word) ^ 1 << 31).cast_signed()
    }
}

/// Bytes of a value; a pointer, so that what a value points to is still its own.
type Word = MaybeUninit<*mut ()>;

/// A map from numbers to values of a pointer's size, in the order of the numbers.
pub struct WordMap<K, V> {
    words: BTreeMap<u64, Word>,
    kind: PhantomData<(K, V)>,
}

fn pack<V>(value: V) -> Word {
    const { assert!(size_of::<V>() == size_of::<Word>() && align_of::<V>() <= align_of::<Word>()) };
    let value = ManuallyDrop::new(value);
    // SAFETY: of the same size, and any bytes are a `MaybeUninit`. The value is not dropped here, so the
    // copy is the only one.
    unsafe { mem::transmute_copy::<ManuallyDrop<V>, Word>(&value) }
}

/// # Safety
/// 1. `word` came from `pack::<V>`, and is unpacked for the first time.
unsafe fn unpack<V>(word: Word) -> V {
    // SAFETY: duty 1; `pack` has checked the size.
    unsafe { mem::transmute_copy(&word) }
}

/// # Safety
/// 1. `word` came from `pack::<V>`.
unsafe fn borrow<V>(word: &Word) -> &V {
    // SAFETY: duty 1; size and alignment fit.
    unsafe { &*core::ptr::from_ref(word).cast::<V>() }
}

impl<K: WordKey, V> WordMap<K, V> {
    /// An empty map.
    pub const fn new() -> Self {
        Self {
            words: BTreeMap::new(),
            kind: PhantomData,
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Adds or replaces; returns what was there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let old = self.words.insert(key.to_word(), pack(value));
        // SAFETY: words of this map come from `pack::<V>`, and it is out of the map.
        old.map(|word| unsafe { unpack(word) })
    }

    /// Removes and returns.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let old = self.words.remove(&key.to_word());
        // SAFETY: as in `insert`.
        old.map(|word| unsafe { unpack(word) })
    }

    /// The value of `key`.
    pub fn get(&self, key: &K) -> Option<&V> {
        let word = self.words.get(&key.to_word());
        // SAFETY: words of this map come from `pack::<V>`.
        word.map(|word| unsafe { borrow(word) })
    }

    /// The value of `key`, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let word = self.words.get_mut(&key.to_word());
        // SAFETY: as in `get`, and borrowed for as long as the map.
        word.map(|word| unsafe { &mut *core::ptr::from_mut(word).cast::<V>() })
    }

    /// The value of `key`, made if there is none.
    pub fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let word = self.words.entry(key.to_word());
        let word = word.or_insert_with(|| pack(V::default()));
        // SAFETY: as in `get_mut`.
        unsafe { &mut *core::ptr::from_mut(word).cast::<V>() }
    }

    /// Whether `key` has a value.
    pub fn contains_key(&self, key: &K) -> bool {
        self.words.contains_key(&key.to_word())
    }

    /// The entries.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        // SAFETY: words of this map come from `pack::<V>`.
        let entry = |(&key, word)| (K::from_word(key), unsafe { borrow(word) });
        self.words.iter().map(entry)
    }

    /// The keys.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = K> {
        self.words.keys().map(|&key| K::from_word(key))
    }

    /// The values, by key.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        // SAFETY: words of this map come from `pack::<V>`.
        self.words.values().map(|word| unsafe { borrow(word) })
    }

    /// Takes all values out.
    pub fn take_values(&mut self) -> impl Iterator<Item = V> + use<K, V> {
        let words = mem::take(&mut self.words);
        // What the caller does not take is leaked by none: `Taken` drops the rest.
        Taken::<V> {
            words: words.into_values(),
            kind: PhantomData,
        }
    }
}

/// Values that were taken out of a map.
struct Taken<V> {
    words: alloc::collections::btree_map::IntoValues<u64, Word>,
    kind: PhantomData<V>,
}

impl<V> Iterator for Taken<V> {
    type Item = V;

    fn next(&mut self) -> Option<V> {
        // SAFETY: words of a map come from `pack::<V>`, and each is handed out once.
        self.words.next().map(|word| unsafe { unpack(word) })
    }
}

impl<V> Drop for Taken<V> {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}

impl<K, V> Drop for WordMap<K, V> {
    fn drop(&mut self) {
        drop(Taken::<V> {
            words: mem::take(&mut self.words).into_values(),
            kind: PhantomData,
        });
    }
}

impl<K: WordKey, V> Default for WordMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: it holds values of V, and hands out references to them as a `BTreeMap<K, V>` does.
unsafe impl<K: Send, V: Send> Send for WordMap<K, V> {}
// SAFETY: as above.
unsafe impl<K: Sync, V: Sync> Sync for WordMap<K, V> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::testing::Random;
    use alloc::sync::Arc;

    #[test]
    fn it_agrees_with_a_map() {
        let mut random = Random::new(3);
        let (mut map, mut model) = (WordMap::new(), BTreeMap::new());
        for _ in 0..2000 {
            let key = i32::try_from(random.below(100)).expect("small") - 50;
            let value = Arc::new(random.below(1000));
            match random.below(3) {
                0 => assert_eq!(map.remove(&key), model.remove(&key)),
                1 => {
                    if let Some(place) = map.get_mut(&key) {
                        *place = Arc::clone(&value);
                        model.insert(key, value);
                    }
                }
                _ => assert_eq!(
                    map.insert(key, Arc::clone(&value)),
                    model.insert(key, value)
                ),
            }
            assert_eq!(map.get(&key), model.get(&key));
            assert_eq!((map.len(), map.is_empty()), (model.len(), model.is_empty()));
        }
        assert!(
            map.iter()
                .eq(model.iter().map(|(&key, value)| (key, value)))
        );
        assert!(map.values().eq(model.values()));
        assert!(map.keys().eq(model.keys().copied()));
    }

    #[test]
    fn values_are_dropped_once() {
        let value = Arc::new(());
        let mut map = WordMap::new();
        for key in 0..100_u32 {
            map.insert(key, Arc::clone(&value));
        }
        drop(map.insert(7, Arc::clone(&value)));
        assert_eq!(Arc::strong_count(&value), 101);
        assert_eq!(map.take_values().take(40).count(), 40);
        assert_eq!(Arc::strong_count(&value), 1);
        map.insert(1, Arc::clone(&value));
        drop(map);
        assert_eq!(Arc::strong_count(&value), 1);
    }
}
