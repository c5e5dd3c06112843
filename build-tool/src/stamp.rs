//! Stamps: from what an image was made, kept beside it, so that it is not made twice.
//!
//! A stamp covers all inputs: the program's file, the tool (which carries the libOS), the settings and
//! the root file system. It counts only as long as the image is the file that was written then. Files
//! are known by inode, length and time of change, as make knows them; the time of change (`ctime`)
//! cannot be set back.

use crate::config::Settings;
use crate::files;
use crate::rootfs::Root;
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A digest of everything that an image depends on.
pub struct Stamp {
    inputs: String,
}

impl Stamp {
    /// Of an image of `program`.
    ///
    /// # Errors
    /// A file is not there.
    pub fn of(
        program: &Path,
        libos: Option<&Path>,
        settings: &Settings,
        exe_path: &str,
        root: &Root,
    ) -> Result<Self> {
        let tool = std::env::current_exe().context("finding this program's own file")?;
        let mut inputs = Sha256::new();
        let mut add = |text: String| {
            inputs.update(text.len().to_le_bytes());
            inputs.update(text);
        };
        add(identity(&tool)?);
        add(identity(program)?);
        add(libos.map_or(Ok(String::new()), identity)?);
        add(format!("{settings:?} {exe_path:?}"));
        root.describe(&mut add);
        Ok(Self {
            inputs: hexadecimal(&inputs.finalize()),
        })
    }

    /// Whether `image` was made from the same inputs, and is unchanged since.
    pub fn matches(&self, image: &Path) -> bool {
        let stored = std::fs::read_to_string(stamp_file(image)).ok();
        stored.is_some_and(|stored| self.text(image).is_ok_and(|text| text == stored))
    }

    /// Remembers that `image` was made from these inputs.
    ///
    /// # Errors
    /// The stamp cannot be written.
    pub fn save(&self, image: &Path) -> Result<()> {
        files::write(&stamp_file(image), self.text(image)?.as_bytes())
    }

    fn text(&self, image: &Path) -> Result<String> {
        Ok(format!("{}\n{}\n", self.inputs, identity(image)?))
    }
}

fn stamp_file(image: &Path) -> PathBuf {
    image.with_added_extension("stamp")
}

fn identity(path: &Path) -> Result<String> {
    let metadata = std::fs::metadata(path)
        .with_context(|| format!("expected a file at {}", path.display()))?;
    let (inode, len) = (metadata.ino(), metadata.len());
    Ok(format!(
        "{} {inode} {len} {}.{}",
        path.display(),
        metadata.ctime(),
        metadata.ctime_nsec()
    ))
}

/// `bytes` in hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::rootfs::Tree;

    struct Fixture {
        directory: tempfile::TempDir,
    }

    impl Fixture {
        fn new() -> Self {
            let directory = tempfile::tempdir().expect("a temporary directory");
            std::fs::write(directory.path().join("program"), "1").expect("writable");
            std::fs::write(directory.path().join("image"), "image").expect("writable");
            Self { directory }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.directory.path().join(name)
        }

        fn stamp(&self, config: Config) -> Stamp {
            let settings = Settings::decide("x", config).expect("valid");
            Stamp::of(
                &self.path("program"),
                None,
                &settings,
                "/bin/x",
                &Root::Tree(Tree::default()),
            )
            .expect("files are there")
        }
    }

    #[test]
    fn the_same_inputs_match_and_each_other_input_does_not() {
        let fixture = Fixture::new();
        let image = fixture.path("image");
        assert!(
            !fixture.stamp(Config::default()).matches(&image),
            "nothing saved yet"
        );
        fixture
            .stamp(Config::default())
            .save(&image)
            .expect("writable");
        assert!(fixture.stamp(Config::default()).matches(&image));
        let other = Config {
            cwd: Some("/tmp".into()),
            ..Config::default()
        };
        assert!(!fixture.stamp(other).matches(&image), "another setting");
        std::fs::write(fixture.path("program"), "22").expect("writable");
        assert!(
            !fixture.stamp(Config::default()).matches(&image),
            "another program"
        );
    }

    #[test]
    fn a_changed_image_does_not_match() {
        let fixture = Fixture::new();
        let image = fixture.path("image");
        fixture
            .stamp(Config::default())
            .save(&image)
            .expect("writable");
        std::fs::write(&image, "other bytes").expect("writable");
        assert!(!fixture.stamp(Config::default()).matches(&image));
    }
}
