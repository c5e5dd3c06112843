//! A guest: sends one request and waits for its answer.

use libos_abi::fuse::messages::{
    Attr, AttrOut, CreateIn, Dirent, EntryOut, ForgetIn, GetattrIn, InHeader, InitIn, InitOut,
    LkIn, MkdirIn, OpenIn, OpenOut, OutHeader, ReadIn, ReleaseIn, Rename2In, SetattrIn, SetxattrIn,
    StatxIn, StatxOut, WriteIn, WriteOut,
};
use libos_abi::fuse::wire::Wire;
use libos_abi::fuse::{ROOT, opcode};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use std::os::fd::OwnedFd;

pub type Answer<T> = Result<T, Errno>;

pub struct Client {
    pub channel: OwnedFd,
    unique: u64,
    /// Who asks.
    pub user: u32,
    pub group: u32,
}

/// Parts of a request, one behind the other.
pub fn body(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// A name as it stands in a request.
pub fn named(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

impl Client {
    pub fn new(channel: OwnedFd) -> Self {
        rustix::io::ioctl_fionbio(&channel, false).expect("an option");
        let mut client = Self {
            channel,
            unique: 0,
            user: rustix::process::geteuid().as_raw(),
            group: rustix::process::getegid().as_raw(),
        };
        let init = InitIn {
            major: 7,
            minor: 39,
            flags: u32::MAX,
            ..InitIn::default()
        };
        let answer = client
            .call(opcode::INIT, 0, &init.to_bytes())
            .expect("INIT");
        let answer = InitOut::get(&answer).expect("an answer");
        assert_eq!((answer.major, answer.max_write), (7, 1 << 20));
        client
    }

    /// Bytes, as they are.
    pub fn send_raw(&self, mut bytes: &[u8]) -> Answer<()> {
        while !bytes.is_empty() {
            let flags = rustix::net::SendFlags::NOSIGNAL;
            let sent = rustix::net::send(&self.channel, bytes, flags)?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    pub fn send(&mut self, opcode: u32, nodeid: u64, body: &[u8]) -> Answer<u64> {
        self.unique += 1;
        let header = InHeader {
            len: u32::try_from(InHeader::LEN + body.len()).expect("a length"),
            opcode,
            unique: self.unique,
            nodeid,
            uid: self.user,
            gid: self.group,
            ..InHeader::default()
        };
        self.send_raw(&[&header.to_bytes()[..], body].concat())?;
        Ok(self.unique)
    }

    /// The next answer: to which request, and what. PIPE if the server is gone.
    pub fn receive(&self) -> Answer<(u64, Answer<Vec<u8>>)> {
        let header = OutHeader::get(&self.receive_exactly(OutHeader::LEN)?).expect("a header");
        let len = usize::try_from(header.len).expect("a length");
        let rest = self.receive_exactly(len - OutHeader::LEN)?;
        let answer = match header.error {
            0 => Ok(rest),
            error => {
                assert!(rest.is_empty(), "an error has no body");
                Err(Errno::from_raw_os_error(-error))
            }
        };
        Ok((header.unique, answer))
    }

    /// Whether an answer is there within this many milliseconds.
    pub fn has_answer(&self, milliseconds: i64) -> bool {
        let mut polled = [PollFd::new(&self.channel, PollFlags::IN)];
        let time = Timespec {
            tv_sec: milliseconds / 1000,
            tv_nsec: milliseconds % 1000 * 1_000_000,
        };
        rustix::event::poll(&mut polled, Some(&time)).expect("poll") > 0
    }

    fn receive_exactly(&self, len: usize) -> Answer<Vec<u8>> {
        let mut bytes = vec![0; len];
        let mut done = 0;
        while done < len {
            assert!(self.has_answer(20_000), "no answer");
            match rustix::io::read(&self.channel, &mut bytes[done..])? {
                0 => return Err(Errno::PIPE),
                count => done += count,
            }
        }
        Ok(bytes)
    }

    pub fn call(&mut self, opcode: u32, nodeid: u64, body: &[u8]) -> Answer<Vec<u8>> {
        let unique = self.send(opcode, nodeid, body)?;
        let (answered, answer) = self.receive()?;
        assert_eq!(answered, unique, "the answer to another request");
        answer
    }

    fn ask<T: Wire>(&mut self, opcode: u32, nodeid: u64, body: &[u8]) -> Answer<T> {
        let bytes = self.call(opcode, nodeid, body)?;
        let (answer, rest) = T::take(&bytes).expect("an answer of its length");
        assert!(rest.is_empty(), "{} bytes too many", rest.len());
        Ok(answer)
    }

    pub fn lookup(&mut self, parent: u64, name: &str) -> Answer<EntryOut> {
        self.ask(opcode::LOOKUP, parent, &named(name))
    }

    /// Walks a path without `..`, from the root, and does not follow links.
    pub fn walk(&mut self, path: &str) -> Answer<u64> {
        let mut number = ROOT;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            number = self.lookup(number, name)?.nodeid;
        }
        Ok(number)
    }

    pub fn forget(&mut self, number: u64, nlookup: u64) {
        self.send(opcode::FORGET, number, &ForgetIn { nlookup }.to_bytes())
            .expect("sent");
    }

    pub fn getattr(&mut self, number: u64) -> Answer<Attr> {
        let answer: AttrOut =
            self.ask(opcode::GETATTR, number, &GetattrIn::default().to_bytes())?;
        Ok(answer.attr)
    }

    pub fn statx(&mut self, number: u64) -> Answer<StatxOut> {
        self.ask(opcode::STATX, number, &StatxIn::default().to_bytes())
    }

    pub fn setattr(&mut self, number: u64, wanted: SetattrIn) -> Answer<Attr> {
        let answer: AttrOut = self.ask(opcode::SETATTR, number, &wanted.to_bytes())?;
        Ok(answer.attr)
    }

    pub fn mkdir(&mut self, parent: u64, name: &str, mode: u32) -> Answer<EntryOut> {
        let wanted = MkdirIn { mode, umask: 0 };
        let body = body(&[&wanted.to_bytes(), &named(name)]);
        self.ask(opcode::MKDIR, parent, &body)
    }

    pub fn symlink(&mut self, parent: u64, name: &str, target: &str) -> Answer<EntryOut> {
        let body = body(&[&named(name), &named(target)]);
        self.ask(opcode::SYMLINK, parent, &body)
    }

    pub fn open(&mut self, number: u64, flags: i32) -> Answer<u64> {
        let wanted = OpenIn {
            flags: flags.cast_unsigned(),
            open_flags: 0,
        };
        let answer: OpenOut = self.ask(opcode::OPEN, number, &wanted.to_bytes())?;
        Ok(answer.fh)
    }

    pub fn create(
        &mut self,
        parent: u64,
        name: &str,
        flags: i32,
        mode: u32,
    ) -> Answer<(EntryOut, u64)> {
        let wanted = CreateIn {
            flags: flags.cast_unsigned(),
            mode,
            umask: 0,
            open_flags: 0,
        };
        let bytes = self.call(
            opcode::CREATE,
            parent,
            &body(&[&wanted.to_bytes(), &named(name)]),
        )?;
        let (entry, rest) = EntryOut::take(&bytes).expect("an entry");
        Ok((entry, OpenOut::get(rest).expect("a handle").fh))
    }

    pub fn release(&mut self, number: u64, fh: u64) -> Answer<()> {
        let wanted = ReleaseIn {
            fh,
            ..ReleaseIn::default()
        };
        self.call(opcode::RELEASE, number, &wanted.to_bytes())
            .map(drop)
    }

    pub fn read(&mut self, fh: u64, offset: u64, size: u32) -> Answer<Vec<u8>> {
        let wanted = ReadIn {
            fh,
            offset,
            size,
            ..ReadIn::default()
        };
        self.call(opcode::READ, 0, &wanted.to_bytes())
    }

    pub fn write(&mut self, fh: u64, offset: u64, data: &[u8], flags: i32) -> Answer<u32> {
        let wanted = WriteIn {
            fh,
            offset,
            size: u32::try_from(data.len()).expect("a length"),
            flags: flags.cast_unsigned(),
            ..WriteIn::default()
        };
        let body = body(&[&wanted.to_bytes(), data]);
        let answer: WriteOut = self.ask(opcode::WRITE, 0, &body)?;
        Ok(answer.size)
    }

    pub fn remove(&mut self, opcode: u32, parent: u64, name: &str) -> Answer<()> {
        self.call(opcode, parent, &named(name)).map(drop)
    }

    pub fn rename(&mut self, from: (u64, &str), to: (u64, &str), flags: u32) -> Answer<()> {
        let wanted = Rename2In {
            newdir: to.0,
            flags,
            padding: 0,
        };
        let body = body(&[&wanted.to_bytes(), &named(from.1), &named(to.1)]);
        self.call(opcode::RENAME2, from.0, &body).map(drop)
    }

    pub fn setxattr(&mut self, number: u64, name: &str, value: &[u8], flags: u32) -> Answer<()> {
        let wanted = SetxattrIn {
            size: u32::try_from(value.len()).expect("a length"),
            flags,
        };
        let body = body(&[&wanted.to_bytes(), &named(name), value]);
        self.call(opcode::SETXATTR, number, &body).map(drop)
    }

    pub fn lock(&mut self, opcode: u32, number: u64, wanted: LkIn) -> Answer<Vec<u8>> {
        self.call(opcode, number, &wanted.to_bytes())
    }

    /// All entries, in pieces of `size` bytes: name, kind, and for READDIRPLUS the number.
    pub fn list(
        &mut self,
        number: u64,
        opcode: u32,
        size: u32,
    ) -> Answer<Vec<(String, u32, EntryOut)>> {
        let opened: OpenOut = self.ask(opcode::OPENDIR, number, &OpenIn::default().to_bytes())?;
        let (mut all, mut offset) = (Vec::new(), 0);
        loop {
            let wanted = ReadIn {
                fh: opened.fh,
                offset,
                size,
                ..ReadIn::default()
            };
            let bytes = self.call(opcode, number, &wanted.to_bytes())?;
            assert!(bytes.len() <= size as usize, "{} > {size}", bytes.len());
            if bytes.is_empty() {
                break;
            }
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let mut entry = EntryOut::default();
                if opcode == opcode::READDIRPLUS {
                    (entry, rest) = EntryOut::take(rest).expect("an entry");
                }
                let (dirent, behind) = Dirent::take(rest).expect("an entry");
                let len = dirent.namelen as usize;
                let name = String::from_utf8_lossy(&behind[..len]).into_owned();
                rest = &behind[len.next_multiple_of(8)..];
                offset = dirent.off;
                all.push((name, dirent.kind, entry));
            }
        }
        let wanted = ReleaseIn {
            fh: opened.fh,
            ..ReleaseIn::default()
        };
        self.call(opcode::RELEASEDIR, number, &wanted.to_bytes())?;
        Ok(all)
    }
}
