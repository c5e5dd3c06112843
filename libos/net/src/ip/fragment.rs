//! Cuts packets of ours into fragments (RFC 791, section 3.2; RFC 8200, section 4.5).

use alloc::vec::Vec;

use super::header::{IPV4_HEADER_LEN, IPV6_HEADER_LEN, protocol, set_ipv4_checksum};
use super::interface::HEADROOM;

/// Length of an IPv6 fragment header in bytes.
pub(crate) const FRAGMENT_HEADER_LEN: usize = 8;

/// Cuts `packet`, which has neither options nor extension headers, into fragments of at most `mtu` bytes. Each
/// is built behind [`HEADROOM`] bytes in `piece` and handed to `each`. False if `mtu` is too small.
pub(crate) fn fragment(
    packet: &[u8],
    mtu: usize,
    identification: u32,
    piece: &mut Vec<u8>,
    each: &mut dyn FnMut(&mut [u8]),
) -> bool {
    let is_v4 = packet.first().is_some_and(|first| first >> 4 == 4);
    let (header_len, added) = if is_v4 {
        (IPV4_HEADER_LEN, 0)
    } else {
        (IPV6_HEADER_LEN, FRAGMENT_HEADER_LEN)
    };
    let Some((header, payload)) = packet.split_at_checked(header_len) else {
        return false;
    };
    // All but the last are multiples of eight bytes.
    let room = mtu.saturating_sub(header_len + added) & !7;
    if room == 0 {
        return false;
    }
    for (index, chunk) in payload.chunks(room).enumerate() {
        let offset = index * room;
        let more = offset + chunk.len() < payload.len();
        let Ok(place) = u16::try_from(offset) else {
            return false;
        };
        piece.clear();
        piece.resize(HEADROOM, 0);
        piece.extend_from_slice(header);
        if !is_v4 {
            piece.extend_from_slice(&fragment_header(header, place, more, identification));
        }
        piece.extend_from_slice(chunk);
        if let Some(fragment) = piece.get_mut(HEADROOM..) {
            if is_v4 {
                mend_ipv4(fragment, place, more);
            } else {
                mend_ipv6(fragment);
            }
        }
        each(piece);
    }
    true
}

fn fragment_header(
    header: &[u8],
    place: u16,
    more: bool,
    identification: u32,
) -> [u8; FRAGMENT_HEADER_LEN] {
    let next = header.get(6).copied().unwrap_or(protocol::NO_NEXT);
    let [a, b] = (place | u16::from(more)).to_be_bytes();
    let [c, d, e, f] = identification.to_be_bytes();
    [next, 0, a, b, c, d, e, f]
}

fn mend_ipv4(fragment: &mut [u8], place: u16, more: bool) {
    let total = u16::try_from(fragment.len()).unwrap_or(0);
    let Some(header) = fragment.get_mut(..IPV4_HEADER_LEN) else {
        return;
    };
    let place = (place / 8) | (u16::from(more) << 13);
    header[2..4].copy_from_slice(&total.to_be_bytes());
    header[6..8].copy_from_slice(&place.to_be_bytes());
    set_ipv4_checksum(header);
}

fn mend_ipv6(fragment: &mut [u8]) {
    let payload = fragment.len().saturating_sub(IPV6_HEADER_LEN);
    let payload = u16::try_from(payload).unwrap_or(0);
    if let Some(header) = fragment.get_mut(..IPV6_HEADER_LEN) {
        header[4..6].copy_from_slice(&payload.to_be_bytes());
        header[6] = protocol::FRAGMENT;
    }
}
