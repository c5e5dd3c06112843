//! Names that change while they are used.

mod common;

use common::Client;
use common::scene::{SECRET, Scene};
use libos_abi::fuse::ROOT;
use rustix::fs::{CWD, RenameFlags};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What a name stands for changes all the time between something harmless and a way out.
fn race(harmless: impl Fn(&Path), attempt: impl Fn(&mut Client) -> Option<Vec<u8>>) {
    let mut scene = Scene::new(&[], |shared| {
        harmless(&shared.join("x"));
        symlink("../outside", shared.join("way out")).expect("a link");
    });
    let shared = scene.shared();
    let ends = AtomicBool::new(false);
    let (mut tried, mut seen) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (one, other) = (shared.join("x"), shared.join("way out"));
            while !ends.load(Ordering::Relaxed) {
                rustix::fs::renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE)
                    .expect("both are there");
            }
        });
        let end = Instant::now() + Duration::from_millis(1500);
        while Instant::now() < end {
            tried += 1;
            if let Some(found) = attempt(&mut scene.client) {
                assert_ne!(found, SECRET);
                seen += 1;
            }
        }
        ends.store(true, Ordering::Relaxed);
    });
    // Else nothing was raced with.
    assert!(seen > 0 && seen < tried, "{seen} of {tried}");
    scene.check_outside();
}

#[test]
fn a_directory_that_becomes_a_link_leads_nowhere() {
    race(
        |x| {
            std::fs::create_dir(x).expect("a folder");
            std::fs::write(x.join("secret"), "harmless").expect("a file");
        },
        |client| {
            let directory = client.lookup(ROOT, "x").ok()?.nodeid;
            let found = client.lookup(directory, "secret").ok();
            client.forget(directory, 1);
            let number = found?.nodeid;
            let fh = client.open(number, libc::O_RDONLY).expect("it is a file");
            let content = client.read(fh, 0, 100).expect("it is a file");
            client.release(number, fh).expect("open");
            client.forget(number, 1);
            Some(content)
        },
    );
}

#[test]
fn a_file_that_becomes_a_link_is_not_followed() {
    race(
        |x| std::fs::write(x, "harmless").expect("a file"),
        |client| {
            let flags = libc::O_CREAT | libc::O_RDWR;
            let (entry, fh) = client.create(ROOT, "x", flags, 0o600).ok()?;
            let content = client.read(fh, 0, 100).expect("it is a file");
            client.release(entry.nodeid, fh).expect("open");
            client.forget(entry.nodeid, 1);
            Some(content)
        },
    );
}
