//! One connection: reads, runs every whole command that is there, answers all of them in one write.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::commands::{self, After};
use crate::resp::{self, Parsed};
use crate::store::Store;

/// Room for each read, in bytes.
const READ_BYTES: usize = 16 << 10;
/// Answers are sent when they have grown to this many bytes, though more commands wait.
const FLUSH_BYTES: usize = 256 << 10;
/// Buffers that a large command has grown beyond this are given back when they are empty.
const KEPT_BYTES: usize = 64 << 10;

pub async fn serve(mut stream: TcpStream, store: Rc<RefCell<Store>>) {
    // Either side may vanish at any time; there is nobody to tell.
    let _ = stream.set_nodelay(true);
    let _ = converse(&mut stream, &store).await;
}

async fn converse(stream: &mut TcpStream, store: &RefCell<Store>) -> io::Result<()> {
    let mut input = Vec::with_capacity(READ_BYTES);
    let mut answers = Vec::with_capacity(READ_BYTES);
    let mut words = Vec::new();
    loop {
        input.reserve(READ_BYTES);
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
        let mut used = 0;
        store.borrow_mut().drop_expired();
        loop {
            match resp::parse(&input[used..], &mut words) {
                Parsed::Partial => break,
                Parsed::Command { length } => {
                    let command = resp::Command::new(&input[used..used + length], &words);
                    let after = commands::run(&mut store.borrow_mut(), command, &mut answers);
                    used += length;
                    if after == After::Close {
                        return stream.write_all(&answers).await;
                    }
                }
                Parsed::Refused(reason) => {
                    resp::error(&mut answers, &format!("ERR Protocol error: {reason}"));
                    return stream.write_all(&answers).await;
                }
            }
            if answers.len() >= FLUSH_BYTES {
                stream.write_all(&answers).await?;
                answers.clear();
            }
        }
        input.drain(..used);
        if input.is_empty() {
            input.shrink_to(KEPT_BYTES);
        }
        if !answers.is_empty() {
            stream.write_all(&answers).await?;
            answers.clear();
            answers.shrink_to(KEPT_BYTES);
        }
    }
}
