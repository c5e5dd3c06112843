//! What a watch reports, and how the queue is read.

use super::*;
use crate::fs::file::OpenFlags;
use crate::fs::inode::Ownership;
use crate::fs::tmpfs::TmpFs;

fn node() -> Arc<dyn Inode> {
    TmpFs::new(1 << 20).root(Ownership {
        mode: 0o755,
        uid: 0,
        gid: 0,
    })
}

fn read(inotify: &Inotify, room: usize) -> Result<Vec<u8>> {
    let mut buffer = std::vec![0; room];
    let io = Io {
        offset: 0,
        flags: OpenFlags::NONBLOCK,
    };
    let count = inotify.read(io, &mut Dest::kernel(&mut buffer))?;
    buffer.truncate(count);
    Ok(buffer)
}

/// Watch, mask, cookie and name of each event that can be read.
fn events(inotify: &Inotify) -> Vec<(i32, u32, u32, Vec<u8>)> {
    let bytes = read(inotify, 4096).unwrap_or_default();
    let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four"));
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let len = usize::try_from(word(at + 12)).expect("small");
        let name = &bytes[at + HEADER..at + HEADER + len];
        let end = name.iter().position(|&byte| byte == 0).unwrap_or(len);
        let watch = word(at).cast_signed();
        found.push((watch, word(at + 4), word(at + 8), name[..end].to_vec()));
        at += HEADER + len;
    }
    found
}

fn on(inode: &Arc<dyn Inode>, mask: Mask) {
    event(Subject { inode, place: None }, mask, 0);
}

#[test]
fn wanted_events_are_read_with_their_names() {
    let (inotify, directory, child) = (Inotify::new(), node(), node());
    assert_eq!(read(&inotify, 99), Err(Errno::EAGAIN));
    let watch = inotify.watch(&directory, Mask::CREATE | Mask::MODIFY);
    assert_eq!(watch, Ok(1));
    let place = Some((&directory, &b"name"[..]));
    let subject = Subject {
        inode: &child,
        place,
    };
    event(subject, Mask::CREATE, 0);
    event(subject, Mask::DELETE, 0);
    let isdir = Mask::ISDIR.bits();
    let expected = (1, Mask::CREATE.bits() | isdir, 0, b"name".to_vec());
    assert_eq!(events(&inotify), [expected]);
}

#[test]
fn equal_events_in_a_row_are_one() {
    let (inotify, file) = (Inotify::new(), node());
    inotify.watch(&file, Mask::MODIFY).expect("new");
    for _ in 0..5 {
        on(&file, Mask::MODIFY);
    }
    assert_eq!(events(&inotify).len(), 1);
}

#[test]
fn masks_are_checked_replaced_and_added_to() {
    let (inotify, file) = (Inotify::new(), node());
    assert_eq!(inotify.watch(&file, Mask::ONLYDIR), Err(Errno::EINVAL));
    assert_eq!(inotify.watch(&file, Mask::OPEN), Ok(1));
    let once = inotify.watch(&file, Mask::OPEN | Mask::MASK_CREATE);
    assert_eq!(once, Err(Errno::EEXIST));
    assert_eq!(inotify.watch(&file, Mask::ACCESS | Mask::MASK_ADD), Ok(1));
    on(&file, Mask::OPEN);
    on(&file, Mask::ACCESS);
    assert_eq!(events(&inotify).len(), 2);
    assert_eq!(inotify.watch(&file, Mask::ACCESS), Ok(1));
    on(&file, Mask::OPEN);
    assert!(events(&inotify).is_empty());
}

#[test]
fn a_watch_ends_with_a_last_event() {
    let (inotify, file) = (Inotify::new(), node());
    let watch = inotify.watch(&file, Mask::OPEN).expect("new");
    assert_eq!(inotify.unwatch(watch), Ok(()));
    assert_eq!(inotify.unwatch(watch), Err(Errno::EINVAL));
    on(&file, Mask::OPEN);
    let ignored = (watch, Mask::IGNORED.bits(), 0, Vec::new());
    assert_eq!(events(&inotify), [ignored]);
    inotify
        .watch(&file, Mask::OPEN | Mask::ONESHOT)
        .expect("new");
    on(&file, Mask::OPEN);
    on(&file, Mask::OPEN);
    assert_eq!(events(&inotify).len(), 2, "one event and its end");
}

#[test]
fn a_short_buffer_is_refused_and_the_queue_bounded() {
    let (inotify, file) = (Inotify::new(), node());
    let both = Mask::OPEN | Mask::ACCESS;
    inotify.watch(&file, both).expect("new");
    for _ in 0..MAX_EVENTS {
        on(&file, Mask::OPEN);
        on(&file, Mask::ACCESS);
    }
    assert_eq!(read(&inotify, HEADER - 1), Err(Errno::EINVAL));
    let all = read(&inotify, 2 * HEADER * MAX_EVENTS).expect("full");
    assert_eq!(all.len(), HEADER * MAX_EVENTS);
    let last = &all[all.len() - HEADER..];
    assert_eq!(last[..4], (-1_i32).to_ne_bytes());
}
