//! What is not one operation beside another: removed and nameless files, big requests, listings, and the ways to share.

mod common;

use common::files::{Operation::*, Shared, tree};
use common::{Client, Starter};
use libos_abi::fuse::messages::{
    CopyFileRangeIn, CreateIn, EntryOut, OpenOut, SetattrIn, WriteOut,
};
use libos_abi::fuse::wire::Wire;
use libos_abi::fuse::{ROOT, flags, opcode};
use rustix::io::Errno;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

const NEW: i32 = libc::O_CREAT | libc::O_RDWR;

fn s(text: &str) -> String {
    text.into()
}

fn fresh(options: &[&str]) -> (tempfile::TempDir, Starter, Client) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).expect("chmod");
    let (starter, client) = Starter::new(options, folder.path());
    (folder, starter, client)
}

#[test]
fn a_removed_file_lives_while_it_is_known() {
    let (folder, _starter, mut client) = fresh(&[]);
    let (entry, fh) = client
        .create(ROOT, "a", libc::O_RDWR, 0o600)
        .expect("a file");
    client.write(fh, 0, b"kept", 0).expect("written");
    client.remove(opcode::UNLINK, ROOT, "a").expect("removed");
    assert!(!folder.path().join("a").exists());
    assert_eq!(client.read(fh, 0, 100), Ok(b"kept".to_vec()));
    client.release(entry.nodeid, fh).expect("closed");
    let attr = client.getattr(entry.nodeid).expect("known");
    assert_eq!((attr.nlink, attr.size), (0, 4));
    let fh = client.open(entry.nodeid, libc::O_RDONLY).expect("opened");
    assert_eq!(client.read(fh, 0, 100), Ok(b"kept".to_vec()));
    client.release(entry.nodeid, fh).expect("closed");
    assert_eq!(client.release(entry.nodeid, fh), Err(Errno::BADF));
    client.forget(entry.nodeid, 1);
    assert_eq!(client.getattr(entry.nodeid), Err(Errno::STALE));
    // The next file is another one, even if it gets its inode.
    let (again, _) = client
        .create(ROOT, "a", libc::O_RDWR, 0o600)
        .expect("a file");
    assert_ne!(again.nodeid, entry.nodeid);
}

#[test]
fn a_file_without_a_name_can_get_one() {
    let (folder, _starter, mut client) = fresh(&[]);
    let wanted = CreateIn {
        flags: libc::O_RDWR.cast_unsigned(),
        mode: 0o640,
        ..CreateIn::default()
    };
    let bytes = client
        .call(opcode::TMPFILE, ROOT, &wanted.to_bytes())
        .expect("a file");
    let (entry, rest) = EntryOut::take(&bytes).expect("an entry");
    let fh = OpenOut::get(rest).expect("a handle").fh;
    assert_eq!((entry.attr.nlink, entry.attr.mode), (0, 0o100_640));
    client.write(fh, 0, b"nameless", 0).expect("written");
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("a folder").count(),
        0
    );
    let link = libos_abi::fuse::messages::LinkIn {
        oldnodeid: entry.nodeid,
    };
    let body = [&link.to_bytes()[..], b"named\0"].concat();
    client.call(opcode::LINK, ROOT, &body).expect("linked");
    let path = folder.path().join("named");
    assert_eq!(std::fs::read(path).expect("a file"), b"nameless");
}

#[test]
fn statx_tells_of_birth() {
    let (folder, _starter, mut client) = fresh(&[]);
    std::fs::write(folder.path().join("a"), "").expect("a file");
    let number = client.walk("a").expect("there");
    let found = client.statx(number).expect("attributes").stat;
    let host = std::fs::metadata(folder.path().join("a")).expect("there");
    let born = host
        .created()
        .expect("a file system that tells")
        .duration_since(std::time::UNIX_EPOCH);
    let born = born.expect("after 1970");
    assert_eq!(
        (found.btime.tv_sec.cast_unsigned(), found.btime.tv_nsec),
        (born.as_secs(), born.subsec_nanos())
    );
    assert_eq!((found.ino, found.uid), (host.ino(), host.uid()));
}

#[test]
fn big_reads_and_writes_in_one_request() {
    let (folder, _starter, mut client) = fresh(&[]);
    let (_, fh) = client
        .create(ROOT, "a", libc::O_RDWR, 0o600)
        .expect("a file");
    let data: Vec<u8> = (0..1 << 20)
        .map(|index: u32| index.to_le_bytes()[1] ^ 0x5a)
        .collect();
    assert_eq!(client.write(fh, 77, &data, 0), Ok(1 << 20));
    assert_eq!(client.read(fh, 77, u32::MAX), Ok(data.clone()));
    assert_eq!(
        &std::fs::read(folder.path().join("a")).expect("a file")[77..],
        data
    );
}

#[test]
fn long_reads_are_exact_wherever_they_begin_and_end() {
    let (folder, _starter, mut client) = fresh(&[]);
    let data: Vec<u8> = (0..2_500_000_u32)
        .map(|index| (index / 7 % 251) as u8)
        .collect();
    std::fs::write(folder.path().join("a"), &data).expect("a file");
    let number = client.walk("a").expect("there");
    let fh = client.open(number, libc::O_RDONLY).expect("opened");
    for offset in [
        0, 1, 4095, 4096, 123_457, 1_500_000, 2_450_000, 2_499_999, 2_500_000, 9_999_999,
    ] {
        for size in [32_767, 32_768, 65_536, 100_001, 1 << 20, u32::MAX] {
            let found = client.read(fh, offset as u64, size).expect("read");
            let end = data.len().min(offset + (size as usize).min(1 << 20));
            assert!(
                found == data[offset.min(end)..end],
                "{offset} {size}: {}",
                found.len()
            );
        }
    }
    let (_, fh) = client
        .create(ROOT, "w", libc::O_WRONLY, 0o600)
        .expect("a file");
    client.write(fh, 0, &data[..100_000], 0).expect("written");
    // The tests' client writes back, and so may read.
    assert_eq!(
        client.read(fh, 0, 1 << 20).map(|found| found.len()),
        Ok(100_000)
    );
    // Many at once, so that the channel is full meanwhile.
    let reads: Vec<u64> = (0..20)
        .map(|index| {
            let wanted = libos_abi::fuse::messages::ReadIn {
                fh,
                offset: index * 1000,
                size: 1 << 20,
                ..Default::default()
            };
            client
                .send(opcode::READ, 0, &wanted.to_bytes())
                .expect("sent")
        })
        .collect();
    for (index, unique) in reads.into_iter().enumerate() {
        let (answered, found) = client.receive().expect("an answer");
        assert_eq!(answered, unique);
        assert!(
            found.expect("read") == data[index * 1000..100_000],
            "{index}"
        );
    }
}

#[test]
fn ranges_are_copied() {
    let (_folder, _starter, mut client) = fresh(&[]);
    let (_, from) = client
        .create(ROOT, "a", libc::O_RDWR, 0o600)
        .expect("a file");
    let (target, to) = client
        .create(ROOT, "b", libc::O_RDWR, 0o600)
        .expect("a file");
    client.write(from, 0, b"0123456789", 0).expect("written");
    let wanted = CopyFileRangeIn {
        fh_in: from,
        off_in: 2,
        nodeid_out: target.nodeid,
        fh_out: to,
        off_out: 1,
        len: 5,
        flags: 0,
    };
    let answer = client
        .call(opcode::COPY_FILE_RANGE, ROOT, &wanted.to_bytes())
        .expect("copied");
    assert_eq!(WriteOut::get(&answer).map(|out| out.size), Some(5));
    assert_eq!(client.read(to, 0, 100), Ok(b"\x0023456".to_vec()));
}

#[test]
fn listings_go_on_where_they_stopped() {
    let (folder, _starter, mut client) = fresh(&[]);
    let mut expected: Vec<String> = (0..500)
        .map(|index| format!("file number {index:03}"))
        .collect();
    for name in &expected {
        std::fs::write(folder.path().join(name), name).expect("a file");
    }
    expected.extend([s("."), s("..")]);
    expected.sort();
    for (opcode, size) in [
        (opcode::READDIR, 60),
        (opcode::READDIR, 1 << 20),
        (opcode::READDIRPLUS, 200),
        (opcode::READDIRPLUS, 5000),
        (opcode::READDIRPLUS, 1 << 20),
    ] {
        let entries = client.list(ROOT, opcode, size).expect("a listing");
        let mut names: Vec<_> = entries.iter().map(|(name, ..)| name.clone()).collect();
        names.sort();
        assert_eq!(names, expected, "{opcode} {size}");
        for (name, _, entry) in entries {
            if opcode == opcode::READDIRPLUS && !name.starts_with('.') {
                assert_eq!(entry.attr.size, name.len() as u64);
                assert_eq!(
                    client.lookup(ROOT, &name).expect("there").nodeid,
                    entry.nodeid
                );
            }
        }
    }
}

#[test]
fn a_read_only_folder_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a"), "content").expect("a file");
    std::fs::create_dir(folder.path().join("d")).expect("a folder");
    let before = tree(folder.path());
    let (_starter, client) = Starter::new(&["ro"], folder.path());
    let mut shared = Shared(client);
    for operation in [
        Mkdir(s("n"), 0o755),
        Rmdir(s("d")),
        Unlink(s("a")),
        Write(s("n"), NEW, 0o644, 0, vec![]),
        Write(s("a"), libc::O_WRONLY, 0, 0, vec![1]),
        Write(s("a"), libc::O_RDONLY | libc::O_TRUNC, 0, 0, vec![]),
        Truncate(s("a"), 0),
        Rename(s("a"), s("b"), 0),
        Link(s("a"), s("b")),
        Symlink(s("a"), s("b")),
        Chmod(s("a"), 0o600),
        Times(s("a"), 1, 1),
        SetXattr(s("a"), s("user.x"), vec![1], 0),
        RemoveXattr(s("a"), s("user.x")),
        Mkfifo(s("n"), 0o600),
    ] {
        assert_eq!(shared.run(&operation), Err(Errno::ROFS), "{operation:?}");
    }
    shared.run(&Read(s("a"), 0, 100)).expect("may be read");
    assert_eq!(tree(folder.path()), before);
}

#[test]
fn a_single_file_can_be_shared() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a");
    std::fs::write(&path, "content").expect("a file");
    let (_starter, mut client) = Starter::new(&[], &path);
    let attr = client.getattr(ROOT).expect("attributes");
    assert_eq!((attr.mode & 0o170_000, attr.size), (0o100_000, 7));
    let fh = client.open(ROOT, libc::O_RDWR).expect("opened");
    assert_eq!(client.read(fh, 0, 100), Ok(b"content".to_vec()));
    client.write(fh, 0, b"CON", 0).expect("written");
    assert_eq!(std::fs::read(&path).expect("a file"), b"CONtent");
    assert_eq!(client.lookup(ROOT, "a"), Err(Errno::NOTDIR));
    let wanted = SetattrIn {
        valid: flags::SET_SIZE,
        size: 2,
        ..SetattrIn::default()
    };
    client.setattr(ROOT, wanted).expect("truncated");
    assert_eq!(std::fs::read(&path).expect("a file"), b"CO");
}

#[test]
fn the_umask_of_the_program_counts() {
    let (folder, _starter, mut client) = fresh(&[]);
    let wanted = libos_abi::fuse::messages::MkdirIn {
        mode: 0o777,
        umask: 0o027,
    };
    let body = [&wanted.to_bytes()[..], b"d\0"].concat();
    client.call(opcode::MKDIR, ROOT, &body).expect("made");
    let mode = |name: &str| mode_of(&folder.path().join(name));
    assert_eq!(mode("d"), 0o750);
    client
        .create(ROOT, "a", libc::O_RDWR, 0o666)
        .expect("a file");
    assert_eq!(mode("a"), 0o666, "the next one has its own");
}

fn mode_of(path: &Path) -> u32 {
    std::fs::metadata(path).expect("there").mode() & 0o7777
}

#[test]
fn answers_may_be_cached_unless_the_host_changes_the_folder() {
    for (options, may) in [(&[][..], true), (&["consistent"][..], false)] {
        let (_folder, _starter, mut client) = fresh(options);
        let (entry, _) = client
            .create(ROOT, "a", libc::O_RDWR, 0o600)
            .expect("a file");
        assert_eq!((entry.entry_valid > 0, entry.attr_valid > 0), (may, may));
    }
}
