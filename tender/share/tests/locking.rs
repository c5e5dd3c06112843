//! Locks, against the host's programs and against other owners.

mod common;

use common::{Client, Starter};
use libos_abi::fuse::messages::{FileLock, FlushIn, InterruptIn, LkIn};
use libos_abi::fuse::wire::Wire;
use libos_abi::fuse::{ROOT, flags, opcode};
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use std::fs::File;

const READ: u32 = libc::F_RDLCK as u32;
const WRITE: u32 = libc::F_WRLCK as u32;
const UNLOCK: u32 = libc::F_UNLCK as u32;
const END: u64 = i64::MAX as u64;

struct Scene {
    folder: tempfile::TempDir,
    _starter: Starter,
    client: Client,
    number: u64,
    fh: u64,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("a"), [0; 100]).expect("a file");
        let (starter, mut client) = Starter::new(&[], folder.path());
        let number = client.lookup(ROOT, "a").expect("there").nodeid;
        let fh = client.open(number, libc::O_RDWR).expect("opened");
        Self {
            folder,
            _starter: starter,
            client,
            number,
            fh,
        }
    }

    fn host(&self) -> File {
        let path = self.folder.path().join("a");
        let options = File::options().read(true).write(true).open(path);
        options.expect("a file")
    }

    fn posix(&self, owner: u64, kind: u32, start: u64, end: u64) -> LkIn {
        LkIn {
            fh: self.fh,
            owner,
            lk: FileLock {
                start,
                end,
                kind,
                pid: 0,
            },
            ..LkIn::default()
        }
    }

    fn flock(&self, kind: u32) -> LkIn {
        LkIn {
            lk_flags: flags::LK_FLOCK,
            ..self.posix(1, kind, 0, END)
        }
    }

    fn set(&mut self, wanted: LkIn) -> Result<(), Errno> {
        let answer = self.client.lock(opcode::SETLK, self.number, wanted);
        answer.map(drop)
    }

    fn flush(&mut self, lock_owner: u64) {
        let wanted = FlushIn {
            fh: self.fh,
            lock_owner,
            ..FlushIn::default()
        };
        let body = wanted.to_bytes();
        self.client
            .call(opcode::FLUSH, self.number, &body)
            .expect("flushed");
    }
}

/// A lock of fcntl(2) by this process, without waiting.
fn host_lock(file: &File, exclusive: bool) -> Result<(), Errno> {
    let operation = match exclusive {
        true => FlockOperation::NonBlockingLockExclusive,
        false => FlockOperation::NonBlockingUnlock,
    };
    rustix::fs::fcntl_lock(file, operation)
}

#[test]
fn flock_holds_between_guest_and_host() {
    let mut scene = Scene::new();
    let host = scene.host();
    rustix::fs::flock(&host, FlockOperation::LockExclusive).expect("free");
    assert_eq!(scene.set(scene.flock(READ)), Err(Errno::AGAIN));
    rustix::fs::flock(&host, FlockOperation::LockShared).expect("its own");
    assert_eq!(scene.set(scene.flock(READ)), Ok(()));
    assert_eq!(scene.set(scene.flock(WRITE)), Err(Errno::AGAIN));
    rustix::fs::flock(&host, FlockOperation::Unlock).expect("its own");
    assert_eq!(scene.set(scene.flock(WRITE)), Ok(()));
    let taken = rustix::fs::flock(&host, FlockOperation::NonBlockingLockShared);
    assert_eq!(taken, Err(Errno::AGAIN));
    scene.client.release(scene.number, scene.fh).expect("open");
    rustix::fs::flock(&host, FlockOperation::NonBlockingLockShared).expect("released");
}

#[test]
fn posix_locks_hold_between_guest_and_host() {
    let mut scene = Scene::new();
    let host = scene.host();
    host_lock(&host, true).expect("free");
    assert_eq!(scene.set(scene.posix(1, READ, 0, 9)), Err(Errno::AGAIN));
    let wanted = scene.posix(1, WRITE, 5, 9);
    let answer = scene
        .client
        .lock(opcode::GETLK, scene.number, wanted)
        .expect("told");
    let found = FileLock::get(&answer).expect("a lock");
    assert_eq!((found.kind, found.start, found.end), (WRITE, 0, END));
    host_lock(&host, false).expect("its own");
    assert_eq!(scene.set(wanted), Ok(()));
    assert_eq!(host_lock(&host, true), Err(Errno::AGAIN));
    assert_eq!(scene.set(scene.posix(1, UNLOCK, 5, 9)), Ok(()));
    host_lock(&host, true).expect("unlocked");
}

#[test]
fn owners_are_told_apart() {
    let mut scene = Scene::new();
    assert_eq!(scene.set(scene.posix(1, WRITE, 0, 9)), Ok(()));
    assert_eq!(scene.set(scene.posix(1, READ, 5, 20)), Ok(()), "its own");
    assert_eq!(scene.set(scene.posix(2, READ, 5, 20)), Ok(()), "both read");
    assert_eq!(scene.set(scene.posix(2, WRITE, 3, 3)), Err(Errno::AGAIN));
    let wanted = scene.posix(2, WRITE, 0, END);
    let answer = scene
        .client
        .lock(opcode::GETLK, scene.number, wanted)
        .expect("told");
    let found = FileLock::get(&answer).expect("a lock");
    assert_eq!((found.start, found.end), (0, 4));
    scene.flush(2);
    assert_eq!(
        scene.set(scene.posix(1, WRITE, 5, 20)),
        Ok(()),
        "the other one's went"
    );
    scene.flush(1);
    host_lock(&scene.host(), true).expect("all went");
}

#[test]
fn nonsense_is_refused() {
    let mut scene = Scene::new();
    assert_eq!(scene.set(scene.posix(1, 7, 0, 9)), Err(Errno::INVAL));
    assert_eq!(scene.set(scene.posix(1, READ, 9, 0)), Err(Errno::INVAL));
    assert_eq!(
        scene.set(scene.posix(1, READ, u64::MAX, u64::MAX)),
        Err(Errno::INVAL)
    );
    assert_eq!(scene.set(scene.flock(9)), Err(Errno::INVAL));
    let other = LkIn {
        fh: 99,
        ..scene.posix(1, READ, 0, 9)
    };
    assert_eq!(scene.set(other), Err(Errno::BADF));
    for owner in 0..64 {
        assert_eq!(scene.set(scene.posix(owner, READ, 0, 9)), Ok(()));
    }
    assert_eq!(scene.set(scene.posix(64, READ, 0, 9)), Err(Errno::NOLCK));
}

#[test]
fn a_lock_is_waited_for_while_the_server_goes_on() {
    let mut scene = Scene::new();
    let host = scene.host();
    rustix::fs::flock(&host, FlockOperation::LockExclusive).expect("free");
    let body = scene.flock(WRITE).to_bytes();
    let waiting = scene
        .client
        .send(opcode::SETLKW, scene.number, &body)
        .expect("sent");
    scene.client.getattr(ROOT).expect("others are served");
    assert!(!scene.client.has_answer(50), "the host still has it");
    rustix::fs::flock(&host, FlockOperation::Unlock).expect("its own");
    assert_eq!(scene.client.receive(), Ok((waiting, Ok(vec![]))));
    let taken = rustix::fs::flock(&host, FlockOperation::NonBlockingLockShared);
    assert_eq!(taken, Err(Errno::AGAIN));
}

#[test]
fn a_wait_can_be_interrupted() {
    let mut scene = Scene::new();
    let host = scene.host();
    host_lock(&host, true).expect("free");
    let body = scene.posix(1, WRITE, 0, 9).to_bytes();
    let waiting = scene
        .client
        .send(opcode::SETLKW, scene.number, &body)
        .expect("sent");
    assert!(!scene.client.has_answer(20), "the host has it");
    let wanted = InterruptIn { unique: waiting };
    scene
        .client
        .send(opcode::INTERRUPT, 0, &wanted.to_bytes())
        .expect("sent");
    assert_eq!(scene.client.receive(), Ok((waiting, Err(Errno::INTR))));
    scene.client.getattr(ROOT).expect("it goes on");
}
