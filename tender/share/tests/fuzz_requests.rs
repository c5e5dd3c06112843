//! Fuzzing of the file server: random requests through the real helper. It answers all of them, and nothing outside of its
//! folder changes.
//!
//! Runs for two seconds under `cargo test`. For longer, here ten minutes:
//!
//!     BOLERO_RANDOM_TEST_TIME_MS=600000 cargo test --release -p libos-share --test fuzz_requests

mod common;

use common::Starter;
use libos_abi::fuse::{ROOT, opcode};
use std::time::Duration;

const TIME: Duration = Duration::from_secs(2);

/// Requests without an answer of their own.
const SILENT: [u32; 3] = [opcode::FORGET, opcode::BATCH_FORGET, opcode::INTERRUPT];

/// One request of the fuzzer's: opcode, file, and what follows.
type Request = (u8, u8, Vec<u8>);

/// Bodies are as long as structures are, more often than not, and names end.
fn body(bytes: &[u8], handle: u64) -> Vec<u8> {
    let mut body = bytes.to_vec();
    // Most structures begin with a handle: a real one, sometimes.
    if bytes.first().is_some_and(|first| first % 2 == 0) && body.len() >= 8 {
        body[..8].copy_from_slice(&handle.to_le_bytes());
    }
    if bytes.last().is_some_and(|last| last % 3 == 0) {
        body.extend(b"d\0a\0");
    }
    body
}

#[test]
fn whatever_is_sent_is_answered_and_nothing_leaves_the_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let shared = folder.path().join("shared");
    std::fs::create_dir_all(shared.join("d")).expect("a folder");
    std::fs::write(shared.join("a"), "content").expect("a file");
    let (_starter, mut client) = Starter::new(&["files=200", "size=1000000"], &shared);
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "secret").expect("a file");
    let mut handle = 0;
    let (mut requests, mut answers) = (0_u64, 0_u64);
    bolero::check!()
        .with_type::<Vec<Request>>()
        .with_test_time(TIME)
        .for_each(|sequence| {
            for (opcode, number, bytes) in sequence.iter().take(20) {
                let opcode = u32::from(opcode % 56);
                // The second waits for good, if it waits for itself; the third for the host's whole disk.
                if SILENT.contains(&opcode) || [opcode::SETLKW, opcode::SYNCFS].contains(&opcode) {
                    continue;
                }
                requests += 1;
                let body = body(bytes, handle);
                let found = client.call(opcode, u64::from(number % 8), &body);
                answers += u64::from(found.is_ok());
                if let (opcode::OPEN | opcode::OPENDIR, Ok(found)) = (opcode, &found)
                    && let Some(chunk) = found.first_chunk()
                {
                    handle = u64::from_le_bytes(*chunk);
                }
            }
            client.getattr(ROOT).expect("it is alive");
        });
    println!("{requests} inputs, {answers} of them carried out");
    assert!(requests < 1000 || answers > 0);
    assert_eq!(std::fs::read(&secret).expect("it"), b"secret");
    let around = std::fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(around, 2, "nothing was made beside the folder");
}
