//! Ways out of the folder, and into what must not be opened.

mod common;

use common::files::{Operation::*, Shared};
use common::scene::Scene;
use common::{WAIT, is_root};
use libos_abi::fuse::messages::{
    BatchForgetIn, CreateIn, LinkIn, MkdirIn, MknodIn, OpenIn, Rename2In, RenameIn, SetattrIn,
};
use libos_abi::fuse::{ROOT, flags, opcode};
use rustix::fs::{CWD, FileType, Mode};
use rustix::io::Errno;
use std::os::unix::fs::symlink;
use std::time::Instant;

#[test]
fn links_are_not_followed() {
    let mut scene = Scene::new(&[], |shared| {
        let outside = shared.parent().expect("a parent").join("outside");
        symlink(outside.join("secret"), shared.join("absolute")).expect("a link");
        symlink("../outside/secret", shared.join("relative")).expect("a link");
        symlink("../outside", shared.join("middle")).expect("a link");
        symlink("../outside/new", shared.join("dangling")).expect("a link");
        symlink("/proc/self/root/etc/passwd", shared.join("magic")).expect("a link");
        symlink("/proc/self/fd", shared.join("descriptors")).expect("a link");
    });
    let mut shared = Shared(scene.client);
    let s = |text: &str| text.to_owned();
    for link in [
        "absolute",
        "relative",
        "middle",
        "dangling",
        "magic",
        "descriptors",
    ] {
        for operation in [
            Read(s(link), 0, 100),
            Write(s(link), libc::O_RDWR, 0, 0, vec![1]),
            Write(s(link), libc::O_CREAT | libc::O_RDWR, 0o600, 0, vec![1]),
            Write(s(link), libc::O_RDWR | libc::O_TRUNC, 0, 0, vec![]),
            Truncate(s(link), 0),
            List(s(link)),
            Sync(s(link)),
        ] {
            let found = shared.run(&operation);
            assert!(
                matches!(found, Err(Errno::LOOP | Errno::NOTDIR)),
                "{operation:?}: {found:?}"
            );
        }
        for inner in ["secret", "new", "x/y"] {
            let found = shared.run(&Stat(format!("{link}/{inner}")));
            assert_eq!(found, Err(Errno::NOTDIR), "{link}/{inner}");
            let found = shared.run(&Mkdir(format!("{link}/{inner}"), 0o755));
            assert_eq!(found, Err(Errno::NOTDIR), "{link}/{inner}");
        }
        let found = shared.run(&Chmod(s(link), 0o777));
        assert_eq!(found, Err(Errno::OPNOTSUPP), "{link}");
    }
    scene.client = shared.0;
    scene.check_outside();
}

#[test]
fn names_that_are_paths_are_refused() {
    let mut scene = Scene::new(&[], |shared| {
        std::fs::create_dir(shared.join("d")).expect("a folder");
        std::fs::write(shared.join("a"), "").expect("a file");
    });
    let directory = scene.client.walk("d").expect("there");
    let file = scene.client.walk("a").expect("there");
    let long = "n".repeat(256);
    for (bad, expected) in [
        ("..", Errno::INVAL),
        (".", Errno::INVAL),
        ("", Errno::INVAL),
        ("../outside", Errno::INVAL),
        ("/etc", Errno::INVAL),
        ("d/x", Errno::INVAL),
        ("a/", Errno::INVAL),
        (&long, Errno::NAMETOOLONG),
    ] {
        let name = [bad.as_bytes(), b"\0"].concat();
        let good = b"good\0".to_vec();
        let with = |head: &[u8], names: &[&[u8]]| [head, &names.concat()].concat();
        let link = LinkIn { oldnodeid: file };
        for (opcode, body) in [
            (opcode::LOOKUP, name.clone()),
            (opcode::UNLINK, name.clone()),
            (opcode::RMDIR, name.clone()),
            (opcode::SYMLINK, with(&name, &[b"target\0"])),
            (
                opcode::MKDIR,
                with(&MkdirIn::default().to_bytes(), &[&name]),
            ),
            (
                opcode::MKNOD,
                with(&MknodIn::default().to_bytes(), &[&name]),
            ),
            (
                opcode::CREATE,
                with(&CreateIn::default().to_bytes(), &[&name]),
            ),
            (opcode::LINK, with(&link.to_bytes(), &[&name])),
            (
                opcode::RENAME,
                with(&RenameIn { newdir: ROOT }.to_bytes(), &[&name, &good]),
            ),
            (
                opcode::RENAME2,
                with(
                    &Rename2In {
                        newdir: ROOT,
                        ..Rename2In::default()
                    }
                    .to_bytes(),
                    &[b"good\0", &name],
                ),
            ),
        ] {
            for parent in [ROOT, directory] {
                let found = scene.client.call(opcode, parent, &body);
                assert_eq!(found, Err(expected), "{opcode} {bad:?}");
            }
        }
    }
    scene.check_outside();
}

/// Whoever has a directory open keeps it when it is moved; there is no way on from there.
#[test]
fn a_directory_that_the_host_moves_away_leads_nowhere() {
    let mut scene = Scene::new(&[], |shared| {
        std::fs::create_dir(shared.join("d")).expect("a folder");
        std::fs::write(shared.join("d/a"), "inside").expect("a file");
    });
    let directory = scene.client.walk("d").expect("there");
    let outside = scene.directory.path().join("outside/d");
    std::fs::rename(scene.shared().join("d"), &outside).expect("moved");
    assert_eq!(scene.client.lookup(ROOT, "d"), Err(Errno::NOENT));
    for name in ["..", "../secret", "../../shared", "."] {
        let found = scene.client.lookup(directory, name);
        assert_eq!(found, Err(Errno::INVAL), "{name}");
    }
    scene.check_outside_but("d");
}

#[test]
fn what_is_no_file_and_no_directory_is_not_opened() {
    let mut scene = Scene::new(&[], |shared| {
        let made = rustix::fs::mknodat(CWD, shared.join("fifo"), FileType::Fifo, Mode::RWXU, 0);
        made.expect("a fifo");
        std::os::unix::net::UnixListener::bind(shared.join("socket")).expect("a socket");
        if is_root() {
            let device = rustix::fs::makedev(1, 3);
            let made = rustix::fs::mknodat(
                CWD,
                shared.join("device"),
                FileType::CharacterDevice,
                Mode::RWXU,
                device,
            );
            made.expect("a device");
        }
    });
    let begun = Instant::now();
    for name in ["fifo", "socket", "device"] {
        let Ok(entry) = scene.client.lookup(ROOT, name) else {
            assert_eq!(name, "device", "root alone can make one");
            continue;
        };
        for flags in [libc::O_RDONLY, libc::O_RDWR, libc::O_WRONLY, libc::O_TRUNC] {
            let opened = scene.client.open(entry.nodeid, flags);
            assert_eq!(opened, Err(Errno::NXIO), "{name}");
            let flags = flags | libc::O_CREAT;
            let created = scene.client.create(ROOT, name, flags, 0o600);
            assert_eq!(created.err(), Some(Errno::NXIO), "{name}");
        }
        let wanted = OpenIn::default().to_bytes();
        let opened = scene.client.call(opcode::OPENDIR, entry.nodeid, &wanted);
        assert_eq!(opened, Err(Errno::NOTDIR), "{name}");
        let wanted = SetattrIn {
            valid: flags::SET_SIZE,
            ..SetattrIn::default()
        };
        let truncated = scene.client.setattr(entry.nodeid, wanted);
        assert_eq!(truncated.err(), Some(Errno::NXIO), "{name}");
    }
    assert!(
        begun.elapsed() < WAIT,
        "nothing waits for the other side of a fifo"
    );
}

#[test]
fn devices_are_not_made() {
    let mut scene = Scene::new(&[], |_| {});
    for (kind, expected) in [
        (libc::S_IFCHR, Errno::PERM),
        (libc::S_IFBLK, Errno::PERM),
        (libc::S_IFDIR, Errno::INVAL),
        (libc::S_IFLNK, Errno::INVAL),
    ] {
        let wanted = MknodIn {
            mode: kind | 0o666,
            rdev: 0x103,
            ..MknodIn::default()
        };
        let body = [&wanted.to_bytes()[..], b"null\0"].concat();
        let made = scene.client.call(opcode::MKNOD, ROOT, &body);
        assert_eq!(made, Err(expected), "{kind:o}");
    }
}

#[test]
fn root_s_files_do_not_become_programs_of_root() {
    if !is_root() {
        eprintln!("SKIPPED: only for root");
        return;
    }
    let mut scene = Scene::new(&[], |shared| {
        std::fs::write(shared.join("a"), "").expect("a file");
    });
    let number = scene.client.walk("a").expect("there");
    let chmod = |mode| SetattrIn {
        valid: flags::SET_MODE,
        mode,
        ..SetattrIn::default()
    };
    for mode in [0o4755, 0o2755, 0o6755] {
        let changed = scene.client.setattr(number, chmod(mode));
        assert_eq!(changed.err(), Some(Errno::PERM));
        let made = scene.client.create(ROOT, "b", libc::O_RDWR, mode);
        assert_eq!(made.err(), Some(Errno::PERM));
    }
    scene
        .client
        .mkdir(ROOT, "d", 0o2755)
        .expect("of a directory it is another thing");
    scene.client.setattr(number, chmod(0o1777)).expect("sticky");
}

#[test]
fn files_have_no_more_numbers_than_there_are_lookups() {
    let mut scene = Scene::new(&[], |shared| {
        std::fs::write(shared.join("a"), "").expect("a file");
    });
    let number = scene.client.walk("a").expect("there");
    scene.client.forget(ROOT, u64::MAX);
    scene.client.getattr(ROOT).expect("the root stays");
    scene.client.forget(number, u64::MAX);
    assert_eq!(scene.client.getattr(number), Err(Errno::STALE));
    scene.client.forget(number, 1);
    let batch = BatchForgetIn {
        count: u32::MAX,
        dummy: 0,
    };
    scene
        .client
        .send(opcode::BATCH_FORGET, 0, &batch.to_bytes())
        .expect("sent");
    let again = scene.client.walk("a").expect("there");
    assert_ne!(again, number, "numbers are never used twice");
}

#[test]
fn tables_have_their_bounds() {
    let mut scene = Scene::new(&["files=100"], |shared| {
        for index in 0..200 {
            std::fs::write(shared.join(index.to_string()), "").expect("a file");
        }
    });
    let client = &mut scene.client;
    let mut known = Vec::new();
    let full = loop {
        match client.lookup(ROOT, &known.len().to_string()) {
            Ok(entry) => known.push(entry.nodeid),
            Err(error) => break error,
        }
    };
    assert_eq!(full, Errno::NFILE);
    assert!((50..100).contains(&known.len()), "{}", known.len());
    let mut open = Vec::new();
    let full = loop {
        match client.open(known[0], libc::O_RDONLY) {
            Ok(fh) => open.push(fh),
            Err(error) => break error,
        }
    };
    assert_eq!(full, Errno::NFILE);
    assert!(open.len() >= 16, "{}", open.len());
    // A full table is no end: names still change, listings still go, and there is room again.
    let listed = client.list(ROOT, opcode::READDIR, 4096);
    assert_eq!(listed.err(), Some(Errno::NFILE), "a listing needs a handle");
    client.release(known[0], open[0]).expect("open");
    let listed = client
        .list(ROOT, opcode::READDIRPLUS, 4096)
        .expect("a listing");
    assert_eq!(listed.len(), 202);
    client.remove(opcode::UNLINK, ROOT, "199").expect("removed");
    client.forget(known[1], u64::MAX);
    client.lookup(ROOT, "150").expect("there is room again");
}
