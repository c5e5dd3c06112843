//! Files of the host, read and written with errors that name them.

use anyhow::{Context, Result, bail};
use std::io::{BufWriter, Write};
use std::path::Path;

/// How many bytes are written at once.
const BUFFER: usize = 256 << 10;

/// The whole content of a regular file.
///
/// # Errors
/// It is missing, unreadable or a directory.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let metadata = std::fs::metadata(path)
        .with_context(|| format!("expected a file at {}, could not open it", path.display()))?;
    if metadata.is_dir() {
        bail!(
            "expected a file, found a directory at {}; give the file inside of it",
            path.display()
        );
    }
    std::fs::read(path).with_context(|| format!("could not read {}", path.display()))
}

/// Writes `content` to `path` at once: readers see the old file or the new one, never a part.
///
/// # Errors
/// The directory is missing or cannot be written, or `path` is a directory.
pub fn write(path: &Path, content: &[u8]) -> Result<()> {
    write_with(path, |out| Ok(out.write_all(content)?))
}

/// As [`write`], with what `fill` writes.
///
/// # Errors
/// As [`write`], and what `fill` returns.
pub fn write_with(path: &Path, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if path.is_dir() {
        bail!(
            "expected a file name to write to, found a directory at {}; name a file inside of it",
            path.display()
        );
    }
    let mut file = tempfile::NamedTempFile::new_in(directory)
        .with_context(|| format!("could not write into {}", directory.display()))?;
    let unwritable = || format!("could not write {}", path.display());
    let mut out = BufWriter::with_capacity(BUFFER, file.as_file_mut());
    fill(&mut out).with_context(unwritable)?;
    out.flush().with_context(unwritable)?;
    drop(out);
    set_usual_mode(file.as_file())?;
    file.persist(path)
        .with_context(|| format!("could not write {}", path.display()))?;
    Ok(())
}

/// Temporary files are private; images are not.
fn set_usual_mode(file: &std::fs::File) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
        .context("could not set a file's mode")
}
