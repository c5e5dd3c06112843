//! Names of AF_UNIX sockets (unix(7)): pathnames, abstract names, and finding who bound them.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use linux_raw_sys::net::AF_UNIX;

use crate::errno::{Errno, Result};
use crate::net::address::RawAddress;
use crate::net::unix::{Style, UnixSocket, paths};
use crate::sorted_map::SortedMap;
use crate::sync::SpinLock;

/// Size of `sun_path`.
const PATH_MAX: usize = 108;

/// AF_UNIX as it stands in an address.
#[expect(clippy::cast_possible_truncation, reason = "AF_UNIX is 1")]
const FAMILY: u16 = AF_UNIX as u16;

/// What a socket can be bound to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// A path, without its NUL.
    Path(Vec<u8>),
    /// What follows the leading NUL.
    Abstract(Vec<u8>),
}

impl Name {
    /// As an address.
    pub fn to_raw(&self) -> RawAddress {
        let rest = match self {
            Self::Path(path) => [path, &b"\0"[..]].concat(),
            Self::Abstract(name) => [&b"\0"[..], name].concat(),
        };
        RawAddress::new(FAMILY, &rest)
    }

    /// The address of a socket without a name.
    pub fn unnamed() -> RawAddress {
        RawAddress::new(FAMILY, b"")
    }
}

/// What an address names.
///
/// # Errors
/// EINVAL for another family, no name at all, or one that is too long.
pub fn parse(address: &RawAddress) -> Result<Name> {
    let rest = address.rest();
    if address.family() != FAMILY || rest.is_empty() || rest.len() > PATH_MAX {
        return Err(Errno::EINVAL);
    }
    if let Some((0, name)) = rest.split_first() {
        return Ok(Name::Abstract(name.to_vec()));
    }
    let end = rest.iter().position(|&byte| byte == 0);
    Ok(Name::Path(rest[..end.unwrap_or(rest.len())].to_vec()))
}

/// Whether an address asks bind(2) to choose a name.
pub fn asks_for_any(address: &RawAddress) -> bool {
    address.family() == FAMILY && address.rest().is_empty()
}

/// Abstract names in use. Each style has its own, as in Linux: a datagram socket's name is not in a stream
/// socket's way, and not found by one.
static ABSTRACT: SpinLock<Owners> = SpinLock::new(SortedMap::new());

/// Who bound which abstract name.
type Owners = SortedMap<(Style, Vec<u8>), Weak<UnixSocket>>;

/// Binds `socket`, which has this style, to `name`.
///
/// # Errors
/// EADDRINUSE; for a path those of mknod(2).
pub fn claim(name: &Name, style: Style, socket: &Weak<UnixSocket>) -> Result<()> {
    match name {
        Name::Path(path) => paths::bind(path, socket),
        Name::Abstract(name) => claim_abstract(name, style, socket),
    }
}

fn claim_abstract(name: &[u8], style: Style, socket: &Weak<UnixSocket>) -> Result<()> {
    let key = (style, name.to_vec());
    let mut names = ABSTRACT.lock();
    if names.get(&key).is_some_and(|old| old.strong_count() > 0) {
        return Err(Errno::EADDRINUSE);
    }
    names.insert(key, Weak::clone(socket));
    Ok(())
}

/// Binds `socket` to an abstract name of five hexadecimal digits that is free.
///
/// # Errors
/// ENOSPC if all are taken.
pub fn claim_any(style: Style, socket: &Weak<UnixSocket>) -> Result<Name> {
    static NEXT: SpinLock<u32> = SpinLock::new(0);
    const ALL: u32 = 1 << 20;
    for _ in 0..ALL {
        let number = {
            let mut next = NEXT.lock();
            *next = (*next + 1) % ALL;
            *next
        };
        let name = alloc::format!("{number:05x}").into_bytes();
        if claim_abstract(&name, style, socket).is_ok() {
            return Ok(Name::Abstract(name));
        }
    }
    Err(Errno::ENOSPC)
}

/// Gives `name` back. The file of a path stays, as in Linux.
pub fn release(name: &Name, style: Style, socket: &Weak<UnixSocket>) {
    if let Name::Abstract(name) = name {
        let key = (style, name.clone());
        let mut names = ABSTRACT.lock();
        if names.get(&key).is_some_and(|owner| owner.ptr_eq(socket)) {
            names.remove(&key);
        }
    }
}

/// The socket of this style that is bound to `name`.
///
/// # Errors
/// ECONNREFUSED if none is; for a path those of a path walk, EACCES without write permission, EPROTOTYPE for a
/// socket of another style.
pub fn find(name: &Name, style: Style) -> Result<Arc<UnixSocket>> {
    match name {
        Name::Path(path) => {
            let found = paths::find(path)?;
            if found.style == style {
                Ok(found)
            } else {
                Err(Errno::EPROTOTYPE)
            }
        }
        Name::Abstract(name) => {
            let names = ABSTRACT.lock();
            let owner = names.get(&(style, name.clone()));
            owner.and_then(Weak::upgrade).ok_or(Errno::ECONNREFUSED)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_decoded() {
        for (rest, expected) in [
            (&b"/a\0junk"[..], Ok(Name::Path(b"/a".to_vec()))),
            (b"/a", Ok(Name::Path(b"/a".to_vec()))),
            (b"\0x\0y", Ok(Name::Abstract(b"x\0y".to_vec()))),
            (b"\0", Ok(Name::Abstract(Vec::new()))),
            (b"", Err(Errno::EINVAL)),
            (&[b'x'; 109], Err(Errno::EINVAL)),
        ] {
            assert_eq!(parse(&RawAddress::new(FAMILY, rest)), expected);
        }
        assert_eq!(parse(&RawAddress::new(2, b"/a")), Err(Errno::EINVAL));
    }

    #[test]
    fn addresses_are_encoded_as_linux_does() {
        let path = Name::Path(b"/a".to_vec()).to_raw();
        assert_eq!(path.bytes(), b"\x01\0/a\0");
        let name = Name::Abstract(b"x".to_vec()).to_raw();
        assert_eq!(name.bytes(), b"\x01\0\0x");
        assert_eq!(Name::unnamed().bytes(), b"\x01\0");
    }
}
