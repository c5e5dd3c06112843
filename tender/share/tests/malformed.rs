//! Messages that are none: the server answers, and goes on.

mod common;

use common::{Client, Starter};
use libos_abi::fuse::messages::InHeader;
use libos_abi::fuse::wire::Wire;
use libos_abi::fuse::{LONGEST_REQUEST, ROOT, opcode};
use rustix::io::Errno;

/// Requests without an answer of their own.
const SILENT: [u32; 3] = [opcode::FORGET, opcode::BATCH_FORGET, opcode::INTERRUPT];

fn fresh(options: &[&str]) -> (tempfile::TempDir, Starter, Client) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("shared")).expect("a folder");
    std::fs::write(folder.path().join("shared/a"), "content").expect("a file");
    std::fs::create_dir(folder.path().join("shared/d")).expect("a folder");
    let (starter, client) = Starter::new(options, &folder.path().join("shared"));
    (folder, starter, client)
}

#[test]
fn unknown_requests_are_named_so() {
    let (_folder, _starter, mut client) = fresh(&[]);
    for opcode in [0, 7, 19, 37, 39, 40, 41, 48, 49, 53, 1000, 4096, u32::MAX] {
        assert_eq!(
            client.call(opcode, ROOT, &[0; 64]),
            Err(Errno::NOSYS),
            "{opcode}"
        );
    }
}

#[test]
fn every_request_may_end_too_early() {
    let (_folder, _starter, mut client) = fresh(&[]);
    let file = client.walk("a").expect("there");
    for opcode in (1..60).filter(|opcode| !SILENT.contains(opcode)) {
        for fill in [0, 0xff, b'n'] {
            for len in [0, 1, 7, 8, 15, 16, 24, 39, 40, 48, 63, 64, 88, 300] {
                for nodeid in [ROOT, file, 77, u64::MAX] {
                    let _ = client.call(opcode, nodeid, &vec![fill; len]);
                }
            }
        }
    }
    client.getattr(ROOT).expect("it is alive");
}

#[test]
fn the_old_and_short_form_of_init_is_known() {
    let (_folder, _starter, mut client) = fresh(&[]);
    let init = |major: u32, len: usize| {
        let mut bytes = [major.to_le_bytes(), 31_u32.to_le_bytes()].concat();
        bytes.resize(len, 0);
        bytes
    };
    assert_eq!(
        client
            .call(opcode::INIT, 0, &init(7, 16))
            .map(|out| out.len()),
        Ok(64)
    );
    assert_eq!(
        client.call(opcode::INIT, 0, &init(6, 16)),
        Err(Errno::PROTO)
    );
    assert_eq!(
        client.call(opcode::INIT, 0, &init(7, 15)),
        Err(Errno::INVAL)
    );
    assert!(client.call(opcode::INIT, 0, &init(8, 64)).is_ok());
}

#[test]
fn lengths_that_lie_do_not_break_the_stream() {
    let (_folder, _starter, mut client) = fresh(&[]);
    let header = |len: usize, unique: u64| InHeader {
        len: u32::try_from(len).expect("a length"),
        opcode: opcode::GETATTR,
        unique,
        nodeid: ROOT,
        ..InHeader::default()
    };
    client.send_raw(&header(0, 500).to_bytes()).expect("sent");
    assert_eq!(client.receive(), Ok((500, Err(Errno::INVAL))));
    let len = LONGEST_REQUEST + 1000;
    let mut long = header(len, 501).to_bytes().to_vec();
    long.resize(len, 1);
    client.send_raw(&long).expect("sent");
    assert_eq!(client.receive(), Ok((501, Err(Errno::TOOBIG))));
    let extended = InHeader {
        total_extlen: 1,
        ..header(InHeader::LEN, 502)
    };
    client.send_raw(&extended.to_bytes()).expect("sent");
    assert_eq!(client.receive(), Ok((502, Err(Errno::INVAL))));
    client.getattr(ROOT).expect("it is in step");
}

#[test]
fn requests_may_be_sent_ahead() {
    let (_folder, _starter, mut client) = fresh(&[]);
    let expected: Vec<u64> = (0..200)
        .map(|_| client.send(opcode::LOOKUP, ROOT, b"a\0").expect("sent"))
        .collect();
    let found: Vec<u64> = expected
        .iter()
        .map(|_| client.receive().expect("an answer").0)
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn half_a_request_at_the_end_is_nothing() {
    let (_folder, starter, client) = fresh(&[]);
    client.send_raw(&[40, 0, 0, 0, 1]).expect("sent");
    drop(client);
    assert!(common::eventually(|| !common::is_alive(starter.helper)));
}
