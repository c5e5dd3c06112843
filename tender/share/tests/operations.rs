//! Every operation, beside the same one made directly on a folder of the host.

mod common;

use common::files::{Direct, Operation, Operation::*, Shared, random::Random, tree};
use common::{Client, Starter};
use libos_abi::fuse::messages::{
    CopyFileRangeIn, CreateIn, EntryOut, OpenOut, SetattrIn, WriteOut,
};
use libos_abi::fuse::wire::Wire;
use libos_abi::fuse::{ROOT, flags, opcode};
use rustix::io::Errno;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// The two, side by side.
struct Pair {
    _starter: Starter,
    folder: tempfile::TempDir,
    shared: Shared,
    direct: Direct,
}

impl Pair {
    fn new() -> Self {
        rustix::process::umask(rustix::fs::Mode::empty());
        let folder = tempfile::tempdir().expect("a folder");
        for side in ["shared", "direct"] {
            std::fs::create_dir(folder.path().join(side)).expect("a folder");
        }
        let (starter, client) = Starter::new(&[], &folder.path().join("shared"));
        Self {
            _starter: starter,
            shared: Shared(client),
            direct: Direct(folder.path().join("direct")),
            folder,
        }
    }

    fn check(&mut self, operation: &Operation) {
        let expected = self.direct.run(operation);
        let found = self.shared.run(operation);
        assert_eq!(found, expected, "{operation:?}");
    }

    fn check_trees(&self) {
        let [shared, direct] =
            ["shared", "direct"].map(|side| tree(&self.folder.path().join(side)));
        assert_eq!(shared, direct);
    }
}

fn s(text: &str) -> String {
    text.into()
}

fn check_all(operations: &[Operation]) {
    let mut pair = Pair::new();
    for operation in operations {
        pair.check(operation);
    }
    pair.check_trees();
}

const NEW: i32 = libc::O_CREAT | libc::O_RDWR;

#[test]
fn names_come_and_go() {
    check_all(&[
        Stat(s("a")),
        Mkdir(s("d"), 0o751),
        Mkdir(s("d"), 0o700),
        Mkdir(s("d/e"), 0o2755),
        Write(s("d/a"), NEW, 0o640, 0, b"data".into()),
        Write(s("d/a"), NEW | libc::O_EXCL, 0o640, 0, b"x".into()),
        Link(s("d/a"), s("b")),
        Link(s("d/a"), s("b")),
        Link(s("d"), s("c")),
        Symlink(s("d/a"), s("l")),
        Symlink(s("x"), s("l")),
        Link(s("l"), s("m")),
        Readlink(s("l")),
        Readlink(s("m")),
        Readlink(s("b")),
        Mkfifo(s("f"), 0o622),
        Stat(s("d/a")),
        Stat(s("l")),
        Stat(s("f")),
        List(s("")),
        List(s("d")),
        List(s("b")),
        List(s("l")),
        Rmdir(s("d")),
        Rmdir(s("b")),
        Unlink(s("d")),
        Unlink(s("b")),
        Unlink(s("b")),
        Rmdir(s("d/e")),
        Mkdir(s("b/x"), 0o755),
        Mkdir(s("d/a/x"), 0o755),
        Stat(s("d/a")),
    ]);
}

#[test]
fn rename_knows_its_flags() {
    let (replace, exchange, whiteout) = (1, 2, 4);
    check_all(&[
        Write(s("a"), NEW, 0o644, 0, b"a".into()),
        Write(s("b"), NEW, 0o644, 0, b"b".into()),
        Mkdir(s("d"), 0o755),
        Mkdir(s("e"), 0o755),
        Write(s("e/x"), NEW, 0o644, 0, b"x".into()),
        Rename(s("a"), s("b"), replace),
        Rename(s("a"), s("b"), exchange),
        Read(s("a"), 0, 10),
        Rename(s("a"), s("c"), exchange),
        Rename(s("a"), s("d"), 0),
        Rename(s("d"), s("a"), 0),
        Rename(s("d"), s("e"), 0),
        Rename(s("e"), s("e/y"), 0),
        Rename(s("e"), s("d"), 0),
        Rename(s("a"), s("d/z"), replace),
        Rename(s("d"), s("b"), exchange),
        Rename(s("b/z"), s("z"), replace | exchange),
        Rename(s("b/z"), s("z"), 0),
        Rename(s("none"), s("z"), 0),
        List(s("")),
    ]);
    // Makes a device: refused, where the host would let root.
    let mut pair = Pair::new();
    pair.shared
        .run(&Write(s("a"), NEW, 0o644, 0, vec![]))
        .expect("a file");
    let answer = pair.shared.run(&Rename(s("a"), s("b"), whiteout));
    assert_eq!(answer, Err(Errno::INVAL));
}

#[test]
fn data_is_written_and_read() {
    let append = NEW | libc::O_APPEND;
    check_all(&[
        Write(s("a"), NEW, 0o644, 5000, b"far".into()),
        Read(s("a"), 0, 6000),
        Read(s("a"), 4990, 20),
        Read(s("a"), 5003, 20),
        Read(s("a"), 9999, 20),
        Write(s("a"), append, 0o644, 0, b"appended".into()),
        Write(s("a"), libc::O_WRONLY | libc::O_DSYNC, 0, 3, b"sync".into()),
        Write(s("a"), libc::O_WRONLY | libc::O_SYNC, 0, 9, b"sync".into()),
        Write(s("a"), libc::O_RDONLY, 0, 0, b"no".into()),
        Write(s("b"), libc::O_WRONLY, 0, 0, b"no".into()),
        Write(s("a"), libc::O_WRONLY, 0, u64::MAX >> 1, b"no".into()),
        Stat(s("a")),
        Seek(s("a"), 0, 3),
        Seek(s("a"), 0, 4),
        Seek(s("a"), 99_999, 3),
        Truncate(s("a"), 100),
        Truncate(s("a"), 10_000),
        Truncate(s("a"), u64::MAX),
        Truncate(s("b"), 0),
        Write(s("a"), libc::O_RDWR | libc::O_TRUNC, 0, 0, b"new".into()),
        Fallocate(s("a"), 0, 0, 20_000),
        Fallocate(s("a"), 1, 30_000, 4096),
        Fallocate(s("a"), 3, 4096, 4096),
        Fallocate(s("a"), 0x10, 0, 4096),
        Fallocate(s("a"), 8, 4096, 4096),
        Fallocate(s("a"), 0x20, 4096, 4096),
        Fallocate(s("a"), 0, 0, 0),
        Stat(s("a")),
        Sync(s("a")),
        Mkdir(s("d"), 0o755),
        Sync(s("d")),
        Truncate(s("d"), 0),
        Write(s("d"), libc::O_WRONLY, 0, 0, b"no".into()),
        Write(s("d"), NEW, 0o644, 0, b"no".into()),
        Write(s("a"), libc::O_RDONLY | libc::O_DIRECTORY, 0, 0, vec![]),
        Symlink(s("a"), s("l")),
        Write(s("l"), libc::O_WRONLY, 0, 0, b"no".into()),
        Write(s("l"), NEW | libc::O_EXCL, 0o644, 0, b"no".into()),
        Truncate(s("l"), 0),
    ]);
}

#[test]
fn attributes_are_set() {
    let mut all = vec![
        Write(s("a"), NEW, 0o4755, 0, b"a".into()),
        Mkdir(s("d"), 0o755),
        Symlink(s("a"), s("l")),
        Mkfifo(s("f"), 0o600),
    ];
    if common::is_root() {
        // Programs that would be the host's root are refused: see the test of that.
        all[0] = Write(s("a"), NEW, 0o755, 0, b"a".into());
    }
    for path in ["a", "d", "l", "f", "none"] {
        all.extend([
            Chmod(s(path), 0o751),
            Times(s(path), 12_345, 678_901_234),
            Stat(s(path)),
            Times(s(path), -5, 999_999_999),
            Stat(s(path)),
            Access(s(path), 0),
            Access(s(path), 4),
            Access(s(path), 1),
            Chmod(s(path), 0),
            Access(s(path), 4),
            Access(s(path), 2),
            Chmod(s(path), 0o1777),
            Stat(s(path)),
        ]);
        if common::is_root() {
            all.extend([
                Chown(s(path), 1, 2),
                Stat(s(path)),
                Chown(s(path), u32::MAX, 7),
            ]);
        }
    }
    check_all(&all);
}

#[test]
fn extended_attributes_of_users() {
    let mut all = vec![
        Write(s("a"), NEW, 0o644, 0, b"a".into()),
        Mkdir(s("d"), 0o755),
        Symlink(s("a"), s("l")),
    ];
    for path in ["a", "d", "l"] {
        all.extend([
            GetXattr(s(path), s("user.x")),
            SetXattr(s(path), s("user.x"), b"value".into(), 2),
            SetXattr(s(path), s("user.x"), b"value".into(), 1),
            SetXattr(s(path), s("user.x"), b"value".into(), 1),
            SetXattr(s(path), s("user.x"), b"other".into(), 2),
            SetXattr(s(path), s("user.empty"), vec![], 0),
            SetXattr(s(path), s("user."), b"value".into(), 0),
            SetXattr(s(path), format!("user.{}", "n".repeat(251)), vec![1], 0),
            SetXattr(s(path), s("user.x"), vec![0; 70_000], 0),
            SetXattr(s(path), s("unknown"), vec![1], 0),
            GetXattr(s(path), s("user.x")),
            GetXattr(s(path), s("user.empty")),
            ListXattr(s(path)),
            RemoveXattr(s(path), s("user.x")),
            RemoveXattr(s(path), s("user.x")),
            ListXattr(s(path)),
        ]);
    }
    all.push(GetXattr(s("none"), s("user.x")));
    check_all(&all);
}

#[test]
fn other_extended_attributes_are_the_host_s() {
    let mut pair = Pair::new();
    pair.check(&Write(s("a"), NEW, 0o644, 0, vec![]));
    for name in [
        "security.capability",
        "trusted.x",
        "system.posix_acl_access",
    ] {
        let set = pair.shared.run(&SetXattr(s("a"), s(name), vec![1], 0));
        assert_eq!(set, Err(Errno::OPNOTSUPP), "{name}");
        let get = pair.shared.run(&GetXattr(s("a"), s(name)));
        assert_eq!(get, Err(Errno::OPNOTSUPP), "{name}");
    }
}

#[test]
fn random_operations_give_the_same_on_both_sides() {
    for seed in 1..=4 {
        let mut pair = Pair::new();
        let mut random = Random::new(seed);
        for _ in 0..1500 {
            pair.check(&random.operation());
        }
        pair.check_trees();
    }
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
