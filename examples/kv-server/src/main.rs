//! A key-value server that speaks the Redis protocol, on one thread of tokio.
//!
//! The argument is the address to listen on, `0.0.0.0:6379` unless given; port 0 picks a free one.
//! Strings with expiry, lists and hashes; nothing is kept when it ends. Whatever a client sent in one
//! piece is answered in one piece, which is what makes pipelining fast.
//!
//! ```text
//! $ cargo libos run -p kv-server --net user -p 6379:6379
//! listening on 0.0.0.0:6379
//! SIGTERM: stopped with 4 keys
//! ```
//!
//! Meanwhile, on the host:
//!
//! ```text
//! $ examples/kv-server/client.sh 127.0.0.1 6379
//! PONG
//! OK
//! "Hello"
//! (integer) 1
//! (integer) 3
//! 1) "c"
//! 2) "b"
//! (integer) 2
//! "blue"
//! (nil)
//! (error) WRONGTYPE Operation against a key holding the wrong kind of value
//! (error) ERR unknown command 'NONSENSE'
//! (integer) 4
//! ```
//!
//! `resp.rs` is the protocol, `store.rs` the data, `commands.rs` what joins them, `client.rs` a connection.

mod client;
mod commands;
mod resp;
mod store;

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use store::Store;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    LocalSet::new().run_until(serve()).await
}

async fn serve() -> io::Result<()> {
    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("0.0.0.0:6379")).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    println!("listening on {}", listener.local_addr()?);
    let store = Rc::new(RefCell::new(Store::default()));
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    tokio::task::spawn_local(client::serve(stream, Rc::clone(&store)));
                }
                // Out of descriptors, or the client is gone already: the others go on.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            _ = terminate.recv() => break,
        }
    }
    println!("SIGTERM: stopped with {} keys", store.borrow_mut().len());
    Ok(())
}
