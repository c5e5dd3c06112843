//! Access lists, which are one thing in system calls (`linux/posix_acl_xattr.h`, version 2) and a shorter one
//! on the disk (`fs/ext4/acl.h`, version 1): there, only named users and groups have a number.

use alloc::vec::Vec;

const VERSION_CALL: [u8; 4] = [2, 0, 0, 0];
const VERSION_DISK: [u8; 4] = [1, 0, 0, 0];

/// Number of those who are not named: `ACL_UNDEFINED_ID`.
const NOBODY: [u8; 4] = [0xff; 4];

/// `ACL_USER` and `ACL_GROUP`: entries for someone by number.
const fn is_named(tag: [u8; 2]) -> bool {
    matches!(u16::from_le_bytes(tag), 0x02 | 0x08)
}

/// `ACL_USER_OBJ`, `ACL_GROUP_OBJ`, `ACL_MASK`, `ACL_OTHER`, or named.
const fn is_known(tag: [u8; 2]) -> bool {
    is_named(tag) || matches!(u16::from_le_bytes(tag), 0x01 | 0x04 | 0x10 | 0x20)
}

/// From a program's to the disk's; `None` for what is no access list.
pub fn to_disk(list: &[u8]) -> Option<Vec<u8>> {
    let mut disk = Vec::from(VERSION_DISK);
    let (entries, []) = list.strip_prefix(&VERSION_CALL)?.as_chunks::<8>() else {
        return None;
    };
    for &[tag, tag_high, permissions, permissions_high, ref id @ ..] in entries {
        let tag = [tag, tag_high];
        disk.extend([tag[0], tag[1], permissions, permissions_high]);
        match (is_named(tag), is_known(tag)) {
            (true, _) => disk.extend(id),
            (false, true) => {}
            (false, false) => return None,
        }
    }
    Some(disk)
}

/// From the disk's to a program's; `None` for what is no access list.
pub fn from_disk(disk: &[u8]) -> Option<Vec<u8>> {
    let mut list = Vec::from(VERSION_CALL);
    let mut rest = disk.strip_prefix(&VERSION_DISK)?;
    while let Some((entry, after)) = rest.split_first_chunk::<4>() {
        rest = after;
        list.extend(entry);
        let tag = [entry[0], entry[1]];
        match (is_named(tag), is_known(tag)) {
            (true, _) => {
                let (id, after) = rest.split_first_chunk::<4>()?;
                list.extend(id);
                rest = after;
            }
            (false, true) => list.extend(NOBODY),
            (false, false) => return None,
        }
    }
    rest.is_empty().then_some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `u::rw-,u:1234:rw-,g::r--,m::rw-,o::r--`
    const LIST: [u8; 44] = [
        2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 6, 0, 0xd2, 4, 0, 0, 4, 0, 4, 0, 255,
        255, 255, 255, 16, 0, 6, 0, 255, 255, 255, 255, 32, 0, 4, 0, 255, 255, 255, 255,
    ];

    #[test]
    fn lists_are_shorter_on_the_disk_and_come_back_whole() {
        let disk = to_disk(&LIST).expect("well-formed");
        let expected = [
            1, 0, 0, 0, 1, 0, 6, 0, 2, 0, 6, 0, 0xd2, 4, 0, 0, 4, 0, 4, 0, 16, 0, 6, 0, 32, 0, 4, 0,
        ];
        assert_eq!(disk, expected);
        assert_eq!(from_disk(&disk).as_deref(), Some(&LIST[..]));
        let empty = to_disk(&LIST[..4]).expect("well-formed");
        assert_eq!(from_disk(&empty).as_deref(), Some(&LIST[..4]));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let disk = to_disk(&LIST).expect("well-formed");
        for len in (0..LIST.len()).filter(|len| len % 8 != 4) {
            assert_eq!(to_disk(&LIST[..len]), None, "{len}");
        }
        assert_eq!(from_disk(&disk[..14]), None, "an entry without its number");
        assert_eq!(from_disk(&LIST), None);
        assert_eq!(to_disk(&disk), None);
        let mut unknown = LIST;
        unknown[4] = 3;
        assert_eq!(to_disk(&unknown), None);
    }
}
