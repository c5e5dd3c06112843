//! The Redis protocol, version 2: finding commands in a buffer, writing answers into one.
//!
//! A command is an array of strings (`*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`) or a line of words (`GET k\r\n`).
//! Nothing is copied: the words of a command are ranges of the buffer.

use std::ops::Range;

/// The longest word, in bytes.
const MOST_BYTES: usize = 64 << 20;
/// The most words of a command.
const MOST_WORDS: usize = 1 << 20;
/// The longest line: a number, or a command as a line of words.
const LONGEST_LINE: usize = 64 << 10;

#[derive(Debug, PartialEq)]
pub enum Parsed {
    /// The buffer ends before the command does.
    Partial,
    /// The buffer begins with a command of this many bytes, whose words were found. It may have none.
    Command { length: usize },
    /// This is not the protocol.
    Refused(&'static str),
}

/// The words of one command: its name, then its arguments.
#[derive(Clone, Copy)]
pub struct Command<'a> {
    bytes: &'a [u8],
    words: &'a [Range<usize>],
}

impl<'a> Command<'a> {
    pub fn new(bytes: &'a [u8], words: &'a [Range<usize>]) -> Self {
        Self { bytes, words }
    }

    /// The name and the arguments.
    pub fn len(self) -> usize {
        self.words.len()
    }

    /// Word 0 is the name. An empty word, where there are not as many.
    pub fn word(self, at: usize) -> &'a [u8] {
        let range = self.words.get(at).cloned().unwrap_or_default();
        self.bytes.get(range).unwrap_or_default()
    }

    pub fn words_from(self, first: usize) -> impl Iterator<Item = &'a [u8]> {
        (first..self.len()).map(move |at| self.word(at))
    }
}

/// Looks for a command at the beginning of the buffer, and writes where its words are.
pub fn parse(buffer: &[u8], words: &mut Vec<Range<usize>>) -> Parsed {
    words.clear();
    match buffer.first() {
        None => Parsed::Partial,
        Some(b'*') => parse_array(buffer, words),
        Some(_) => parse_line(buffer, words),
    }
}

fn parse_array(buffer: &[u8], words: &mut Vec<Range<usize>>) -> Parsed {
    let (count, mut at) = match number(buffer, 1) {
        Ok(Some(found)) => found,
        Ok(None) => return Parsed::Partial,
        Err(reason) => return Parsed::Refused(reason),
    };
    if count > MOST_WORDS {
        return Parsed::Refused("invalid multibulk length");
    }
    for _ in 0..count {
        match buffer.get(at) {
            None => return Parsed::Partial,
            Some(b'$') => {}
            Some(_) => return Parsed::Refused("expected '$'"),
        }
        let (length, start) = match number(buffer, at + 1) {
            Ok(Some(found)) => found,
            Ok(None) => return Parsed::Partial,
            Err(reason) => return Parsed::Refused(reason),
        };
        if length > MOST_BYTES {
            return Parsed::Refused("invalid bulk length");
        }
        let end = start + length;
        match buffer.get(end..end + 2) {
            None => return Parsed::Partial,
            Some(b"\r\n") => words.push(start..end),
            Some(_) => return Parsed::Refused("expected a line end after a string"),
        }
        at = end + 2;
    }
    Parsed::Command { length: at }
}

/// The number that begins at `start` and the place after its line; None where its line has no end yet.
fn number(buffer: &[u8], start: usize) -> Result<Option<(usize, usize)>, &'static str> {
    let mut value = 0_usize;
    for (at, &byte) in buffer.iter().enumerate().skip(start) {
        match byte {
            b'0'..=b'9' => {
                let digit = usize::from(byte - b'0');
                value = value.saturating_mul(10).saturating_add(digit);
            }
            b'\r' if at > start => {
                return match buffer.get(at + 1) {
                    None => Ok(None),
                    Some(b'\n') => Ok(Some((value, at + 2))),
                    Some(_) => Err("expected a line end after a number"),
                };
            }
            _ => return Err("expected a number"),
        }
        if at - start > LONGEST_LINE {
            return Err("too long a number");
        }
    }
    Ok(None)
}

fn parse_line(buffer: &[u8], words: &mut Vec<Range<usize>>) -> Parsed {
    let Some(end) = buffer
        .iter()
        .take(LONGEST_LINE)
        .position(|&byte| byte == b'\n')
    else {
        let too_long = buffer.len() >= LONGEST_LINE;
        return if too_long {
            Parsed::Refused("too big inline request")
        } else {
            Parsed::Partial
        };
    };
    let mut start = None;
    for (at, byte) in buffer.iter().enumerate().take(end + 1) {
        match (byte.is_ascii_whitespace(), start) {
            (false, None) => start = Some(at),
            (true, Some(first)) => {
                words.push(first..at);
                start = None;
            }
            _ => {}
        }
    }
    Parsed::Command { length: end + 1 }
}

pub fn simple(out: &mut Vec<u8>, text: &str) {
    out.push(b'+');
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// The text must not hold a line end.
pub fn error(out: &mut Vec<u8>, text: &str) {
    out.push(b'-');
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

pub fn integer(out: &mut Vec<u8>, value: i64) {
    marked_number(out, b':', value);
}

pub fn array(out: &mut Vec<u8>, count: usize) {
    marked_number(out, b'*', i64::try_from(count).unwrap_or(i64::MAX));
}

/// A string, or the answer that there is none.
pub fn bulk(out: &mut Vec<u8>, text: Option<&[u8]>) {
    let Some(text) = text else {
        return out.extend_from_slice(b"$-1\r\n");
    };
    marked_number(out, b'$', i64::try_from(text.len()).unwrap_or(i64::MAX));
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

fn marked_number(out: &mut Vec<u8>, mark: u8, value: i64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b"0123456789"[usize::try_from(rest % 10).unwrap_or(0)];
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.push(mark);
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words_of(buffer: &[u8]) -> (Parsed, Vec<Vec<u8>>) {
        let mut words = Vec::new();
        let parsed = parse(buffer, &mut words);
        let command = Command::new(buffer, &words);
        (parsed, command.words_from(0).map(<[u8]>::to_vec).collect())
    }

    #[test]
    fn an_array_is_found_and_what_follows_is_left() {
        let (parsed, words) = words_of(b"*2\r\n$3\r\nGET\r\n$0\r\n\r\nmore");
        assert_eq!(parsed, Parsed::Command { length: 19 });
        assert_eq!(words, [b"GET".to_vec(), Vec::new()]);
    }

    #[test]
    fn every_beginning_of_a_command_is_partial() {
        let whole = b"*2\r\n$4\r\nECHO\r\n$5\r\na\r\nbc\r\n";
        for length in 0..whole.len() {
            assert_eq!(
                words_of(&whole[..length]).0,
                Parsed::Partial,
                "of {length} bytes"
            );
        }
        assert_eq!(words_of(whole).1[1], b"a\r\nbc");
    }

    #[test]
    fn a_line_of_words_is_a_command_and_so_is_an_empty_line() {
        let (parsed, words) = words_of(b"set  key value\r\n");
        assert_eq!(parsed, Parsed::Command { length: 16 });
        assert_eq!(words, [b"set".to_vec(), b"key".to_vec(), b"value".to_vec()]);
        assert_eq!(words_of(b"\r\n"), (Parsed::Command { length: 2 }, vec![]));
    }

    #[test]
    fn what_is_not_the_protocol_is_refused() {
        for wrong in [
            b"*x\r\n".as_slice(),
            b"*\r\n",
            b"*1\r\n:1\r\n",
            b"*99999999999999999999999\r\n",
            b"*1\r\n$99999999999999999999999\r\n",
            b"*1\r\n$-1\r\n",
            b"*1\r\n$1\r\nab\r\n",
        ] {
            let refused = matches!(words_of(wrong).0, Parsed::Refused(_));
            assert!(refused, "{}", String::from_utf8_lossy(wrong));
        }
        assert!(matches!(
            words_of(&[b'a'; LONGEST_LINE]).0,
            Parsed::Refused(_)
        ));
    }

    #[test]
    fn answers_are_written_as_the_protocol_asks() {
        let mut out = Vec::new();
        simple(&mut out, "OK");
        integer(&mut out, 0);
        integer(&mut out, i64::MIN);
        array(&mut out, 12);
        bulk(&mut out, Some(b"ab"));
        bulk(&mut out, None);
        let expected = b"+OK\r\n:0\r\n:-9223372036854775808\r\n*12\r\n$2\r\nab\r\n$-1\r\n";
        assert_eq!(out, expected);
    }
}
