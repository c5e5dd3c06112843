//! The driver over a file of the host, beside the host's own tools.

use libos_abi::driver::{AttributeChange, Time, allocate, change};
use libos_ext4::error::Result;
use libos_ext4::{Device, Errno, Ext4Volume, NewNode};
use rsext4::XattrSetMode;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

struct Disk(File);

impl Device for Disk {
    fn len(&self) -> u64 {
        self.0.metadata().map_or(0, |metadata| metadata.len())
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.0.read_exact_at(buffer, offset).map_err(|_| Errno::EIO)
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.0.write_all_at(bytes, offset).map_err(|_| Errno::EIO)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

fn now() -> Time {
    Time {
        seconds: 1_800_000_000,
        nanoseconds: 123_456_789,
        reserved: 0,
    }
}

fn new_file(mode: u32) -> NewNode<'static> {
    NewNode {
        mode,
        uid: 1000,
        gid: 1001,
        rdev: 0,
        target: b"",
    }
}

/// A disk of this length, made by the driver (`false`) or by the host's mkfs.ext4; none if that is absent.
fn disk(directory: &TempDir, len: u64, by_host: bool) -> Option<PathBuf> {
    let path = directory.path().join("disk");
    let file = File::create_new(&path).expect("a new file");
    file.set_len(len).expect("room");
    if by_host {
        let made = Command::new("mkfs.ext4").arg("-qF").arg(&path).status();
        if !made.is_ok_and(|status| status.success()) {
            eprintln!("skipped: mkfs.ext4 is missing");
            return None;
        }
    } else {
        Ext4Volume::format(open(&path), now).expect("room enough");
    }
    Some(path)
}

fn open(path: &Path) -> Disk {
    Disk(
        File::options()
            .read(true)
            .write(true)
            .open(path)
            .expect("it exists"),
    )
}

fn mount(path: &Path) -> Ext4Volume<Disk> {
    Ext4Volume::mount(open(path), false, now).expect("a sound file system")
}

/// Whether e2fsck finds nothing to mend; `true` where there is none.
fn is_clean(path: &Path) -> bool {
    match Command::new("e2fsck").arg("-fn").arg(path).output() {
        Ok(output) if output.status.success() => true,
        Ok(output) => {
            eprintln!("{}", String::from_utf8_lossy(&output.stdout));
            false
        }
        Err(_) => {
            eprintln!("skipped: e2fsck is missing");
            true
        }
    }
}

fn names(volume: &mut Ext4Volume<Disk>, ino: u64) -> BTreeMap<Vec<u8>, u32> {
    let mut names = BTreeMap::new();
    let list = volume.list(ino, &mut |name, _, mode| {
        names.insert(name.to_vec(), mode);
    });
    list.expect("a directory");
    names
}

/// Everything a program does with files, once; then again after a remount.
fn exercise(path: &Path) {
    let mut volume = mount(path);
    let root = volume.root();
    let file = volume
        .create(root, b"file", &new_file(0o100_640))
        .expect("room");
    assert_eq!(
        (file.mode, file.uid, file.gid, file.nlink),
        (0o100_640, 1000, 1001, 1)
    );
    assert_eq!(
        volume.create(root, b"file", &new_file(0o100_640)),
        Err(Errno::EEXIST)
    );
    let data: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    volume.write(file.ino, 5000, &data).expect("room");
    let directory = volume
        .create(root, b"dir", &new_file(0o040_755))
        .expect("room");
    for number in 0..1500 {
        let name = format!("a name that is somewhat longer {number}");
        volume
            .create(directory.ino, name.as_bytes(), &new_file(0o100_600))
            .expect("room");
    }
    assert_eq!(names(&mut volume, directory.ino).len(), 1500);
    let target = NewNode {
        target: b"dir/x",
        ..new_file(0o120_777)
    };
    let symlink = volume.create(root, b"symlink", &target).expect("room");
    volume
        .link(file.ino, directory.ino, b"second")
        .expect("room");
    volume
        .rename(root, b"file", directory.ino, b"moved", false)
        .expect("room");
    assert_eq!(volume.lookup(root, b"file"), Err(Errno::ENOENT));
    volume
        .set_xattr(file.ino, b"user.colour", b"blue", XattrSetMode::Create)
        .expect("room");
    volume
        .allocate(file.ino, allocate::PUNCH_HOLE, 8192, 8192)
        .expect("a file");
    let times = AttributeChange {
        valid: change::ATIME | change::MTIME | change::MODE,
        mode: 0o4711,
        atime: Time {
            seconds: -5,
            nanoseconds: 7,
            reserved: 0,
        },
        mtime: Time {
            seconds: 5_000_000_000,
            nanoseconds: 999_999_999,
            reserved: 0,
        },
        ..AttributeChange::default()
    };
    volume.change(file.ino, &times).expect("room");
    volume
        .unlink(directory.ino, b"second")
        .expect("it is there");
    assert_eq!(volume.rmdir(root, b"dir"), Err(Errno(39)));
    volume.sync().expect("a device");
    volume.unmount().expect("a device");
    assert!(is_clean(path));

    let mut volume = mount(path);
    let again = volume.lookup(directory.ino, b"moved").expect("moved");
    assert_eq!(
        (again.ino, again.nlink, again.mode),
        (file.ino, 1, 0o104_711)
    );
    assert_eq!((again.atime, again.mtime), (times.atime, times.mtime));
    assert_eq!(again.ctime, now());
    assert_eq!(again.size, 5000 + data.len() as u64);
    let mut read = vec![1; data.len() + 9000];
    assert_eq!(volume.read(file.ino, 0, &mut read), Ok(5000 + data.len()));
    assert!(read[..5000].iter().all(|&byte| byte == 0));
    assert!(read[8192..16384].iter().all(|&byte| byte == 0), "punched");
    assert!(read[16384..5000 + data.len()] == data[11384..]);
    assert_eq!(volume.seek(file.ino, 0, false), Ok(4096));
    assert_eq!(volume.seek(file.ino, 4096, true), Ok(8192));
    assert_eq!(volume.seek(file.ino, 8192, false), Ok(16384));
    assert_eq!(volume.seek(file.ino, 16384, true), Ok(again.size));
    assert_eq!(volume.seek(file.ino, again.size, true), Err(Errno::ENXIO));
    assert_eq!(
        volume.get_xattr(file.ino, b"user.colour"),
        Ok(b"blue".to_vec())
    );
    assert_eq!(
        volume.get_xattr(file.ino, b"user.size"),
        Err(Errno::ENODATA)
    );
    assert_eq!(volume.list_xattrs(file.ino), Ok(b"user.colour\0".to_vec()));
    let mut buffer = [0; 16];
    assert_eq!(volume.read(symlink.ino, 0, &mut buffer), Ok(5));
    assert_eq!(&buffer[..5], b"dir/x");
    let listed = names(&mut volume, directory.ino);
    assert_eq!(listed.len(), 1501);
    assert_eq!(listed[&b"moved"[..]], 0o100_000);
    volume.unlink(directory.ino, b"moved").expect("it is there");
    assert_eq!(volume.attributes(file.ino).map(|file| file.nlink), Ok(0));
    assert_eq!(
        volume.read(file.ino, 16384, &mut buffer),
        Ok(16),
        "still in use"
    );
    volume.forget(file.ino).expect("a device");
    volume.unmount().expect("a device");
    assert!(is_clean(path));
}

#[test]
fn a_disk_made_by_the_driver() {
    let directory = TempDir::new().expect("a directory");
    let path = disk(&directory, 64 << 20, false).expect("made here");
    assert!(is_clean(&path), "as made");
    exercise(&path);
}

#[test]
fn a_disk_made_by_the_host() {
    let directory = TempDir::new().expect("a directory");
    if let Some(path) = disk(&directory, 64 << 20, true) {
        exercise(&path);
    }
}

#[test]
fn what_is_no_file_system_is_refused() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("disk");
    std::fs::write(&path, vec![7; 1 << 20]).expect("room");
    let refused = Ext4Volume::mount(open(&path), false, now).map(drop);
    assert!(!refused.expect_err("no file system").reason.is_empty());
}

#[test]
fn a_full_disk_says_so_and_stays_sound() {
    let directory = TempDir::new().expect("a directory");
    let path = disk(&directory, 32 << 20, false).expect("made here");
    let mut volume = mount(&path);
    let root = volume.root();
    let file = volume
        .create(root, b"file", &new_file(0o100_600))
        .expect("room");
    let chunk = vec![1; 1 << 20];
    let mut written = 0;
    let error = loop {
        match volume.write(file.ino, written << 20, &chunk) {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 32, "more than the disk holds");
    };
    assert_eq!(error, Errno(28));
    volume.unmount().expect("a device");
    assert!(is_clean(&path));
}
