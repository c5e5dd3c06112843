//! Every operation, beside the same one made directly on a folder of the host.

mod common;

use common::Starter;
use common::files::{Direct, Operation, Operation::*, Shared, random::Random, tree};
use rustix::io::Errno;

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
