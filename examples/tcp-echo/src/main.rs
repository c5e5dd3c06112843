//! Answers on TCP what it hears, with one thread of the standard library for each connection.
//!
//! The argument is the address to listen on, `0.0.0.0:8080` unless given; port 0 picks a free one.
//!
//! ```text
//! $ cargo libos run -p tcp-echo --net user -p 8080:8080
//! listening on 0.0.0.0:8080
//! a client came: 14 bytes echoed
//! a client came: 100000 bytes echoed
//! ```
//!
//! Meanwhile, on the host (`client.sh` does it without any tool but bash):
//!
//! ```text
//! $ examples/tcp-echo/client.sh 127.0.0.1 8080
//! answer: Hello, echo!
//! answer: 100000 bytes, the same
//! ```

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("0.0.0.0:8080"))?;
    println!("listening on {}", listener.local_addr()?);
    for client in listener.incoming() {
        // A connection that broke before it was accepted concerns nobody else.
        let Ok(client) = client else { continue };
        thread::spawn(move || match echo(&client) {
            Ok(bytes) => println!("a client came: {bytes} bytes echoed"),
            Err(error) => println!("a client was lost: {error}"),
        });
    }
    Ok(())
}

/// Sends everything back until the client ends its side; the number of bytes.
fn echo(mut client: &TcpStream) -> io::Result<usize> {
    let mut buffer = vec![0; 64 << 10];
    let mut total = 0;
    loop {
        let length = match client.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        client.write_all(&buffer[..length])?;
        total += length;
    }
    client.shutdown(Shutdown::Write)?;
    Ok(total)
}
