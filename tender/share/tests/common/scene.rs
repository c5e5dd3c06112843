//! A folder that is shared, and what must not be reached from it.

use super::{Client, Starter};
use std::path::{Path, PathBuf};

pub const SECRET: &[u8] = b"must not be seen";

/// A folder that is shared, and a file beside it that is not.
pub struct Scene {
    pub directory: tempfile::TempDir,
    _starter: Starter,
    pub client: Client,
}

impl Scene {
    pub fn new(options: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        let directory = tempfile::tempdir().expect("a folder");
        let shared = directory.path().join("shared");
        std::fs::create_dir(&shared).expect("a folder");
        std::fs::create_dir(directory.path().join("outside")).expect("a folder");
        std::fs::write(directory.path().join("outside/secret"), SECRET).expect("a file");
        prepare(&shared);
        let (starter, client) = Starter::new(options, &shared);
        Self {
            directory,
            _starter: starter,
            client,
        }
    }

    pub fn shared(&self) -> PathBuf {
        self.directory.path().join("shared")
    }

    pub fn check_outside(&self) {
        self.check_outside_but("none");
    }

    /// Everything there is as it was, but for an entry of this name.
    pub fn check_outside_but(&self, name: &str) {
        let outside = self.directory.path().join("outside");
        assert_eq!(std::fs::read(outside.join("secret")).expect("it"), SECRET);
        let entries = std::fs::read_dir(outside).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let others: Vec<_> = names.filter(|other| *other != *name).collect();
        assert_eq!(others, ["secret"]);
    }
}
