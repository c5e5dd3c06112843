//! Socket addresses, as the application passes them: a family and bytes.

use alloc::vec::Vec;

use crate::errno::{Errno, Result};
use crate::user::UserPtr;

/// Size of `struct sockaddr_storage`: the longest address there is.
pub const MAX_LEN: usize = 128;

/// An address of any family, undecoded. At least the two bytes of the family, at most [`MAX_LEN`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawAddress {
    bytes: Vec<u8>,
}

impl RawAddress {
    /// From a family and what follows it.
    pub fn new(family: u16, rest: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(2 + rest.len());
        bytes.extend_from_slice(&family.to_ne_bytes());
        bytes.extend_from_slice(rest);
        bytes.truncate(MAX_LEN);
        Self { bytes }
    }

    /// Copies an address in.
    ///
    /// # Errors
    /// EINVAL for a length that is negative, too short for a family or too long; EFAULT.
    pub fn read(place: UserPtr<u8>, len: i32) -> Result<Self> {
        let len = usize::try_from(len).map_err(|_| Errno::EINVAL)?;
        if !(2..=MAX_LEN).contains(&len) {
            return Err(Errno::EINVAL);
        }
        let bytes = place.read_vec(len)?;
        Ok(Self { bytes })
    }

    /// Copies it out, as much as the application's buffer takes, and its full length.
    ///
    /// # Errors
    /// EINVAL for a negative length, EFAULT.
    pub fn write(&self, place: UserPtr<u8>, len_place: UserPtr<i32>) -> Result<()> {
        let room = usize::try_from(len_place.read()?).map_err(|_| Errno::EINVAL)?;
        place.write_slice(&self.bytes[..room.min(self.bytes.len())])?;
        len_place.write(i32::try_from(self.bytes.len()).map_err(|_| Errno::EINVAL)?)
    }

    /// The family.
    pub fn family(&self) -> u16 {
        u16::from_ne_bytes([self.bytes[0], self.bytes[1]])
    }

    /// What follows the family.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[2..]
    }

    /// All of it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_cut_to_the_buffer_but_tell_their_length() {
        let address = RawAddress::new(1, b"/tmp/x\0");
        let (mut buffer, mut len) = ([0xff_u8; 16], 5_i32);
        let place = UserPtr::new(buffer.as_mut_ptr() as usize);
        let len_place = UserPtr::new(&raw mut len as usize);
        assert_eq!(address.write(place, len_place), Ok(()));
        assert_eq!(len, 9);
        assert_eq!(&buffer[..6], b"\x01\0/tm\xff");
    }

    #[test]
    fn lengths_are_checked() {
        let place = UserPtr::new(b"\x01\0abc".as_ptr() as usize);
        for len in [-1, 0, 1, 129] {
            assert_eq!(RawAddress::read(place, len), Err(Errno::EINVAL), "{len}");
        }
        let address = RawAddress::read(place, 5).expect("readable");
        assert_eq!((address.family(), address.rest()), (1, &b"abc"[..]));
        assert_eq!(RawAddress::read(UserPtr::new(0), 5), Err(Errno::EFAULT));
    }
}
