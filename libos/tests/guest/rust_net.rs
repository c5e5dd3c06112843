//! The network part of Rust's standard library: TCP, UDP and Unix sockets, timeouts, splitting, names of the loopback.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{
    IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket,
};
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram, UnixListener, UnixStream};
use std::os::linux::net::SocketAddrExt;
use std::thread;
use std::time::{Duration, Instant};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
const SHORT: Duration = Duration::from_millis(20);

fn main() {
    for address in [V4, V6] {
        tcp(address);
        udp(address);
    }
    refused();
    timeouts();
    unix();
    let names: Vec<SocketAddr> = "127.0.0.1:80".to_socket_addrs().unwrap().collect();
    assert_eq!(names, [SocketAddr::new(V4, 80)]);
}

fn tcp(address: IpAddr) {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let place = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (stream, peer) = listener.accept().unwrap();
        assert_eq!(stream.peer_addr().unwrap(), peer);
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        (&stream).write_all(line.to_uppercase().as_bytes()).unwrap();
        let mut rest = Vec::new();
        lines.read_to_end(&mut rest).unwrap();
        (&stream).write_all(&rest).unwrap();
    });
    let mut stream = TcpStream::connect_timeout(&place, Duration::from_secs(5)).unwrap();
    stream.set_nodelay(true).unwrap();
    assert!(stream.nodelay().unwrap());
    stream.set_ttl(33).unwrap();
    assert_eq!(stream.ttl().unwrap(), 33);
    stream.write_all(b"a line\n").unwrap();
    let mut peeked = [0; 1];
    assert_eq!(stream.peek(&mut peeked).unwrap(), 1);
    assert_eq!(&peeked, b"A");
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"A LINE\n");
    let large: Vec<u8> = (0..1_000_000_u32).map(|i| i.to_le_bytes()[1]).collect();
    let mut writer = stream.try_clone().unwrap();
    let sent = large.clone();
    let writing = thread::spawn(move || {
        writer.write_all(&sent).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    assert!(received == large, "{} bytes came back", received.len());
    writing.join().unwrap();
    server.join().unwrap();
    assert!(stream.take_error().unwrap().is_none());
}

fn udp(address: IpAddr) {
    let one = UdpSocket::bind((address, 0)).unwrap();
    let two = UdpSocket::bind((address, 0)).unwrap();
    one.send_to(b"hello", two.local_addr().unwrap()).unwrap();
    let mut buffer = [0; 16];
    let (length, from) = two.recv_from(&mut buffer).unwrap();
    assert_eq!((&buffer[..length], from), (&b"hello"[..], one.local_addr().unwrap()));
    two.connect(from).unwrap();
    assert_eq!(two.peer_addr().unwrap(), from);
    two.send(b"back").unwrap();
    assert_eq!(one.peek(&mut buffer).unwrap(), 4);
    assert_eq!(one.recv(&mut buffer).unwrap(), 4);
    one.set_nonblocking(true).unwrap();
    assert_eq!(one.recv(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
    one.set_broadcast(true).unwrap();
    assert!(one.broadcast().unwrap());
}

fn refused() {
    let place = TcpListener::bind((V4, 0)).unwrap().local_addr().unwrap();
    let error = TcpStream::connect(place).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    let error = TcpStream::connect_timeout(&place, Duration::from_secs(5)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    let taken = TcpListener::bind((V4, 0)).unwrap();
    let error = TcpListener::bind(taken.local_addr().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    let error = TcpListener::bind("192.0.2.77:0").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
}

fn timeouts() {
    let listener = TcpListener::bind((V4, 0)).unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    stream.set_read_timeout(Some(SHORT)).unwrap();
    let start = Instant::now();
    assert_eq!(stream.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert!(start.elapsed() >= SHORT - Duration::from_millis(1));
    listener.set_nonblocking(true).unwrap();
    listener.accept().unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    // The accepted end was dropped above.
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
}

fn unix() {
    let name = UnixAddr::from_abstract_name(b"rust-net-test").unwrap();
    let listener = UnixListener::bind_addr(&name).unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
    });
    let mut stream = UnixStream::connect_addr(&name).unwrap();
    stream.write_all(b"there and back").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text, "there and back");
    server.join().unwrap();
    let (one, two) = UnixDatagram::pair().unwrap();
    one.send(b"datagram").unwrap();
    assert_eq!(two.recv(&mut [0; 32]).unwrap(), 8);
}
