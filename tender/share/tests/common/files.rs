//! The same operations on the shared folder and on a folder of the host, to be compared.

mod direct;
pub mod random;
mod shared;

pub use direct::Direct;
pub use shared::Shared;

use std::path::Path;

/// What an operation answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Done,
    Number(u64),
    Bytes(Vec<u8>),
    /// Type, permissions, names, size, owner, group; modification time if it was set.
    Stat([u64; 7]),
    Names(Vec<(String, u32)>),
}

#[derive(Clone, Debug)]
pub enum Operation {
    Stat(String),
    Mkdir(String, u32),
    Rmdir(String),
    Unlink(String),
    /// Opens with these flags and permissions, writes there, and closes.
    Write(String, i32, u32, u64, Vec<u8>),
    Read(String, u64, u32),
    Truncate(String, u64),
    Rename(String, String, u32),
    Link(String, String),
    Symlink(String, String),
    Readlink(String),
    Chmod(String, u32),
    Chown(String, u32, u32),
    Times(String, i64, u32),
    SetXattr(String, String, Vec<u8>, u32),
    GetXattr(String, String),
    ListXattr(String),
    RemoveXattr(String, String),
    Fallocate(String, u32, u64, u64),
    Seek(String, u64, u32),
    List(String),
    Mkfifo(String, u32),
    Access(String, u32),
    Sync(String),
}

use Operation::*;

/// Modification times before this were set by a test: those of now are not compared.
const LONG_AGO: i64 = 1_000_000_000;

fn set_time(seconds: i64, nanoseconds: u64) -> u64 {
    if seconds < LONG_AGO {
        seconds.cast_unsigned().wrapping_mul(1_000_000_000) + nanoseconds
    } else {
        0
    }
}

/// Everything below a folder, as the host sees it.
pub fn tree(path: &Path) -> Vec<(String, Value, Vec<u8>)> {
    let direct = Direct(path.to_owned());
    let mut found = Vec::new();
    let mut left = vec![String::new()];
    while let Some(directory) = left.pop() {
        let Ok(Value::Names(names)) = direct.run(&List(directory.clone())) else {
            panic!("a directory");
        };
        for (name, kind) in names {
            if name == "." || name == ".." {
                continue;
            }
            let path = format!("{directory}{name}");
            let stat = direct.run(&Stat(path.clone())).expect("an entry");
            let content = match kind {
                4 => {
                    left.push(format!("{path}/"));
                    Vec::new()
                }
                8 => std::fs::read(direct.at(&path)).expect("a file"),
                10 => match direct.run(&Readlink(path.clone())) {
                    Ok(Value::Bytes(target)) => target,
                    other => panic!("{other:?}"),
                },
                _ => Vec::new(),
            };
            found.push((path, stat, content));
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}
