//! The credentials of the process, behind a lock.
//!
//! Linux keeps credentials per thread and the C libraries copy each change to all threads; here they belong to
//! the process, and the copies find the change already made.

use crate::sync::SpinLock;
use crate::task::credentials::{Capabilities, Credentials, Id, Ids};

/// The identity of one process.
pub struct Identity {
    credentials: SpinLock<Credentials>,
}

impl Default for Identity {
    /// User and group 0 until [`Self::start_as`].
    fn default() -> Self {
        let root = Ids::new(0, 0);
        Self {
            credentials: SpinLock::new(Credentials::new(root, root)),
        }
    }
}

impl Identity {
    /// Takes the ids that the program starts with: real and effective user, real and effective
    /// group.
    pub fn start_as(&self, ids: [Id; 4]) {
        let [user, effective_user, group, effective_group] = ids;
        *self.credentials.lock() = Credentials::new(
            Ids::new(user, effective_user),
            Ids::new(group, effective_group),
        );
    }

    /// A copy of the credentials, for checks that take their time.
    pub fn credentials(&self) -> Credentials {
        self.credentials.lock().clone()
    }

    /// Looks at the credentials, or changes them. `look` must not block.
    pub fn with<T>(&self, look: impl FnOnce(&mut Credentials) -> T) -> T {
        look(&mut self.credentials.lock())
    }

    /// Whether all of `needed` count now.
    pub fn capable(&self, needed: Capabilities) -> bool {
        self.credentials.lock().capable(needed)
    }
}
