//! ELF notes: the manifest's is written and found here.

use libos_abi::image::{NOTE_MANIFEST, NOTE_NAME};

/// A note segment with the manifest's JSON.
pub fn write(json: &[u8]) -> Vec<u8> {
    let owner = [NOTE_NAME.as_bytes(), b"\0"].concat();
    let mut note = Vec::new();
    for word in [length(&owner), length(json), NOTE_MANIFEST] {
        note.extend(word.to_le_bytes());
    }
    for field in [&owner[..], json] {
        note.extend(field);
        note.resize(note.len().next_multiple_of(4), 0);
    }
    note
}

/// The manifest's JSON in a note segment, if it is there.
pub fn find(mut segment: &[u8]) -> Option<&[u8]> {
    loop {
        let owner_len = word(segment, 0)?;
        let json_len = word(segment, 4)?;
        let kind = u32::from_le_bytes(*segment.get(8..)?.first_chunk()?);
        let owner = segment.get(12..12_usize.checked_add(owner_len)?)?;
        let start = 12 + owner_len.checked_next_multiple_of(4)?;
        let end = start.checked_add(json_len)?;
        let json = segment.get(start..end)?;
        if kind == NOTE_MANIFEST && owner.strip_suffix(b"\0") == Some(NOTE_NAME.as_bytes()) {
            return Some(json);
        }
        segment = segment.get(end.checked_next_multiple_of(4)?..)?;
    }
}

fn word(segment: &[u8], at: usize) -> Option<usize> {
    let bytes = segment.get(at..)?.first_chunk()?;
    usize::try_from(u32::from_le_bytes(*bytes)).ok()
}

fn length(bytes: &[u8]) -> u32 {
    // A manifest is some kilobytes; `emit` refuses what does not fit into the header's pages.
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_note_is_found_behind_another() {
        let mut segment = vec![4, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0];
        segment.extend(b"GNU\0ab\0\0");
        segment.extend(write(b"{}x"));
        assert_eq!(find(&segment), Some(&b"{}x"[..]));
    }

    #[test]
    fn damaged_notes_are_not_found() {
        let note = write(b"{\"a\":1}");
        for len in 0..note.len() - 1 {
            assert_eq!(find(&note[..len]), None, "{len}");
        }
        assert_eq!(find(&[0xff; 64]), None);
    }
}
