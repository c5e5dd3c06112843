//! Fuzz targets: no frame makes the stack panic, or send more than its bounds allow.
//!
//! `fuzz_frames` takes whole frames from the input; `fuzz_edited` takes valid frames of each kind and damages
//! them, with checksums that are right again, so that damage reaches the inner layers. Longer runs are
//! described in `libos/rewrite/tests/fuzz_rewrite.rs`.

#[expect(dead_code, reason = "the traces use the rest")]
#[path = "ip/frames.rs"]
mod frames;
#[expect(dead_code, reason = "the traces use the rest")]
#[path = "ip/network.rs"]
mod network;

use bolero::check;
use libos_net::checksum;
use libos_net::config::Mac;
use libos_net::device::LONGEST_FRAME;
use libos_net::time::Duration;

use frames::{
    ALL, HOST, PEER, arp_frame, ethernet, icmp_frame, icmp6_frame, ipv4, ipv4_piece, ipv6, udp,
};
use network::{ALL_OFFLOADS, Host, config};

const OWN: &str = "10.0.0.1";
const PEER4: &str = "10.0.0.9";
const OWN6: &str = "fd00::1";
const PEER6: &str = "fd00::9";

/// Most frames that one frame may bring about: what waits for a neighbour, and an answer. Cut packets are
/// more, but nothing here sends any.
const MOST_SENT: usize = 200;

/// Hosts of all kinds.
fn host(choice: u8) -> Host {
    let mut config = config(1, &["10.0.0.1/24", "fd00::1/64"]);
    config.any_address = choice & 1 != 0;
    config.dhcp = choice & 2 != 0;
    config.slaac = choice & 4 != 0;
    if choice & 8 != 0 {
        config.offloads = ALL_OFFLOADS;
    }
    let mut host = Host::fresh(config);
    host.notes.ports = vec![53, 5353];
    host.notes.takes_echoes = choice & 16 != 0;
    host.notes.accepts = true;
    let group = "224.0.0.251".parse().expect("an address");
    host.stack.join(host.now, host.eth0, group);
    host
}

/// Gives a host a frame, lets some time pass, and looks at what it sends.
fn feed(host: &mut Host, choice: u8, frame: &[u8], pause: u8) {
    host.receive(frame);
    host.now += Duration::from_millis(u64::from(pause) * u64::from(pause));
    host.poll();
    let sent = host.sent();
    assert!(sent.len() <= MOST_SENT, "{} frames", sent.len());
    let skip = if choice & 8 != 0 { 10 } else { 0 };
    for frame in sent {
        assert!(frame.len() <= LONGEST_FRAME + skip);
        assert_eq!(frame[skip + 6..skip + 12], HOST.0, "our station");
    }
    host.notes.datagrams.clear();
    host.notes.echoes.clear();
    host.notes.errors.clear();
    host.notes.learnt.clear();
    host.notes.events.clear();
}

#[test]
fn fuzz_frames() {
    check!().with_iterations(20_000).for_each(|input: &[u8]| {
        let Some((&choice, mut rest)) = input.split_first() else {
            return;
        };
        let mut host = host(choice);
        while let [high, low, pause, tail @ ..] = rest {
            let len = usize::from(u16::from_be_bytes([*high, *low]));
            let (frame, next) = tail.split_at(len.min(tail.len()));
            feed(&mut host, choice, frame, *pause);
            rest = next;
        }
    });
}

#[test]
fn fuzz_edited() {
    let seeds = seeds();
    check!().with_iterations(5_000).for_each(|input: &[u8]| {
        let Some((&choice, rest)) = input.split_first() else {
            return;
        };
        let mut host = host(choice);
        // Each eight bytes: which frame, three edits, and what follows.
        for edits in rest.chunks_exact(8).take(64) {
            let seed = &seeds[usize::from(edits[0]) % seeds.len()];
            let mut frame = seed.clone();
            for edit in edits[1..7].chunks_exact(2) {
                // Most places are in the headers; none is the last quarter of the numbers.
                if let Some(byte) = frame
                    .get_mut(usize::from(edit[0]))
                    .filter(|_| edit[0] < 192)
                {
                    *byte = edit[1];
                }
            }
            let cut = usize::from(edits[7] >> 4);
            if edits[7] & 1 != 0 {
                frame.truncate(frame.len().saturating_sub(cut));
            }
            if edits[7] & 2 == 0 {
                mend(&mut frame);
            }
            if choice & 8 != 0 {
                frame.splice(0..0, [edits[7] & 3, 0, 0, 0, 0, 0, 34, 0, 6, 0]);
            }
            feed(&mut host, choice, &frame, edits[7] & 0x3c);
        }
    });
}

/// Makes the checksums right again, as far as the frame is one.
fn mend(frame: &mut [u8]) {
    let Some((link, packet)) = frame.split_at_mut_checked(14) else {
        return;
    };
    if link[12..] == [8, 0] && packet.len() >= 20 {
        let header_len = (usize::from(packet[0] & 15) * 4).clamp(20, packet.len());
        checksum::fill(&mut packet[..header_len], 10, 0);
        let protocol = packet[9];
        let from = std::net::Ipv4Addr::new(packet[12], packet[13], packet[14], packet[15]);
        let to = std::net::Ipv4Addr::new(packet[16], packet[17], packet[18], packet[19]);
        let segment = &mut packet[header_len..];
        let pseudo = checksum::pseudo_header(from.into(), to.into(), protocol, segment.len());
        match protocol {
            1 | 2 => checksum::fill(segment, 2, 0),
            6 => checksum::fill(segment, 16, pseudo),
            17 => checksum::fill(segment, 6, pseudo),
            _ => {}
        }
    } else if link[12..] == [0x86, 0xdd] && packet.len() >= 40 {
        let address = |at: usize| {
            let octets: [u8; 16] = packet[at..at + 16].try_into().expect("sixteen");
            std::net::IpAddr::from(octets)
        };
        let (from, to, protocol) = (address(8), address(24), packet[6]);
        let segment = &mut packet[40..];
        let pseudo = checksum::pseudo_header(from, to, protocol, segment.len());
        match protocol {
            6 => checksum::fill(segment, 16, pseudo),
            17 => checksum::fill(segment, 6, pseudo),
            58 => checksum::fill(segment, 2, pseudo),
            _ => {}
        }
    }
}

/// Valid frames of each kind.
fn seeds() -> Vec<Vec<u8>> {
    let octets = |text: &str| text.parse::<std::net::Ipv6Addr>().expect("one").octets();
    let v4 = |protocol: u8, payload: &[u8]| {
        ethernet(HOST, PEER, 0x0800, &ipv4(PEER4, OWN, protocol, payload))
    };
    let v6 = |next: u8, payload: &[u8]| {
        ethernet(HOST, PEER, 0x86dd, &ipv6(PEER6, OWN6, next, 64, payload))
    };
    let node = Mac([0x33, 0x33, 0xff, 0, 0, 1]);
    let all = Mac([0x33, 0x33, 0, 0, 0, 1]);
    let neighbour = |kind: u8, target: &str, option: u8| {
        let mut message = vec![kind, 0, 0, 0, 0x60, 0, 0, 0];
        message.extend(octets(target));
        message.extend([option, 1]);
        message.extend(PEER.0);
        message
    };
    let datagram = udp(PEER4, OWN, (1, 53), &[7; 64]);
    let datagram6 = udp(PEER6, OWN6, (1, 53), &[7; 64]);
    let ours = ipv4(OWN, PEER4, 17, &udp(OWN, PEER4, (53, 1), b"x"));
    let ours6 = ipv6(OWN6, PEER6, 17, 64, &udp(OWN6, PEER6, (53, 1), b"x"));
    let mut syn = vec![
        0, 1, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x60, 2, 0x20, 0, 0, 0, 0, 0, 2, 4, 5, 0xb4,
    ];
    let syn4 = frames::summed(PEER4, OWN, 6, 16, syn.clone());
    syn[13] = 0x10;
    let ack6 = frames::summed(PEER6, OWN6, 6, 16, syn);
    let too_big = |head: [u8; 8], packet: &[u8]| [&head[..], packet].concat();
    let mut advertisement = vec![134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    advertisement.extend([1, 1, 2, 0, 0, 0, 0, 9, 5, 1, 0, 0, 0, 0, 5, 0x78]);
    advertisement.extend([3, 4, 64, 0xc0, 0, 0, 28, 32, 0, 0, 14, 16, 0, 0, 0, 0]);
    advertisement.extend(octets("2001:db8::"));
    advertisement.extend([25, 3, 0, 0, 0, 0, 0, 60]);
    advertisement.extend(octets("2001:db8::53"));
    advertisement.extend(b"\x1f\x03\0\0\0\0\0\x3c\x07example\x03org\0\0\0\0");
    advertisement.extend([24, 2, 32, 0x18, 0, 0, 0, 60, 0x20, 1, 0xd, 0xb9, 0, 0, 0, 0]);
    let fragment6 = |place: u16, data: &[u8]| {
        let [high, low] = place.to_be_bytes();
        v6(44, &[&[17, 0, high, low, 0, 0, 0, 9][..], data].concat())
    };
    vec![
        arp_frame(ALL, 1, PEER, [10, 0, 0, 9], [10, 0, 0, 1]),
        arp_frame(HOST, 2, PEER, [10, 0, 0, 9], [10, 0, 0, 1]),
        v4(17, &datagram),
        v6(17, &datagram6),
        v4(6, &syn4),
        v6(6, &ack6),
        icmp_frame(PEER4, OWN, vec![8, 0, 0, 0, 0, 1, 0, 1, 5, 5]),
        icmp_frame(PEER4, OWN, too_big([3, 4, 0, 0, 0, 0, 4, 0], &ours)),
        icmp_frame(PEER4, OWN, too_big([3, 3, 0, 0, 0, 0, 0, 0], &ours)),
        icmp6_frame(HOST, PEER6, OWN6, 64, vec![128, 0, 0, 0, 0, 1, 0, 1, 5, 5]),
        icmp6_frame(
            HOST,
            PEER6,
            OWN6,
            64,
            too_big([2, 0, 0, 0, 0, 0, 5, 0], &ours6),
        ),
        icmp6_frame(node, PEER6, "ff02::1:ff00:1", 255, neighbour(135, OWN6, 1)),
        icmp6_frame(HOST, PEER6, OWN6, 255, neighbour(136, PEER6, 2)),
        icmp6_frame(all, "fe80::9", "ff02::1", 255, advertisement),
        icmp6_frame(
            all,
            "fe80::9",
            "ff02::1",
            1,
            [&[130, 0, 0, 0, 0, 9, 0, 0][..], &[0; 16]].concat(),
        ),
        ethernet(
            HOST,
            PEER,
            0x0800,
            &ipv4_piece(PEER4, OWN, 17, 0x2000, 5, &datagram[..56]),
        ),
        ethernet(
            HOST,
            PEER,
            0x0800,
            &ipv4_piece(PEER4, OWN, 17, 7, 5, &datagram[56..]),
        ),
        fragment6(1, &datagram6[..56]),
        fragment6(56, &datagram6[56..]),
        v6(60, &[&[17, 0, 1, 4, 0, 0, 0, 0][..], &datagram6].concat()),
        ethernet(
            Mac([1, 0, 0x5e, 0, 0, 1]),
            PEER,
            0x0800,
            &ipv4(PEER4, "224.0.0.1", 2, &[0x11, 10, 0xee, 0xf5, 0, 0, 0, 0]),
        ),
        lease(),
    ]
}

/// A server's acknowledgement, as far as a transaction can be guessed.
fn lease() -> Vec<u8> {
    let mut message = vec![2, 1, 6, 0, 0, 0, 0, 0];
    message.resize(28, 0);
    message[16..20].copy_from_slice(&[10, 0, 0, 15]);
    message.extend(HOST.0);
    message.resize(236, 0);
    message.extend([0x63, 0x82, 0x53, 0x63, 53, 1, 5, 54, 4, 10, 0, 0, 9]);
    message.extend([
        1, 4, 255, 255, 255, 0, 3, 4, 10, 0, 0, 9, 51, 4, 0, 0, 14, 16,
    ]);
    message.extend([121, 5, 0, 10, 0, 0, 9, 119, 5, 3, b'e', b'n', b'g', 0, 255]);
    let segment = udp(PEER4, "255.255.255.255", (67, 68), &message);
    ethernet(
        ALL,
        PEER,
        0x0800,
        &ipv4(PEER4, "255.255.255.255", 17, &segment),
    )
}

/// The corpus holds a frame of each kind, and all of them in a row.
#[test]
fn the_corpus_is_of_valid_frames() {
    for (index, seed) in seeds().iter().enumerate() {
        let mut host = host(0x1f & !8 & !1);
        host.receive(seed);
        let (_, state) = host.stack.interfaces().next().expect("an interface");
        assert_eq!(state.counters.received_errors, 0, "seed {index}");
    }
}

/// Writes the corpus of `fuzz_frames` anew: a frame of each kind, and all of them in a row. Run when
/// [`seeds`] change, with `--ignored`.
#[test]
#[ignore = "writes into the source tree"]
fn write_the_corpus() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/__fuzz__/frames/corpus");
    std::fs::create_dir_all(folder).expect("a folder");
    let record = |seed: &Vec<u8>| {
        let len = u16::try_from(seed.len()).expect("short").to_be_bytes();
        [&len[..], &[1], seed].concat()
    };
    let seeds = seeds();
    for (index, seed) in seeds.iter().enumerate() {
        let input = [&[0x16][..], &record(seed)].concat();
        std::fs::write(format!("{folder}/kind-{index:02}"), input).expect("a file");
    }
    for choice in [0x16, 0x17] {
        let all = seeds.iter().flat_map(record);
        let input: Vec<u8> = std::iter::once(choice).chain(all).collect();
        std::fs::write(format!("{folder}/all-{choice:02x}"), input).expect("a file");
    }
}
