//! The data: values by key, and which keys end when.
//!
//! What has expired is removed before commands run (`drop_expired`), so that nothing else needs to look at
//! the clock. A store without expiring keys does not read it at all.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

pub type Bytes = Box<[u8]>;

#[derive(Debug)]
pub enum Value {
    Text(Vec<u8>),
    List(VecDeque<Bytes>),
    Hash(HashMap<Bytes, Bytes>),
}

#[derive(Debug)]
struct Entry {
    value: Value,
    expires: Option<Instant>,
}

#[derive(Debug, Default)]
pub struct Store {
    entries: HashMap<Bytes, Entry>,
    /// Has an element for each entry that expires.
    deadlines: BTreeSet<(Instant, Bytes)>,
}

impl Store {
    pub fn len(&mut self) -> usize {
        self.drop_expired();
        self.entries.len()
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }

    pub fn contains(&self, key: &[u8]) -> bool {
        self.entries.contains_key(key)
    }

    pub fn get(&self, key: &[u8]) -> Option<&Value> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    pub fn get_mut(&mut self, key: &[u8]) -> Option<&mut Value> {
        self.entries.get_mut(key).map(|entry| &mut entry.value)
    }

    /// The value of the key, which is made by `new` if there is none.
    pub fn get_or_insert(&mut self, key: &[u8], new: fn() -> Value) -> &mut Value {
        // `entry` would copy the key even where there is one.
        if !self.entries.contains_key(key) {
            let entry = Entry {
                value: new(),
                expires: None,
            };
            self.entries.insert(key.into(), entry);
        }
        let entry = self.entries.get_mut(key);
        &mut entry.expect("it was there, or is since above").value
    }

    /// Sets a text, for good or until it expires.
    pub fn set_text(&mut self, key: &[u8], text: &[u8], expires: Option<Instant>) {
        if let Some(entry) = self.entries.get_mut(key) {
            if let Some(deadline) = entry.expires.take() {
                self.deadlines.remove(&(deadline, key.into()));
            }
            match &mut entry.value {
                Value::Text(old) => {
                    old.clear();
                    old.extend_from_slice(text);
                }
                other => *other = Value::Text(text.to_vec()),
            }
        } else {
            let value = Value::Text(text.to_vec());
            self.entries.insert(
                key.into(),
                Entry {
                    value,
                    expires: None,
                },
            );
        }
        if let Some(deadline) = expires {
            self.expire_at(key, deadline);
        }
    }

    pub fn remove(&mut self, key: &[u8]) -> bool {
        let Some(entry) = self.entries.remove(key) else {
            return false;
        };
        if let Some(deadline) = entry.expires {
            self.deadlines.remove(&(deadline, key.into()));
        }
        true
    }

    /// Lets the key expire; false if there is none.
    pub fn expire_at(&mut self, key: &[u8], deadline: Instant) -> bool {
        let Some(entry) = self.entries.get_mut(key) else {
            return false;
        };
        if let Some(old) = entry.expires.replace(deadline) {
            self.deadlines.remove(&(old, key.into()));
        }
        self.deadlines.insert((deadline, key.into()));
        true
    }

    /// Lets the key stay for good; false if it would anyway.
    pub fn persist(&mut self, key: &[u8]) -> bool {
        let Some(deadline) = self
            .entries
            .get_mut(key)
            .and_then(|entry| entry.expires.take())
        else {
            return false;
        };
        self.deadlines.remove(&(deadline, key.into()))
    }

    /// How long the key has to live, if it expires.
    pub fn time_left(&self, key: &[u8]) -> Option<Duration> {
        let expires = self.entries.get(key)?.expires?;
        Some(expires.saturating_duration_since(Instant::now()))
    }

    /// Removes what has expired until now.
    pub fn drop_expired(&mut self) {
        if self.deadlines.is_empty() {
            return;
        }
        let now = Instant::now();
        while self
            .deadlines
            .first()
            .is_some_and(|(deadline, _)| *deadline <= now)
        {
            if let Some((_, key)) = self.deadlines.pop_first() {
                self.entries.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past() -> Instant {
        Instant::now()
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(3600)
    }

    #[test]
    fn what_has_expired_is_gone_and_the_rest_stays() {
        let mut store = Store::default();
        store.set_text(b"gone", b"1", Some(past()));
        store.set_text(b"stays", b"2", Some(later()));
        store.set_text(b"for good", b"3", None);
        assert_eq!(store.len(), 2);
        assert!(store.get(b"gone").is_none());
        assert!(store.time_left(b"stays").is_some());
        assert!(store.time_left(b"for good").is_none());
    }

    #[test]
    fn setting_and_removing_forget_the_old_deadline() {
        let mut store = Store::default();
        store.set_text(b"key", b"1", Some(past()));
        store.set_text(b"key", b"2", None);
        assert_eq!(store.len(), 1);
        store.set_text(b"other", b"1", Some(past()));
        assert!(store.remove(b"other"));
        assert!(!store.remove(b"other"));
        store.set_text(b"third", b"1", Some(past()));
        assert!(store.persist(b"third"));
        assert!(!store.persist(b"third"));
        assert_eq!(store.len(), 2);
        assert!(store.deadlines.is_empty());
    }

    #[test]
    fn only_what_is_there_can_expire() {
        assert!(!Store::default().expire_at(b"missing", later()));
    }
}
