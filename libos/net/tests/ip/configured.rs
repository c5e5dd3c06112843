//! DHCP against a small server, and SLAAC against a small router.

use std::net::Ipv4Addr;

use libos_net::config::{Mac, Offloads};
use libos_net::time::Duration;

use crate::frames::{ALL, HOST, PEER, ethernet, icmp6_frame, inside, ipv4, kind, udp};
use crate::network::{Host, config, ip, network};

const SERVER: &str = "10.0.2.2";
const LEASED: &str = "10.0.2.15";

/// A message of a client: its kind, whom its packet was from and to, and its options' bytes.
#[derive(Clone, Debug)]
struct Asked {
    kind: u8,
    from: [u8; 4],
    to: [u8; 4],
    station: Mac,
    transaction: [u8; 4],
    client_ip: [u8; 4],
    options: Vec<u8>,
}

impl Asked {
    fn option(&self, wanted: u8) -> Option<Vec<u8>> {
        let mut rest = &self.options[..];
        while let [kind, len, tail @ ..] = rest {
            let (data, next) = tail.split_at_checked(usize::from(*len))?;
            if *kind == wanted {
                return Some(data.to_vec());
            }
            rest = next;
        }
        None
    }
}

/// The DHCP messages among frames.
fn asked(frames: &[Vec<u8>]) -> Vec<Asked> {
    let mut found = Vec::new();
    for frame in frames.iter().filter(|frame| kind(frame) == 0x0800) {
        let (protocol, segment) = inside(frame);
        if protocol != 17 || segment[..4] != [0, 68, 0, 67] {
            continue;
        }
        let message = &segment[8..];
        let field = |at: usize| message[at..at + 4].try_into().expect("four");
        assert_eq!(message[..3], [1, 1, 6]);
        assert_eq!(message[28..34], HOST.0);
        let mut one = Asked {
            kind: 0,
            from: frame[26..30].try_into().expect("four"),
            to: frame[30..34].try_into().expect("four"),
            station: Mac(frame[..6].try_into().expect("six")),
            transaction: field(4),
            client_ip: field(12),
            options: message[240..].to_vec(),
        };
        one.kind = one.option(53).expect("a kind")[0];
        found.push(one);
    }
    found
}

/// A server's answer in a frame: broadcast, or to the leased address.
fn answer(to: &Asked, kind: u8, options: &[u8], destination: &str) -> Vec<u8> {
    let mut message = vec![2, 1, 6, 0];
    message.extend(to.transaction);
    message.extend([0; 8]);
    message.extend(LEASED.parse::<Ipv4Addr>().expect("one").octets());
    message.extend([0; 8]);
    message.extend(HOST.0);
    message.resize(236, 0);
    message.extend([0x63, 0x82, 0x53, 0x63, 53, 1, kind, 54, 4, 10, 0, 2, 2]);
    message.extend(options);
    message.push(255);
    let station = if destination == "255.255.255.255" {
        ALL
    } else {
        HOST
    };
    let segment = udp(SERVER, destination, (67, 68), &message);
    ethernet(
        station,
        PEER,
        0x0800,
        &ipv4(SERVER, destination, 17, &segment),
    )
}

const EVERYBODY: &str = "255.255.255.255";

/// A lease of an hour with all that there is.
fn full() -> Vec<u8> {
    let mut options = vec![1, 4, 255, 255, 255, 0];
    options.extend([3, 4, 10, 0, 2, 2, 6, 8, 10, 0, 2, 3, 8, 8, 8, 8]);
    options.extend(b"\x0f\x0bexample.org");
    options.extend([26, 2, 5, 0x78]);
    options.extend([51, 4, 0, 0, 0x0e, 0x10]);
    options
}

fn client() -> Host {
    let mut config = config(1, &[]);
    config.dhcp = true;
    Host::fresh(config)
}

/// A client with a lease.
fn bound(options: &[u8]) -> Host {
    let mut host = client();
    host.poll();
    let discover = asked(&host.sent()).pop().expect("a discover");
    host.receive(&answer(&discover, 2, options, EVERYBODY));
    let request = asked(&host.sent()).pop().expect("a request");
    host.receive(&answer(&request, 5, options, EVERYBODY));
    assert!(host.stack.is_own(ip(LEASED)));
    host
}

#[test]
fn an_address_is_leased() {
    let mut host = client();
    host.poll();
    let frames = host.sent();
    let discover = asked(&frames).pop().expect("a discover");
    assert_eq!(
        (discover.kind, discover.from, discover.to),
        (1, [0; 4], [255; 4])
    );
    assert_eq!(discover.station, ALL);
    assert!(discover.option(55).expect("wishes").contains(&121));
    host.receive(&answer(&discover, 2, &full(), EVERYBODY));
    let request = asked(&host.sent()).pop().expect("a request");
    assert_eq!(request.kind, 3);
    assert_eq!(request.option(50), Some(vec![10, 0, 2, 15]));
    assert_eq!(request.option(54), Some(vec![10, 0, 2, 2]));
    assert!(!host.stack.is_own(ip(LEASED)), "only offered");
    host.receive(&answer(&request, 5, &full(), EVERYBODY));
    let (_, state) = host.stack.interfaces().next().expect("an interface");
    assert_eq!(state.config.addresses, [network("10.0.2.15/24")]);
    assert_eq!(state.config.mtu, 1400);
    let found = host.stack.source_for(ip("8.8.8.8"));
    assert_eq!(found, Some((host.eth0, ip(LEASED))));
    let learnt = host.notes.learnt.pop().expect("it is told");
    assert_eq!(learnt.dns, [ip("10.0.2.3"), ip("8.8.8.8")]);
    assert_eq!(learnt.search, ["example.org"]);
    assert!(
        host.sent().iter().any(|frame| kind(frame) == 0x0806),
        "announced"
    );
}

#[test]
fn an_answer_to_the_offered_address_is_heard() {
    let mut host = client();
    host.poll();
    let discover = asked(&host.sent()).pop().expect("a discover");
    host.receive(&answer(&discover, 2, &full(), LEASED));
    let request = asked(&host.sent()).pop().expect("a request");
    host.receive(&answer(&request, 5, &full(), LEASED));
    assert!(host.stack.is_own(ip(LEASED)));
}

#[test]
fn silence_is_met_with_patience() {
    let mut host = client();
    host.pass(Duration::from_secs(200));
    let count = asked(&host.sent()).len();
    assert!((6..=10).contains(&count), "{count} in 200 s");
    // A server that offers and then is silent is left after a while.
    let mut host = client();
    host.poll();
    let discover = asked(&host.sent()).pop().expect("a discover");
    host.receive(&answer(&discover, 2, &full(), EVERYBODY));
    host.pass(Duration::from_secs(40));
    let kinds: Vec<u8> = asked(&host.sent()).iter().map(|one| one.kind).collect();
    assert_eq!(kinds[..5], [3; 5]);
    assert!(kinds[5..].iter().all(|&kind| kind == 1), "{kinds:?}");
    assert!(kinds.len() > 5);
}

#[test]
fn a_lease_is_extended_by_its_server_then_by_anybody_and_then_ends() {
    let mut host = bound(&full());
    host.notes.learnt.clear();
    host.sent();
    // The server answers requests for its station.
    host.receive(&crate::frames::arp_frame(
        ALL,
        1,
        PEER,
        [10, 0, 2, 2],
        [10, 0, 2, 15],
    ));
    host.sent();
    host.pass(Duration::from_secs(1801));
    let renewal = asked(&host.sent()).pop().expect("a renewal");
    assert_eq!(
        (renewal.kind, renewal.from, renewal.to),
        (3, [10, 0, 2, 15], [10, 0, 2, 2])
    );
    assert_eq!((renewal.client_ip, renewal.station), ([10, 0, 2, 15], PEER));
    assert_eq!(renewal.option(50), None);
    host.receive(&answer(&renewal, 5, &full(), LEASED));
    assert!(host.notes.learnt.is_empty(), "nothing is new");
    // Nobody answers any more.
    host.pass(Duration::from_secs(3149));
    host.sent();
    host.pass(Duration::from_secs(5));
    let rebinding = asked(&host.sent()).pop().expect("a request to all");
    assert_eq!(
        (rebinding.to, rebinding.client_ip),
        ([255; 4], [10, 0, 2, 15])
    );
    host.pass(Duration::from_secs(500));
    assert!(!host.stack.is_own(ip(LEASED)), "it is over");
    assert_eq!(host.stack.routes().count(), 0);
    assert!(host.notes.learnt.last().expect("told").dns.is_empty());
    let discover = asked(&host.sent()).pop().expect("a discover");
    assert_eq!(
        (discover.kind, discover.option(50)),
        (1, Some(vec![10, 0, 2, 15]))
    );
}

#[test]
fn a_refusal_begins_anew() {
    let mut host = client();
    host.poll();
    let discover = asked(&host.sent()).pop().expect("a discover");
    host.receive(&answer(&discover, 2, &full(), EVERYBODY));
    let request = asked(&host.sent()).pop().expect("a request");
    host.receive(&answer(&request, 6, &[], EVERYBODY));
    host.poll();
    let again = asked(&host.sent()).pop().expect("a discover");
    assert_eq!(again.kind, 1);
    assert_ne!(again.transaction, request.transaction);
    host.receive(&answer(&request, 5, &full(), EVERYBODY));
    assert!(!host.stack.is_own(ip(LEASED)), "an old acknowledgement");
}

#[test]
fn classless_routes_are_taken() {
    let mut options = vec![1, 4, 255, 255, 255, 255];
    options.extend([121, 14, 32, 10, 0, 2, 2, 0, 0, 0, 0, 0, 10, 0, 2, 2]);
    options.extend([51, 4, 0xff, 0xff, 0xff, 0xff]);
    let mut host = bound(&options);
    host.sent();
    host.send("0.0.0.0:1", "8.8.8.8:2", b"x");
    let frames = host.sent();
    assert_eq!(
        (kind(&frames[0]), &frames[0][38..42]),
        (0x0806, &[10, 0, 2, 2][..])
    );
    host.pass(Duration::from_secs(1_000_000));
    assert!(host.stack.is_own(ip(LEASED)), "for ever");
}

fn router(lifetime: u16, valid: u32, preferred: u32) -> Vec<u8> {
    let mut message = vec![134, 0, 0, 0, 64, 0];
    message.extend(lifetime.to_be_bytes());
    message.extend([0; 8]);
    message.extend([1, 1]);
    message.extend(PEER.0);
    message.extend([5, 1, 0, 0, 0, 0, 5, 0x78]);
    message.extend([3, 4, 64, 0xc0]);
    message.extend(valid.to_be_bytes());
    message.extend(preferred.to_be_bytes());
    message.extend([0; 4]);
    message.extend(
        "2001:db8::"
            .parse::<std::net::Ipv6Addr>()
            .expect("one")
            .octets(),
    );
    message.extend([25, 3, 0, 0, 0, 0, 0, 60]);
    message.extend(
        "2001:db8::53"
            .parse::<std::net::Ipv6Addr>()
            .expect("one")
            .octets(),
    );
    let all = Mac([0x33, 0x33, 0, 0, 0, 1]);
    icmp6_frame(all, "fe80::9", "ff02::1", 255, message)
}

fn seeker() -> Host {
    let mut config = config(1, &[]);
    config.slaac = true;
    config.offloads = Offloads::default();
    Host::fresh(config)
}

const MADE: &str = "2001:db8::ff:fe00:1";

#[test]
fn a_router_gives_address_way_and_servers() {
    let mut host = seeker();
    host.poll();
    let frames = host.sent();
    let types: Vec<u8> = frames.iter().map(|frame| frame[54]).collect();
    assert!(types.contains(&135) && types.contains(&133), "{types:?}");
    host.receive(&router(1800, 7200, 3600));
    assert!(host.stack.is_own(ip(MADE)) && host.stack.is_own(ip("fe80::ff:fe00:1")));
    let found = host.stack.source_for(ip("2a00::1"));
    assert_eq!(found, Some((host.eth0, ip(MADE))));
    let learnt = host.notes.learnt.pop().expect("it is told");
    assert_eq!(learnt.dns, [ip("2001:db8::53")]);
    host.sent();
    host.send("[::]:1", "[2a00::1]:2", b"x");
    let frames = host.sent();
    assert_eq!(
        frames[0][..6],
        PEER.0,
        "the router is known by its advertisement"
    );
    let mut long = crate::network::outgoing("[::]:1", "[2a00::1]:2", &[0; 1400]);
    long.may_fragment = false;
    assert!(
        host.stack.send_udp(host.now, &long).is_err(),
        "the router's MTU"
    );
    host.notes.learnt.clear();
    host.receive(&router(1800, 7200, 3600));
    assert!(host.notes.learnt.is_empty(), "nothing is new");
}

#[test]
fn what_a_router_gives_ends() {
    let mut host = seeker();
    host.receive(&router(1800, 7200, 3600));
    host.notes.learnt.clear();
    host.pass(Duration::from_secs(61));
    assert!(host.notes.learnt.last().expect("told").dns.is_empty());
    host.pass(Duration::from_secs(1800));
    let to = ip("2a00::1");
    assert_eq!(host.stack.source_for(to), None, "the way");
    assert!(host.stack.is_own(ip(MADE)));
    host.pass(Duration::from_secs(7200));
    assert!(!host.stack.is_own(ip(MADE)), "the address");
    host.receive(&router(1800, 7200, 3600));
    host.receive(&router(0, 7200, 3600));
    assert_eq!(host.stack.source_for(to), None, "taken back");
    host.receive(&router(1800, 1, 1));
    host.pass(Duration::from_secs(7000));
    assert!(
        host.stack.is_own(ip(MADE)),
        "nobody can end an address at once"
    );
}

#[test]
fn an_address_that_somebody_has_is_made_anew() {
    let mut host = seeker();
    host.receive(&router(1800, 7200, 3600));
    let mut claim = vec![136, 0, 0, 0, 0x20, 0, 0, 0];
    claim.extend(MADE.parse::<std::net::Ipv6Addr>().expect("one").octets());
    let all = Mac([0x33, 0x33, 0, 0, 0, 1]);
    let claim = icmp6_frame(all, "fe80::9", "ff02::1", 255, claim);
    host.receive(&claim);
    assert!(!host.stack.is_own(ip(MADE)));
    let (_, state) = host.stack.interfaces().next().expect("an interface");
    let near = state
        .config
        .addresses
        .iter()
        .filter(|own| network("2001:db8::/64").contains(own.address));
    assert_eq!(near.count(), 1, "another");
    let mut host = seeker();
    host.receive(&router(1800, 7200, 3600));
    host.pass(Duration::from_secs(2));
    host.receive(&claim);
    assert!(host.stack.is_own(ip(MADE)), "too late");
}
