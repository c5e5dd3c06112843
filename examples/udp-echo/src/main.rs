//! Answers on UDP what it hears, and says from how many peers it heard.
//!
//! The argument is the address to listen on, `0.0.0.0:8080` unless given; port 0 picks a free one.
//! An empty datagram ends it.
//!
//! ```text
//! $ cargo libos run -p udp-echo --net user -p 8080:8080/udp
//! listening on 0.0.0.0:8080
//! 12 bytes echoed
//! 1400 bytes echoed
//! an empty datagram: the end, after 2 datagrams
//! ```
//!
//! Meanwhile, on the host:
//!
//! ```text
//! $ examples/udp-echo/client.sh 127.0.0.1 8080
//! answer: Hello, echo!
//! answer: 1400 bytes, the same
//! ```

use std::io;
use std::net::UdpSocket;

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1);
    let socket = UdpSocket::bind(address.as_deref().unwrap_or("0.0.0.0:8080"))?;
    println!("listening on {}", socket.local_addr()?);
    let mut buffer = vec![0; 64 << 10];
    let mut datagrams = 0;
    loop {
        let (length, peer) = match socket.recv_from(&mut buffer) {
            Ok(received) => received,
            // What a peer that went away sends back concerns nobody else.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
            Err(error) => return Err(error),
        };
        if length == 0 {
            println!("an empty datagram: the end, after {datagrams} datagrams");
            return Ok(());
        }
        datagrams += 1;
        socket.send_to(&buffer[..length], peer)?;
        println!("{length} bytes echoed");
    }
}
