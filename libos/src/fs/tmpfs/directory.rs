//! The names of a directory in memory.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use hashbrown::HashMap;

use crate::errno::{Errno, Result};
use crate::fs::inode::{DirEntry, EmitEntry, Inode, cookie};
use crate::fs::tmpfs::Node;

/// A name's inode and its position in the listing.
#[derive(Clone)]
struct Slot {
    node: Arc<Node>,
    cookie: u64,
}

/// Names in the order of their creation. A cookie is never given twice, so a reader that stops
/// behind one goes on with the next that still exists, whatever came and went.
pub struct Directory {
    by_name: HashMap<Arc<[u8]>, Slot>,
    by_cookie: BTreeMap<u64, Arc<[u8]>>,
    next_cookie: u64,
}

impl Default for Directory {
    fn default() -> Self {
        Self {
            by_name: HashMap::new(),
            by_cookie: BTreeMap::new(),
            next_cookie: cookie::FIRST,
        }
    }
}

impl Directory {
    /// How many names it has.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// The inode behind `name`.
    pub fn get(&self, name: &[u8]) -> Option<&Arc<Node>> {
        self.by_name.get(name).map(|slot| &slot.node)
    }

    /// Adds a name.
    ///
    /// # Errors
    /// EEXIST if it exists.
    pub fn insert(&mut self, name: &[u8], node: Arc<Node>) -> Result<()> {
        if self.by_name.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        let name: Arc<[u8]> = Arc::from(name);
        let cookie = self.next_cookie;
        self.next_cookie += 1;
        self.by_cookie.insert(cookie, Arc::clone(&name));
        self.by_name.insert(name, Slot { node, cookie });
        Ok(())
    }

    /// Removes a name; returns what it meant.
    ///
    /// # Errors
    /// ENOENT.
    pub fn remove(&mut self, name: &[u8]) -> Result<Arc<Node>> {
        let slot = self.by_name.remove(name).ok_or(Errno::ENOENT)?;
        self.by_cookie.remove(&slot.cookie);
        Ok(slot.node)
    }

    /// Lets an existing `name` mean `node`; returns what it meant.
    ///
    /// # Errors
    /// ENOENT.
    pub fn replace(&mut self, name: &[u8], node: Arc<Node>) -> Result<Arc<Node>> {
        let slot = self.by_name.get_mut(name).ok_or(Errno::ENOENT)?;
        Ok(core::mem::replace(&mut slot.node, node))
    }

    /// Lists the names behind `from`.
    pub fn list(&self, from: u64, emit: &mut EmitEntry<'_>) {
        for (&cookie, name) in self.by_cookie.range(from.max(cookie::FIRST)..) {
            let Some(slot) = self.by_name.get(&**name) else {
                continue;
            };
            let entry = DirEntry {
                name,
                ino: slot.node.ino(),
                file_type: slot.node.file_type(),
                next: cookie + 1,
            };
            if !emit(entry) {
                return;
            }
        }
    }
}
