//! An HTTP server on axum and tokio, which finishes its open requests when SIGTERM asks it to stop.
//!
//! The argument is the address to listen on, `0.0.0.0:8080` unless given; port 0 picks a free one.
//!
//! ```text
//! $ cargo libos run -p http-server --net user -p 8080:8080
//! listening on 0.0.0.0:8080
//! SIGTERM: finishing the open requests
//! stopped
//! ```
//!
//! Meanwhile, on the host:
//!
//! ```text
//! $ examples/http-server/client.sh 127.0.0.1 8080
//! Hello from inside the process!
//! you sent: some text
//! 1000000 bytes
//! not found: 404
//! slept for 100 ms
//! ```

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::routing::{get, post};
use std::io;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> io::Result<()> {
    let routes = Router::new()
        .route("/", get(|| async { "Hello from inside the process!\n" }))
        .route("/echo", post(|body: Bytes| async { body }))
        .route("/bytes/{count}", get(bytes))
        .route("/slow/{ms}", get(slow));
    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("0.0.0.0:8080")).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, routes)
        .with_graceful_shutdown(async move {
            terminate.recv().await;
            println!("SIGTERM: finishing the open requests");
        })
        .await?;
    println!("stopped");
    Ok(())
}

/// As many bytes as were asked for, at most 64 MiB: the alphabet again and again.
async fn bytes(Path(count): Path<usize>) -> Vec<u8> {
    (b'a'..=b'z').cycle().take(count.min(64 << 20)).collect()
}

/// An answer that takes its time, at most ten seconds.
async fn slow(Path(ms): Path<u64>) -> String {
    let ms = ms.min(10_000);
    tokio::time::sleep(Duration::from_millis(ms)).await;
    format!("slept for {ms} ms\n")
}
