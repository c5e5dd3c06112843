//! The manifest: found in its note, read, its version checked before its fields.

use super::error::ImageError;
use super::header::{CONTEXT, Header, slice};
use goblin::elf::note::NoteDataIterator;
use goblin::elf::program_header::{PT_NOTE, ProgramHeader};
use libos_abi::ABI_VERSION;
use libos_abi::image::{NOTE_MANIFEST, NOTE_NAME};
use libos_abi::manifest::Manifest;
use serde::Deserialize;

/// The manifest of the one note that holds it.
pub fn manifest(header: &Header, file: &[u8]) -> Result<Manifest, ImageError> {
    let mut found = None;
    let notes = header
        .program_headers
        .iter()
        .filter(|program_header| program_header.p_type == PT_NOTE);
    for note in notes {
        let Some(json) = manifest_note(note, file)? else {
            continue;
        };
        if found.replace(json).is_some() {
            return Err(ImageError::Note {
                expected: "one manifest",
                found: "two".into(),
            });
        }
    }
    read(found.ok_or(ImageError::NoManifest)?)
}

/// The manifest's bytes, if this note segment holds them. Other owners' notes are skipped.
fn manifest_note<'a>(note: &ProgramHeader, file: &'a [u8]) -> Result<Option<&'a [u8]>, ImageError> {
    let data = slice(file, "a note", note.p_offset, note.p_filesz)?;
    let notes = NoteDataIterator {
        data,
        size: data.len(),
        offset: 0,
        ctx: (if note.p_align == 8 { 8 } else { 4 }, CONTEXT),
    };
    for entry in notes {
        let entry = entry.map_err(|error| ImageError::Note {
            expected: "well-formed entries",
            found: error.to_string(),
        })?;
        if entry.name == NOTE_NAME && entry.n_type == NOTE_MANIFEST {
            return Ok(Some(entry.desc));
        }
    }
    Ok(None)
}

/// The one field that every version of the manifest has.
#[derive(Deserialize)]
struct Version {
    abi_version: u64,
}

fn read(json: &[u8]) -> Result<Manifest, ImageError> {
    let manifest = Manifest::from_json(json);
    let found = match (&manifest, serde_json::from_slice::<Version>(json)) {
        (Ok(manifest), _) => u64::from(manifest.abi_version),
        // Another version may well have fields that this one does not know: the version is the news.
        (Err(_), Ok(version)) => version.abi_version,
        (Err(_), Err(_)) => u64::from(ABI_VERSION),
    };
    if found != u64::from(ABI_VERSION) {
        return Err(ImageError::AbiVersion {
            expected: ABI_VERSION,
            found,
        });
    }
    manifest.map_err(ImageError::Manifest)
}
