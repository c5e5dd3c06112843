//! The Internet checksum (RFC 1071) over transport segments and IPv4 headers.
//!
//! Sums are without the final complement, as smoltcp's `checksum` module has them.

use core::net::IpAddr;

use smoltcp::wire::{IpProtocol, checksum};

use crate::bytes::u16_at;

/// The sum of the pseudo header for `len` bytes of `protocol`; zero for addresses of two families.
pub fn pseudo_header(source: IpAddr, destination: IpAddr, protocol: u8, len: usize) -> u16 {
    let Ok(len) = u32::try_from(len) else {
        return 0;
    };
    let protocol = IpProtocol::from(protocol);
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            checksum::pseudo_header_v4(&source, &destination, protocol, len)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            checksum::pseudo_header_v6(&source, &destination, protocol, len)
        }
        _ => 0,
    }
}

/// The sum of `segment` with its pseudo header: all ones if a checksum in it is right.
pub fn transport(source: IpAddr, destination: IpAddr, protocol: u8, segment: &[u8]) -> u16 {
    checksum::combine(&[
        pseudo_header(source, destination, protocol, segment.len()),
        checksum::data(segment),
    ])
}

/// Whether the checksum inside `segment` is right.
pub fn is_good(source: IpAddr, destination: IpAddr, protocol: u8, segment: &[u8]) -> bool {
    transport(source, destination, protocol, segment) == 0xffff
}

/// Whether bytes that contain their own checksum, without a pseudo header, are right.
pub fn is_good_alone(bytes: &[u8]) -> bool {
    checksum::data(bytes) == 0xffff
}

/// Writes into the field at `at` the checksum of `bytes` and of what `sum` already has. A field that
/// is not inside is left.
pub fn fill(bytes: &mut [u8], at: usize, sum: u16) {
    put(bytes, at, 0);
    let value = !checksum::combine(&[sum, checksum::data(bytes)]);
    put(bytes, at, value);
}

/// As [`fill`] for UDP, whose zero says that there is no checksum.
pub fn fill_udp(bytes: &mut [u8], at: usize, sum: u16) {
    fill(bytes, at, sum);
    if u16_at(bytes, at) == Some(0) {
        put(bytes, at, 0xffff);
    }
}

/// Writes `value` at `at` if it fits.
fn put(bytes: &mut [u8], at: usize, value: u16) {
    if let Some(field) = bytes.get_mut(at..at.saturating_add(2)) {
        field.copy_from_slice(&value.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_is_good_and_damage_is_seen() {
        let addresses = [("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")];
        for (source, destination) in addresses {
            let (source, destination) = (
                source.parse().expect("an address"),
                destination.parse().expect("an address"),
            );
            let mut segment = *b"\x12\x34\x00\x35\x00\x0d\x00\x00hello";
            let sum = pseudo_header(source, destination, 17, segment.len());
            fill_udp(&mut segment, 6, sum);
            assert!(is_good(source, destination, 17, &segment));
            segment[9] ^= 1;
            assert!(!is_good(source, destination, 17, &segment));
        }
    }

    #[test]
    fn fields_outside_are_left() {
        let mut bytes = [1, 2, 3];
        fill(&mut bytes, 2, 0);
        fill(&mut bytes, usize::MAX, 0);
        assert_eq!(bytes, [1, 2, 3]);
    }
}
