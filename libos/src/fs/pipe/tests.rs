//! Pipes and FIFOs without blocking: what each end sees in each state.

use super::*;
use crate::fs::file::{File, Io, OpenFlags};
use crate::fs::pipe::fifo::Fifo;
use std::vec::Vec;

const NONBLOCK: Io = Io {
    offset: 0,
    flags: OpenFlags::NONBLOCK,
};

fn read(end: &PipeEnd, max: usize) -> Result<Vec<u8>> {
    let mut buffer = std::vec![0; max];
    let count = end.read(NONBLOCK, &mut Dest::kernel(&mut buffer))?;
    buffer.truncate(count);
    Ok(buffer)
}

fn write(end: &PipeEnd, bytes: &[u8]) -> Result<usize> {
    end.write(NONBLOCK, &mut Source::kernel(bytes))
        .map(|written| written.count)
}

#[test]
fn bytes_pass_and_end() {
    let (reader, writer) = new();
    assert_eq!(read(&reader, 9), Err(Errno::EAGAIN));
    assert_eq!(write(&writer, b"hello"), Ok(5));
    assert_eq!(read(&reader, 3).as_deref(), Ok(&b"hel"[..]));
    drop(writer);
    assert_eq!(read(&reader, 9).as_deref(), Ok(&b"lo"[..]));
    assert_eq!(read(&reader, 9).as_deref(), Ok(&b""[..]));
}

#[test]
fn a_write_without_readers_is_epipe() {
    let (reader, writer) = new();
    drop(reader);
    assert_eq!(write(&writer, b""), Ok(0), "an empty write succeeds");
    assert_eq!(write(&writer, b"x"), Err(Errno::EPIPE));
}

#[test]
fn the_wrong_direction_is_ebadf() {
    let (reader, writer) = new();
    assert_eq!(write(&reader, b"x"), Err(Errno::EBADF));
    assert_eq!(read(&writer, 1), Err(Errno::EBADF));
}

#[test]
fn small_writes_are_atomic_and_large_ones_partial() {
    let (reader, writer) = new();
    let capacity = reader.pipe().capacity();
    assert_eq!(
        write(&writer, &std::vec![1; capacity - 10]),
        Ok(capacity - 10)
    );
    assert_eq!(write(&writer, &[2; 11]), Err(Errno::EAGAIN));
    assert_eq!(write(&writer, &[3; PIPE_BUF + 1]), Ok(10));
    assert_eq!(write(&writer, &[4; PIPE_BUF + 1]), Err(Errno::EAGAIN));
}

#[test]
fn readiness_follows_the_state() {
    let (reader, writer) = new();
    assert_eq!(reader.poll(), PollEvents::empty());
    assert_eq!(writer.poll(), PollEvents::OUT | PollEvents::WRNORM);
    let full = std::vec![0; reader.pipe().capacity()];
    assert_eq!(write(&writer, &full), Ok(full.len()));
    assert_eq!(writer.poll(), PollEvents::empty());
    assert_eq!(reader.poll(), PollEvents::IN | PollEvents::RDNORM);
    read(&reader, PIPE_BUF - 1).expect("full");
    assert_eq!(
        writer.poll(),
        PollEvents::empty(),
        "less than PIPE_BUF is free"
    );
    read(&reader, 1).expect("not empty");
    assert_eq!(writer.poll(), PollEvents::OUT | PollEvents::WRNORM);
    drop(writer);
    assert!(reader.poll().contains(PollEvents::IN | PollEvents::HUP));
}

#[test]
fn a_writer_sees_the_last_reader_leave() {
    let (reader, writer) = new();
    drop(reader);
    assert!(writer.poll().contains(PollEvents::ERR));
}

#[test]
fn capacity_is_rounded_and_bounded() {
    let (reader, _writer) = new();
    let pipe = reader.pipe();
    for (asked, given) in [
        (0, Ok(PAGE)),
        (1, Ok(PAGE)),
        (PAGE + 1, Ok(2 * PAGE)),
        (MAX_CAPACITY, Ok(MAX_CAPACITY)),
        (MAX_CAPACITY + 1, Err(Errno::EPERM)),
        (usize::MAX, Err(Errno::EINVAL)),
    ] {
        assert_eq!(pipe.set_capacity(asked), given, "asked for {asked}");
    }
}

#[test]
fn packets_keep_their_boundaries() {
    let (reader, writer) = new();
    let packets = Io {
        offset: 0,
        flags: OpenFlags::NONBLOCK | OpenFlags::DIRECT,
    };
    for text in [&b"one"[..], b"two"] {
        writer
            .write(packets, &mut Source::kernel(text))
            .expect("room");
    }
    assert_eq!(read(&reader, 99).as_deref(), Ok(&b"one"[..]));
    assert_eq!(read(&reader, 2).as_deref(), Ok(&b"tw"[..]));
    assert_eq!(read(&reader, 99), Err(Errno::EAGAIN));
}

#[test]
fn splicing_looks_before_it_takes() {
    let (reader, writer) = new();
    write(&writer, b"abcdef").expect("room");
    let mut part = [0; 4];
    assert_eq!(reader.pipe().peek(1, &mut part), 4);
    assert_eq!(&part, b"bcde");
    reader.pipe().discard(5);
    assert_eq!(read(&reader, 9).as_deref(), Ok(&b"f"[..]));
}

#[test]
fn a_fifo_opens_by_the_rules() {
    let fifo = Fifo::new();
    let nonblock = OpenFlags::NONBLOCK;
    let writer = fifo.open(nonblock | OpenFlags::WRONLY);
    assert_eq!(writer.err(), Some(Errno::ENXIO));
    let reader = fifo.open(nonblock).expect("a reader never waits so");
    assert_eq!(
        reader.poll(),
        PollEvents::empty(),
        "no writer yet: no hang-up"
    );
    assert_eq!(read(&reader, 1).as_deref(), Ok(&b""[..]));
    let writer = fifo.open(nonblock | OpenFlags::WRONLY).expect("a reader");
    write(&writer, b"x").expect("room");
    drop(writer);
    assert!(reader.poll().contains(PollEvents::HUP | PollEvents::IN));
    assert_eq!(read(&reader, 9).as_deref(), Ok(&b"x"[..]));
}

#[test]
fn a_fifo_opened_both_ways_talks_to_itself() {
    let fifo = Fifo::new();
    let both = fifo.open(OpenFlags::RDWR).expect("never waits");
    write(&both, b"self").expect("room");
    assert_eq!(read(&both, 9).as_deref(), Ok(&b"self"[..]));
    assert_eq!(read(&both, 9), Err(Errno::EAGAIN));
}
