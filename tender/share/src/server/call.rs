//! A request, and reading its parts.

use libos_abi::fuse::NAME_MAX;
use libos_abi::fuse::messages::InHeader;
use libos_abi::fuse::wire::Wire;
use rustix::io::{Errno, Result};
use std::ffi::CStr;

/// A request.
pub struct Call<'a> {
    /// Its header.
    pub header: &'a InHeader,
    /// What follows.
    pub body: &'a [u8],
}

impl<'a> Call<'a> {
    /// A request with what follows its header.
    pub fn new(header: &'a InHeader, body: &'a [u8]) -> Self {
        Self { header, body }
    }

    /// The structure that it begins with, and what follows that.
    ///
    /// # Errors
    /// EINVAL if it is too short.
    pub fn read<T: Wire>(&self) -> Result<(T, &'a [u8])> {
        T::take(self.body).ok_or(Errno::INVAL)
    }
}

/// A text that ends with a NUL, and what follows it.
///
/// # Errors
/// EINVAL if there is no NUL.
pub fn text(bytes: &[u8]) -> Result<(&CStr, &[u8])> {
    let text = CStr::from_bytes_until_nul(bytes).map_err(|_| Errno::INVAL)?;
    let rest = bytes.get(text.count_bytes() + 1..).unwrap_or_default();
    Ok((text, rest))
}

/// The name of an entry: one that leads from a directory to what is in it, and nowhere else.
///
/// # Errors
/// EINVAL for a path, `.`, `..`, and nothing; ENAMETOOLONG.
pub fn name(bytes: &[u8]) -> Result<(&CStr, &[u8])> {
    let (name, rest) = text(bytes)?;
    match name.to_bytes() {
        b"" | b"." | b".." => Err(Errno::INVAL),
        long if long.len() > NAME_MAX => Err(Errno::NAMETOOLONG),
        path if path.contains(&b'/') => Err(Errno::INVAL),
        _ => Ok((name, rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_component() {
        let (found, rest) = name(b"a b\0rest").expect("a name");
        assert_eq!((found, rest), (c"a b", &b"rest"[..]));
        for bad in [
            &b"\0"[..],
            b".\0",
            b"..\0",
            b"a/b\0",
            b"/\0",
            b"a/\0",
            b"../a\0",
            b"no end",
            b"",
        ] {
            assert_eq!(name(bad), Err(Errno::INVAL), "{bad:?}");
        }
        for (len, expected) in [(255, None), (256, Some(Errno::NAMETOOLONG))] {
            let mut long = vec![b'n'; len];
            long.push(0);
            assert_eq!(name(&long).err(), expected);
        }
        assert!(name(b"...\0").is_ok());
    }
}
