//! Netlink messages (netlink(7)) as bytes: taken apart, put together.

use alloc::vec::Vec;

/// Length of a `struct nlmsghdr`.
pub const HEADER: usize = 16;

/// Flags of a message, `NLM_F_*`.
pub mod flag {
    pub const REQUEST: u16 = 0x1;
    pub const MULTI: u16 = 0x2;
    pub const ACK: u16 = 0x4;
    pub const DUMP: u16 = 0x300;
    pub const CAPPED: u16 = 0x100;
}

/// Types of control messages.
pub const ERROR: u16 = 2;
/// The end of a dump.
pub const DONE: u16 = 3;
/// Types below are control messages.
pub const LEAST_TYPE: u16 = 16;

/// How many bytes of a dump go into one datagram: what Linux puts into one, whose readers use
/// buffers of a page (`NLMSG_GOODSIZE`).
const DATAGRAM: usize = 3712;

/// One message of a request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Its type.
    pub kind: u16,
    /// See [`flag`].
    pub flags: u16,
    /// Sequence number.
    pub sequence: u32,
    /// What follows the header.
    pub payload: &'a [u8],
    /// All of it.
    pub bytes: &'a [u8],
}

/// The first message of `bytes`, and what follows it; none if the length makes no sense.
pub fn split(bytes: &[u8]) -> Option<(Request<'_>, &[u8])> {
    let word = |at: usize| -> Option<u32> {
        let bytes = bytes.get(at..at + 4)?;
        bytes.try_into().ok().map(u32::from_ne_bytes)
    };
    let half = |at: usize| -> Option<u16> {
        let bytes = bytes.get(at..at + 2)?;
        bytes.try_into().ok().map(u16::from_ne_bytes)
    };
    let len = usize::try_from(word(0)?).ok()?;
    let whole = bytes.get(..len).filter(|whole| whole.len() >= HEADER)?;
    let request = Request {
        kind: half(4)?,
        flags: half(6)?,
        sequence: word(8)?,
        payload: &whole[HEADER..],
        bytes: whole,
    };
    let next = len.next_multiple_of(4).min(bytes.len());
    Some((request, &bytes[next..]))
}

/// The attributes in `bytes`, type and value, up to the first that makes no sense.
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    /// Bits of the type that say how the value is encoded.
    const ENCODING: u16 = 0xc000;
    core::iter::from_fn(move || {
        let (header, _) = bytes.split_first_chunk::<4>()?;
        let [a, b, c, d] = *header;
        let len = usize::from(u16::from_ne_bytes([a, b]));
        let value = bytes.get(4..len)?;
        let kind = u16::from_ne_bytes([c, d]) & !ENCODING;
        bytes = &bytes[len.next_multiple_of(4).min(bytes.len())..];
        Some((kind, value))
    })
}

/// A message being put together.
pub struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// One of `kind`, with the family's own header.
    pub fn new(kind: u16, header: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&[0; 10]);
        bytes.extend_from_slice(header);
        Self { bytes }
    }

    /// Adds an attribute.
    pub fn put(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        let len = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&len.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }

    /// Adds an attribute that is a number of 32 bits.
    pub fn put_word(&mut self, kind: u16, value: u32) -> &mut Self {
        self.put(kind, &value.to_ne_bytes())
    }

    /// Adds an attribute that is a string.
    pub fn put_string(&mut self, kind: u16, value: &str) -> &mut Self {
        self.put(kind, &[value.as_bytes(), b"\0"].concat())
    }

    fn finish(mut self, flags: u16, sequence: u32, port: u32) -> Vec<u8> {
        let len = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.bytes[0..4].copy_from_slice(&len.to_ne_bytes());
        self.bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.bytes[12..16].copy_from_slice(&port.to_ne_bytes());
        self.bytes
    }
}

/// The datagrams that answer one request.
pub struct Reply {
    datagrams: Vec<Vec<u8>>,
    sequence: u32,
    port: u32,
}

impl Reply {
    /// None yet, to the socket with port id `port`.
    pub fn new(sequence: u32, port: u32) -> Self {
        Self {
            datagrams: Vec::new(),
            sequence,
            port,
        }
    }

    /// Adds a single answer.
    pub fn one(&mut self, message: Message) {
        let bytes = message.finish(0, self.sequence, self.port);
        self.datagrams.push(bytes);
    }

    /// Adds a part of a dump.
    pub fn part(&mut self, message: Message) {
        let bytes = message.finish(flag::MULTI, self.sequence, self.port);
        match self.datagrams.last_mut() {
            Some(last) if last.len() + bytes.len() <= DATAGRAM => last.extend_from_slice(&bytes),
            _ => self.datagrams.push(bytes),
        }
    }

    /// Ends a dump.
    pub fn done(&mut self) {
        self.part(Message::new(DONE, &[0; 4]));
    }

    /// Adds the verdict on `request`: 0 or an error number. A refused request is quoted in full
    /// unless `capped`.
    pub fn verdict(&mut self, request: &Request<'_>, error: u16, capped: bool) {
        let quoted = if capped || error == 0 {
            &request.bytes[..HEADER]
        } else {
            request.bytes
        };
        let number = (-i32::from(error)).to_ne_bytes();
        let message = Message::new(ERROR, &[&number[..], quoted].concat());
        let flags = if capped { flag::CAPPED } else { 0 };
        let bytes = message.finish(flags, self.sequence, self.port);
        self.datagrams.push(bytes);
    }

    /// The datagrams.
    pub fn into_datagrams(self) -> Vec<Vec<u8>> {
        self.datagrams
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_split_and_nonsense_ends_them() {
        let mut first = Message::new(18, &[0; 3]);
        first.put_string(3, "lo");
        let mut bytes = first.finish(flag::REQUEST, 7, 0);
        assert_eq!(
            bytes.len(),
            16 + 3 + 8 + 1,
            "padded where an attribute ends"
        );
        bytes.extend(Message::new(22, &[2]).finish(flag::REQUEST | flag::DUMP, 8, 0));
        let (request, rest) = split(&bytes).expect("the first");
        assert_eq!((request.kind, request.sequence), (18, 7));
        let (request, rest) = split(rest).expect("the second");
        assert_eq!((request.kind, request.payload), (22, &[2][..]));
        assert!(rest.is_empty() && split(rest).is_none());
        let mut bad = Message::new(18, &[]).finish(0, 0, 0);
        bad[0] = 15;
        assert!(split(&bad).is_none(), "shorter than a header");
        bad[0] = 17;
        assert!(split(&bad).is_none(), "longer than what is there");
    }

    #[test]
    fn attributes_are_walked_and_nonsense_ends_them() {
        let mut message = Message::new(0, &[]);
        message.put_word(1, 5).put_string(2, "ab");
        let mut bytes = message.finish(0, 0, 0).split_off(HEADER);
        bytes.extend_from_slice(&[3, 0, 1, 0]);
        let found: Vec<_> = attributes(&bytes).collect();
        assert_eq!(found, [(1, &[5, 0, 0, 0][..]), (2, b"ab\0")]);
    }

    #[test]
    fn dumps_are_cut_into_datagrams() {
        let mut reply = Reply::new(1, 2);
        for _ in 0..40 {
            reply.part(Message::new(16, &[0; 184]));
        }
        reply.done();
        let datagrams = reply.into_datagrams();
        let lens: Vec<_> = datagrams.iter().map(Vec::len).collect();
        assert_eq!(lens, [3600, 3600, 820], "18 of 200 bytes each, and the end");
    }
}
