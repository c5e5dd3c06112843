//! A share's channel against a server that is written down, and one that talks nonsense.

use super::*;
use libos_abi::fuse::messages::{Attr, InHeader, OutHeader};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

fn index(position: u64) -> usize {
    usize::try_from(position).expect("a small file")
}

/// What a server does with a request.
type Answer = dyn FnMut(&InHeader, &[u8]) -> Vec<u8> + Send;

/// A stream to a closure, which gives and takes few bytes at a time.
struct Script {
    answer: Box<Answer>,
    request: Vec<u8>,
    waiting: VecDeque<u8>,
    is_gone: bool,
    now: u64,
}

impl Link for Script {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.now += 1000;
        if self.waiting.is_empty() {
            return if self.is_gone {
                Ok(0)
            } else {
                Err(Errno::EAGAIN)
            };
        }
        let count = buffer.len().min(self.waiting.len()).min(50_000);
        for (place, byte) in buffer.iter_mut().zip(self.waiting.drain(..count)) {
            *place = byte;
        }
        Ok(count)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        if self.is_gone {
            return Err(Errno::EPIPE);
        }
        let count = bytes.len().min(3000);
        self.request.extend_from_slice(&bytes[..count]);
        let header = InHeader::get(&self.request);
        if let Some(header) = header.filter(|header| self.request.len() == index(header.len.into()))
        {
            let body = self.request.split_off(InHeader::LEN);
            self.request.clear();
            self.waiting.extend((self.answer)(&header, &body));
        }
        Ok(count)
    }

    fn wait(&mut self, _to_send: bool) {
        // Nobody would wake it up: this server answers at once, or never.
        self.is_gone = self.waiting.is_empty();
    }

    fn now(&self) -> u64 {
        self.now
    }
}

fn reply(header: &InHeader, error: i32, body: &[u8]) -> Vec<u8> {
    let out = OutHeader {
        len: u32::try_from(OutHeader::LEN + body.len()).expect("short"),
        error,
        unique: header.unique,
    };
    [&out.to_bytes(), body].concat()
}

fn connect(mut answer: impl FnMut(&InHeader, &[u8]) -> Vec<u8> + Send + 'static) -> ShareVolume {
    let script = Script {
        answer: Box::new(move |header, body| match header.opcode {
            opcode::INIT => {
                let out = InitOut {
                    major: MAJOR,
                    minor: MINOR,
                    max_write: 1 << 20,
                    ..InitOut::default()
                };
                reply(header, 0, &out.to_bytes())
            }
            _ => answer(header, body),
        }),
        request: Vec::new(),
        waiting: VecDeque::new(),
        is_gone: false,
        now: 0,
    };
    ShareVolume::connect(Box::new(script), false).expect("a server of this version")
}

fn entry(nodeid: u64, mode: u32) -> [u8; EntryOut::LEN] {
    let attr = Attr {
        ino: 77,
        mode,
        size: 5,
        ..Attr::default()
    };
    EntryOut {
        nodeid,
        attr,
        ..EntryOut::default()
    }
    .to_bytes()
}

#[test]
fn lookups_and_handles_are_given_back_as_often_as_they_were_taken() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    let mut share = connect(move |header, body| {
        heard
            .lock()
            .expect("a list")
            .push((header.opcode, header.nodeid));
        match header.opcode {
            opcode::LOOKUP => {
                assert_eq!(body, b"name\0");
                reply(header, 0, &entry(9, 0o100_644))
            }
            opcode::OPEN => {
                let out = OpenOut {
                    fh: 4,
                    ..OpenOut::default()
                };
                reply(header, 0, &out.to_bytes())
            }
            opcode::RELEASE => {
                assert_eq!(ReleaseIn::get(body).expect("a structure").fh, 4);
                reply(header, 0, &[])
            }
            opcode::FORGET => {
                assert_eq!(ForgetIn::get(body).expect("a structure").nlookup, 2);
                Vec::new()
            }
            other => panic!("{other}"),
        }
    });
    for _ in 0..2 {
        let found = share.lookup(1, b"name").expect("a name");
        assert_eq!((found.number, found.attributes.ino), (9, 77));
    }
    share.open(9, true).expect("a file");
    share.open(9, false).expect("the same handle");
    share.forget(9).expect("a server");
    share.forget(9).expect("nothing to give back");
    let expected = [
        (opcode::LOOKUP, 1),
        (opcode::LOOKUP, 1),
        (opcode::OPEN, 9),
        (opcode::RELEASE, 9),
        (opcode::FORGET, 9),
    ];
    assert_eq!(*told.lock().expect("a list"), expected);
}

#[test]
fn long_data_passes_both_ways() {
    let mut file: Vec<u8> = Vec::new();
    let mut share = connect(move |header, body| match header.opcode {
        opcode::OPEN => reply(header, 0, &OpenOut::default().to_bytes()),
        opcode::WRITE => {
            let (wanted, data) = WriteIn::take(body).expect("a structure");
            assert_eq!(
                (index(wanted.offset), index(wanted.size.into())),
                (file.len(), data.len())
            );
            // Less than what was given, once.
            let data = if file.is_empty() { &data[..1000] } else { data };
            file.extend_from_slice(data);
            let out = WriteOut {
                size: u32::try_from(data.len()).expect("short"),
                padding: 0,
            };
            reply(header, 0, &out.to_bytes())
        }
        opcode::READ => {
            let wanted = ReadIn::get(body).expect("a structure");
            let from = index(wanted.offset).min(file.len());
            let to = (from + index(wanted.size.into())).min(file.len());
            reply(header, 0, &file[from..to])
        }
        other => panic!("{other}"),
    });
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|at| at.to_le_bytes()[1]).collect();
    share.write(2, 0, &bytes).expect("room");
    let mut read = vec![0; bytes.len() + 1];
    let mut have = 0;
    while let count @ 1.. = share
        .read(2, have as u64, &mut read[have..])
        .expect("a file")
    {
        have += count;
    }
    assert_eq!(have, bytes.len());
    assert!(read[..have] == bytes);
    let mut few = [0; 7];
    assert_eq!(share.read(2, 500, &mut few), Ok(7));
    assert_eq!(few, bytes[500..507]);
}

#[test]
fn errors_are_the_server_s_and_a_gone_server_is_not_waited_for() {
    let mut requests = 0;
    let mut share = connect(move |header, _| {
        requests += 1;
        match requests {
            1 => reply(header, -13, &[]),
            _ => Vec::new(),
        }
    });
    assert_eq!(share.lookup(1, b"name").err(), Some(Errno::EACCES));
    for _ in 0..3 {
        assert_eq!(share.lookup(1, b"name").err(), Some(Errno::ENOTCONN));
    }
    assert_eq!(share.sync(), Err(Errno::ENOTCONN));
}

#[test]
fn nonsense_ends_the_channel() {
    let header = |header: &InHeader, len: u32, error: i32, unique: u64| {
        let out = OutHeader {
            len,
            error,
            unique: header.unique.wrapping_add(unique),
        };
        [&out.to_bytes()[..], &[0; 40]].concat()
    };
    let nonsense = [
        ("another's answer", 16, 0, 1),
        ("no room for a header", 15, 0, 0),
        ("longer than anything", u32::MAX, 0, 0),
        ("an error that is none", 16, 7, 0),
        ("an error of no number", 16, -5000, 0),
        ("an error with data", 56, -5, 0),
    ];
    for (what, len, error, unique) in nonsense {
        let mut share = connect(move |request, _| header(request, len, error, unique));
        assert_eq!(share.lookup(1, b"name").err(), Some(Errno::EIO), "{what}");
        assert_eq!(
            share.lookup(1, b"name").err(),
            Some(Errno::ENOTCONN),
            "{what}"
        );
    }
    // A short structure, and names that are none, are one request's concern.
    let mut share = connect(|header, _| reply(header, 0, &[1; 20]));
    assert_eq!(share.lookup(1, b"name").err(), Some(Errno::EIO));
    for name in [&b""[..], b"a/b", b"a\0b"] {
        let mut share = connect(move |header, _| match header.opcode {
            opcode::READDIR => {
                let entry = Dirent {
                    namelen: u32::try_from(name.len()).expect("short"),
                    ..Dirent::default()
                };
                reply(header, 0, &[&entry.to_bytes()[..], name].concat())
            }
            _ => reply(header, 0, &OpenOut::default().to_bytes()),
        });
        assert_eq!(
            share.list(1, &mut |_, _, _| {}),
            Err(Errno::EIO),
            "{name:?}"
        );
    }
}
