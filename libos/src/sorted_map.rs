//! An ordered map for a few entries: a vector, sorted by key.
//!
//! [`SortedMap`] has the methods of `BTreeMap` that its users want. Each kind of `BTreeMap` is 5 KiB of
//! code; where there are tens of entries, rarely changed, this is smaller and no slower. Adding and
//! removing take time in proportion to the number of entries.

use alloc::vec::Vec;
use core::borrow::Borrow;

/// A map of few entries, in the order of its keys.
#[derive(Clone, Debug)]
pub struct SortedMap<K, V> {
    entries: Vec<(K, V)>,
}

impl<K, V> SortedMap<K, V> {
    /// An empty map.
    pub const fn new() -> Self {
        Self {
            entries: Vec::new(),
        }
    }

    /// The entries.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.entries.iter().map(|(key, _)| key)
    }

    /// The values, by key.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.iter().map(|(_, value)| value)
    }
}

impl<K: Ord, V> SortedMap<K, V> {
    /// Where `key` is, or else where it belongs.
    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.entries
            .binary_search_by(|(other, _)| other.borrow().cmp(key))
    }

    /// Whether there is an entry for `key`.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.place(key).is_ok()
    }

    /// The value of `key`.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.place(key).ok().map(|at| &self.entries[at].1)
    }

    /// The value of `key`, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.place(key).ok().map(|at| &mut self.entries[at].1)
    }

    /// The value of `key`; the default one is put there if there was none.
    pub fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let at = match self.place(&key) {
            Ok(at) => at,
            Err(at) => {
                self.entries.insert(at, (key, V::default()));
                at
            }
        };
        &mut self.entries[at].1
    }

    /// Sets the value of `key`.
    pub fn insert(&mut self, key: K, value: V) {
        match self.place(&key) {
            Ok(at) => self.entries[at].1 = value,
            Err(at) => self.entries.insert(at, (key, value)),
        }
    }

    /// Removes the entry for `key`; returns its value.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let at = self.place(key).ok()?;
        Some(self.entries.remove(at).1)
    }
}

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::testing::Random;
    use std::collections::BTreeMap;
    use std::string::String;

    #[test]
    fn does_as_a_btree_map_does() {
        let mut random = Random::new(5);
        let (mut map, mut model) = (SortedMap::new(), BTreeMap::new());
        for step in 0..5000 {
            let key = random.below(60);
            match random.below(4) {
                0 => assert_eq!(map.remove(&key), model.remove(&key)),
                1 => *map.get_or_default(key) += 1,
                2 => {
                    if let Some(value) = map.get_mut(&key) {
                        *value = step;
                    }
                }
                _ => map.insert(key, step),
            }
            match (map.get(&key), model.get_mut(&key)) {
                (Some(&value), Some(known)) => *known = value,
                (Some(&value), None) => assert_eq!(model.insert(key, value), None),
                (None, known) => assert_eq!(known, None),
            }
            assert_eq!(map.contains_key(&key), model.contains_key(&key));
        }
        assert!(map.iter().eq(&model));
        assert!(map.keys().eq(model.keys()) && map.values().eq(model.values()));
    }

    #[test]
    fn borrowed_keys_are_found() {
        let mut map = SortedMap::<String, u8>::default();
        map.insert("b".into(), 1);
        map.insert("a".into(), 2);
        assert_eq!((map.get("a"), map.get("c")), (Some(&2), None));
        assert_eq!(map.remove("b"), Some(1));
    }
}
