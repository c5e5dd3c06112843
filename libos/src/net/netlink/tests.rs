use super::*;
use crate::user::Source;
use linux_raw_sys::net::{AF_INET, AF_INET6};

fn request(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(16 + payload.len()).expect("small");
    let mut bytes = len.to_ne_bytes().to_vec();
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&(flags | flag::REQUEST).to_ne_bytes());
    bytes.extend_from_slice(&77_u32.to_ne_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

fn send(socket: &NetlinkSocket, bytes: &[u8], address: Option<RawAddress>) -> Result<usize> {
    socket.send(Outgoing {
        source: &mut Source::kernel(bytes),
        address,
        ancillary: crate::net::message::Ancillary::default(),
        flags: MessageFlags::empty(),
        patience: Patience::None,
    })
}

fn receive(socket: &NetlinkSocket) -> Result<Vec<u8>> {
    let mut buffer = std::vec![0; 8192];
    let received = socket.receive(
        &mut Dest::kernel(&mut buffer),
        MessageFlags::empty(),
        Patience::None,
    )?;
    buffer.truncate(received.count);
    Ok(buffer)
}

/// All messages of all datagrams there are: type and payload.
fn answers(socket: &NetlinkSocket) -> Vec<(u16, Vec<u8>)> {
    let mut found = Vec::new();
    while let Ok(datagram) = receive(socket) {
        let mut bytes = &datagram[..];
        while let Some((message, rest)) = message::split(bytes) {
            assert_eq!(message.sequence, 77);
            found.push((message.kind, message.payload.to_vec()));
            bytes = rest;
        }
    }
    found
}

fn new() -> Arc<NetlinkSocket> {
    NetlinkSocket::create(3, 0).expect("a socket")
}

fn error_of(payload: &[u8]) -> i32 {
    i32::from_ne_bytes(payload[..4].try_into().expect("four"))
}

#[test]
fn types_and_protocols_are_checked() {
    for (socket_type, protocol, expected) in [
        (1, 0, Errno::ESOCKTNOSUPPORT),
        (3, 4, Errno::EPROTONOSUPPORT),
        (2, 16, Errno::EPROTONOSUPPORT),
        (3, 99, Errno::EPROTONOSUPPORT),
    ] {
        let result = NetlinkSocket::create(socket_type, protocol).err();
        assert_eq!(result, Some(expected), "{socket_type} {protocol}");
    }
}

#[test]
fn port_ids_are_chosen_and_told() {
    let (first, second) = (new(), new());
    assert_eq!(first.local_address(), Ok(address(0, 0)));
    first.bind(&address(0, 5)).expect("any port");
    second.bind(&address(0, 0)).expect("any port");
    let (port, groups) = parse(&first.local_address().expect("bound")).expect("an address");
    let (other, _) = parse(&second.local_address().expect("bound")).expect("an address");
    assert!(port != 0 && other != 0 && port != other);
    assert_eq!(groups, 5);
    assert_eq!(new().bind(&address(port, 0)), Err(Errno::EADDRINUSE));
    assert_eq!(first.bind(&address(port, 1)), Ok(()), "the same once more");
    assert_eq!(first.bind(&address(port + 1, 1)), Err(Errno::EINVAL));
    let short = RawAddress::new(FAMILY, &[0; 9]);
    assert_eq!(new().bind(&short), Err(Errno::EINVAL));
    let other_family = RawAddress::new(2, &[0; 10]);
    assert_eq!(new().bind(&other_family), Err(Errno::EINVAL));
    first.close();
    assert_eq!(new().bind(&address(port, 0)), Ok(()));
}

#[test]
fn links_and_addresses_are_dumped() {
    let socket = new();
    let dump = request(18, flag::DUMP, &[0; 16]);
    assert_eq!(send(&socket, &dump, None), Ok(dump.len()));
    let links = answers(&socket);
    assert_eq!(links.last().map(|last| last.0), Some(message::DONE));
    let (kind, payload) = &links[0];
    assert_eq!(*kind, 16);
    assert_eq!(&payload[2..8], [4, 3, 1, 0, 0, 0], "loopback, index 1");
    let name = message::attributes(&payload[16..]).find(|(kind, _)| *kind == 3);
    assert_eq!(name, Some((3, &b"lo\0"[..])));
    for (family, address) in [
        (AF_INET, std::vec![127, 0, 0, 1]),
        (AF_INET6, [[0; 15].to_vec(), std::vec![1]].concat()),
    ] {
        let family = u8::try_from(family).expect("small");
        send(&socket, &request(22, flag::DUMP, &[family]), None).expect("taken");
        let (kind, payload) = answers(&socket).remove(0);
        assert_eq!((kind, payload[0]), (20, family));
        let found = message::attributes(&payload[8..]).find(|(kind, _)| *kind == 1);
        assert_eq!(found, Some((1, &address[..])));
    }
}

#[test]
fn one_link_is_found_by_number_or_name() {
    let socket = new();
    let by_index = [&[0; 4][..], &1_u32.to_ne_bytes(), &[0; 8]].concat();
    let by_name = [&[0; 16][..], &[7, 0, 3, 0], b"lo\0\0"].concat();
    for payload in [by_index, by_name] {
        send(&socket, &request(18, 0, &payload), None).expect("taken");
        let all = answers(&socket);
        assert_eq!(all.iter().map(|one| one.0).collect::<Vec<_>>(), [16]);
    }
    let absent = [&[0; 4][..], &99_u32.to_ne_bytes(), &[0; 8]].concat();
    send(&socket, &request(18, 0, &absent), None).expect("taken");
    let (kind, payload) = answers(&socket).remove(0);
    assert_eq!((kind, error_of(&payload)), (message::ERROR, -19));
    assert_eq!(payload.len(), 4 + 16 + 16, "the request is quoted");
}

#[test]
fn loopback_is_reached_by_itself() {
    let socket = new();
    let asked = [&[2][..], &[0; 11], &[8, 0, 1, 0, 127, 0, 0, 9]].concat();
    send(&socket, &request(26, 0, &asked), None).expect("taken");
    let (kind, payload) = answers(&socket).remove(0);
    assert_eq!((kind, payload[7]), (24, 2), "a local route");
    let source = message::attributes(&payload[12..]).find(|(kind, _)| *kind == 7);
    assert_eq!(source, Some((7, &[127, 0, 0, 1][..])));
    let away = [&[2][..], &[0; 11], &[8, 0, 1, 0, 192, 0, 2, 1]].concat();
    send(&socket, &request(26, 0, &away), None).expect("taken");
    let (_, payload) = answers(&socket).remove(0);
    assert_eq!(error_of(&payload), -101);
}

#[test]
fn verdicts_are_linuxs() {
    let socket = new();
    for (kind, flags, payload, expected) in [
        (20, 0, &[2; 8][..], Some(-1)),
        (16, flag::ACK, &[0; 16], Some(-1)),
        (99, 0, &[0; 8], Some(-1)),
        (98, 0, &[0; 8], Some(-95)),
        (150, 0, &[0; 8], Some(-95)),
        (3, 0, &[0; 4], None),
        (3, flag::ACK, &[0; 4], Some(0)),
        (18, flag::DUMP | flag::ACK, &[], Some(0)),
    ] {
        send(&socket, &request(kind, flags, payload), None).expect("taken");
        let verdict = answers(&socket)
            .iter()
            .find(|one| one.0 == message::ERROR)
            .map(|one| error_of(&one.1));
        let expected = match kind {
            // A dump is acknowledged by its end.
            18 => None,
            _ => expected,
        };
        assert_eq!(verdict, expected, "type {kind} flags {flags:#x}");
    }
    assert_eq!(
        send(&socket, &[1, 2, 3], None),
        Ok(3),
        "nonsense is ignored"
    );
    assert_eq!(receive(&socket), Err(Errno::EAGAIN));
    assert_eq!(
        send(&socket, &[], Some(address(12_345, 0))),
        Err(Errno::ECONNREFUSED)
    );
    assert_eq!(
        socket.connect(&address(1, 0), Patience::None),
        Err(Errno::EPERM)
    );
    assert_eq!(socket.listen(1), Err(Errno::EOPNOTSUPP));
}

#[test]
fn an_overrun_queue_says_so_and_stays_bounded() {
    let socket = new();
    let dump = request(18, flag::DUMP, &[0; 16]);
    for _ in 0..2000 {
        send(&socket, &dump, None).expect("taken");
    }
    assert!(socket.state.lock().bytes <= socket.options.receive_buffer() + 4096);
    assert_eq!(receive(&socket), Err(Errno::ENOBUFS));
    assert!(receive(&socket).is_ok());
}

#[test]
fn options_and_groups() {
    let socket = new();
    let one = 1_u32.to_ne_bytes();
    assert_eq!(socket.set_option(SOL_NETLINK, 11, &one), Ok(()));
    assert_eq!(socket.option(SOL_NETLINK, 11), Ok(OptionValue::words(&[1])));
    assert_eq!(
        socket.set_option(SOL_NETLINK, 1, &33_u32.to_ne_bytes()),
        Ok(())
    );
    assert_eq!(
        socket.option(SOL_NETLINK, 9),
        Ok(OptionValue::words(&[0, 1]))
    );
    for (name, value, expected) in [
        (1, 0_u32, Errno::EINVAL),
        (1, 40, Errno::EINVAL),
        (77, 1, Errno::ENOPROTOOPT),
    ] {
        let result = socket.set_option(SOL_NETLINK, name, &value.to_ne_bytes());
        assert_eq!(result, Err(expected));
    }
}
