//! What becomes the root file system of an image: a tree to be packed, or an EROFS image as it is.

use super::{Owner, Tree};
use crate::config::Settings;
use crate::progress::{Announced, Counted};
use anyhow::{Context, Result, bail, ensure};
use libos_erofs::write::Plan;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// `EROFS_SUPER_MAGIC_V1`.
const MAGIC: [u8; 4] = [0xe2, 0xe1, 0xf5, 0xe0];

/// A root file system.
#[derive(Debug)]
pub enum Root {
    /// A tree.
    Tree(Tree),
    /// A finished image.
    Image {
        /// Its file.
        path: PathBuf,
        /// Its length in bytes.
        len: u64,
        /// Tells versions of the file apart.
        version: String,
    },
}

/// A root file system whose length is known.
pub enum Planned {
    /// None.
    Nothing,
    /// To be packed.
    Plan(Plan),
    /// To be copied.
    Image(PathBuf, u64),
}

impl Root {
    /// What `settings` ask for: `rootfs`, and `files` over it.
    ///
    /// # Errors
    /// A source is missing, unreadable or of no known kind, or a target has no place.
    pub fn of(settings: &Settings) -> Result<Self> {
        let mut tree = Tree::default();
        if let Some(source) = &settings.rootfs {
            let named = || format!("--rootfs (key `rootfs`): {}", source.display());
            match Self::read(source).with_context(named)? {
                Self::Tree(read) => tree = read,
                image => {
                    ensure!(
                        settings.files.is_empty(),
                        "expected no --root-file and no key `files` beside a finished EROFS image ({}), which cannot be added to; give the tree that it was made from",
                        source.display()
                    );
                    return Ok(image);
                }
            }
        }
        for file in &settings.files {
            let target = file.target.as_bytes();
            tree.copy(
                &file.source,
                target,
                Owner::Root,
                file.permissions()?,
                &|_| false,
            )
            .context("filling the root file system")?;
        }
        Ok(Self::Tree(tree))
    }

    /// What is at `source`: a directory or a TAR archive with all that its files have, or an EROFS image.
    ///
    /// # Errors
    /// It is missing, unreadable or of no known kind.
    pub fn read(source: &Path) -> Result<Self> {
        let _announced = Announced::begin(format!("reading {}", source.display()));
        let mut tree = Tree::default();
        if source.is_dir() {
            tree.copy(source, b"/", Owner::Same, None, &|_| false)?;
        } else if let Some(image) = image(source)? {
            return Ok(image);
        } else {
            tree.copy_tar(source)?;
        }
        Ok(Self::Tree(tree))
    }

    /// Tells `sink` everything on which the image depends.
    pub fn describe(&self, sink: &mut impl FnMut(String)) {
        match self {
            Self::Tree(tree) => tree.describe(sink),
            Self::Image { path, version, .. } => sink(format!("{} {version}", path.display())),
        }
    }

    /// Decides where everything lies.
    ///
    /// # Errors
    /// Something that the format cannot hold, or a file that cannot be opened.
    pub fn plan(&self) -> Result<Planned> {
        Ok(match self {
            Self::Tree(tree) => tree.plan()?.map_or(Planned::Nothing, Planned::Plan),
            Self::Image { path, len, .. } => Planned::Image(path.clone(), *len),
        })
    }
}

impl Planned {
    /// Length in bytes; 0 if there is no root file system.
    pub fn len(&self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Plan(plan) => plan.len(),
            Self::Image(_, len) => *len,
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// A file cannot be read any more, or `out` fails.
    pub fn write(&self, out: &mut dyn Write) -> Result<()> {
        match self {
            Self::Nothing => Ok(()),
            Self::Plan(plan) => {
                let mut counted = Counted::begin("packing the root file system", plan.len());
                plan.write(out, &mut |bytes| counted.add(bytes))
                    .context("packing the root file system")
            }
            Self::Image(path, len) => {
                let file = File::open(path)
                    .with_context(|| format!("could not open {}", path.display()))?;
                let copied = std::io::copy(&mut file.take(*len), out)
                    .with_context(|| format!("could not read {}", path.display()))?;
                ensure!(
                    copied == *len,
                    "{} became shorter while it was copied",
                    path.display()
                );
                Ok(())
            }
        }
    }
}

/// The file as a finished image; `None` if it is none.
fn image(path: &Path) -> Result<Option<Root>> {
    let metadata =
        std::fs::metadata(path).context("expected a directory, a TAR or an EROFS image")?;
    ensure!(
        metadata.is_file() && metadata.len() != 0,
        "expected a directory, a TAR or an EROFS image, found an empty file, a device, socket or pipe"
    );
    let mut head = Vec::new();
    let file = File::open(path).context("could not open it")?;
    file.take(4096)
        .read_to_end(&mut head)
        .context("could not read it")?;
    if head.starts_with(&[0x1f, 0x8b]) || head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        bail!(
            "expected an uncompressed TAR, found a compressed file; unpack it first (gunzip, unzstd)"
        );
    }
    // Archives end with zeroes, so that a disk or an empty file of some length would be one of nothing.
    let first = head.get(..512).unwrap_or(&head);
    if first.iter().all(|&byte| byte == 0) && head.get(1024..1028) != Some(&MAGIC) {
        bail!(
            "expected a directory, a TAR or an EROFS image, found something else: it begins with zeroes"
        );
    }
    if head.get(1024..1028) != Some(&MAGIC) {
        return Ok(None);
    }
    if let Err(damaged) = libos_erofs::Image::open(&head) {
        bail!("{damaged}; make it with mkfs.erofs without -z, --device and -E options");
    }
    Ok(Some(Root::Image {
        path: path.to_owned(),
        len: metadata.len(),
        version: super::host::version(&metadata),
    }))
}
