//! Neighbours, as `ip neighbour` asks for them (`struct ndmsg`, net/core/neighbour.c).

use super::message::{Message, Request, attributes};
use super::route::{family_of, octets};
use crate::errno::{Errno, Result};
use crate::net::inet::neighbours::{self, ShownNeighbour};

const NEWNEIGH: u16 = 28;
const HEADER: usize = 12;

/// `NDA_*`.
mod attribute {
    pub const DST: u16 = 1;
    pub const LLADDR: u16 = 2;
    pub const CACHEINFO: u16 = 3;
    pub const PROBES: u16 = 4;
    pub const IFINDEX: u16 = 8;
}

/// All neighbours of the IP versions that are wanted; of one interface where the request names it.
pub fn all(request: &Request<'_>, wanted: impl Fn(u32) -> bool, mut put: impl FnMut(Message)) {
    /// `NTF_PROXY`: for whom we answer in their stead, which is nobody.
    const PROXY: u8 = 8;
    if request
        .payload
        .get(10)
        .is_some_and(|flags| flags & PROXY != 0)
    {
        return;
    }
    let rest = request.payload.get(HEADER..).unwrap_or(&[]);
    let named = attributes(rest).find(|(kind, _)| *kind == attribute::IFINDEX);
    let named = named.and_then(|(_, value)| value.try_into().ok().map(u32::from_ne_bytes));
    neighbours::each(&mut |one| {
        let version = u32::from(family_of(one.neighbour.address));
        if wanted(version) && named.is_none_or(|index| index == one.index) {
            put(message(&one));
        }
    });
}

/// The one neighbour that a request names by its address and interface.
pub fn one(request: &Request<'_>) -> Result<Message> {
    let (header, rest) = request
        .payload
        .split_at_checked(HEADER)
        .ok_or(Errno::EINVAL)?;
    let index = header[4..8].try_into().map_or(0, u32::from_ne_bytes);
    let (_, asked) = attributes(rest)
        .find(|(kind, _)| *kind == attribute::DST)
        .ok_or(Errno::EINVAL)?;
    let found =
        neighbours::find(&|one| one.index == index && octets(one.neighbour.address) == asked);
    found.map(|one| message(&one)).ok_or(Errno::ENOENT)
}

fn message(one: &ShownNeighbour) -> Message {
    /// `RTN_UNICAST`.
    const UNICAST: u8 = 1;
    let neighbour = &one.neighbour;
    let mut header = [0_u8; HEADER];
    header[0] = family_of(neighbour.address);
    header[4..8].copy_from_slice(&one.index.to_ne_bytes());
    header[8] = neighbour.state as u8;
    header[11] = UNICAST;
    let mut message = Message::new(NEWNEIGH, &header);
    message.put(attribute::DST, &octets(neighbour.address));
    if let Some(mac) = neighbour.mac {
        message.put(attribute::LLADDR, &mac.0);
    }
    // `struct nda_cacheinfo`, in hundredths of a second; nothing else refers to the entry.
    let times = [neighbour.confirmed, neighbour.used, neighbour.updated];
    let [a, b, c] = times.map(|ago| u32::try_from(ago.total_millis() / 10).unwrap_or(u32::MAX));
    let facts = [a, b, c, 0].map(u32::to_ne_bytes);
    message.put(attribute::CACHEINFO, &facts.concat());
    message.put_word(attribute::PROBES, neighbour.questions.into());
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::netlink::message::{Reply, split};

    #[test]
    fn a_neighbour_is_told_as_linux_does() {
        let mut reply = Reply::new(7, 0);
        reply.one(message(&neighbours::example()));
        let datagrams = reply.into_datagrams();
        let (told, rest) = split(&datagrams[0]).expect("a message");
        assert!(rest.is_empty());
        assert_eq!(told.kind, NEWNEIGH);
        assert_eq!(
            told.payload[..HEADER],
            [2, 0, 0, 0, 2, 0, 0, 0, 0x10, 0, 0, 1]
        );
        let words = |words: [u32; 4]| words.map(u32::to_ne_bytes).concat();
        let found: alloc::vec::Vec<_> = attributes(&told.payload[HEADER..]).collect();
        assert_eq!(
            found,
            [
                (attribute::DST, &[10, 0, 2, 2][..]),
                (attribute::LLADDR, &[2, 0, 0, 0, 0, 0xa9]),
                (attribute::CACHEINFO, &words([4000, 199, 300, 0])),
                (attribute::PROBES, &2_u32.to_ne_bytes()),
            ]
        );
    }
}
