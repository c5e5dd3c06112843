//! DHCP messages (RFC 2131, RFC 2132): what a client sends, and what it reads of a server's answer.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use smoltcp::wire::{DhcpMessageType, DhcpOption, DhcpPacket, DhcpRepr, EthernetAddress};

use crate::address::Network;
use crate::bytes::{array_at, ipv4_at, u16_at, u32_at};
use crate::config::{Mac, Route};

const SUBNET_MASK: u8 = 1;
const ROUTER: u8 = 3;
const NAME_SERVER: u8 = 6;
const HOST_NAME: u8 = 12;
const DOMAIN_NAME: u8 = 15;
const MTU: u8 = 26;
const BROADCAST: u8 = 28;
const LEASE_TIME: u8 = 51;
const RENEWAL_TIME: u8 = 58;
const REBINDING_TIME: u8 = 59;
const DOMAIN_SEARCH: u8 = 119;
const CLASSLESS_ROUTES: u8 = 121;

/// What we ask to be told.
const WANTED: [u8; 11] = [
    SUBNET_MASK,
    CLASSLESS_ROUTES,
    ROUTER,
    NAME_SERVER,
    DOMAIN_NAME,
    DOMAIN_SEARCH,
    MTU,
    BROADCAST,
    LEASE_TIME,
    RENEWAL_TIME,
    REBINDING_TIME,
];

/// Most name servers, routes and domains that are taken from one answer.
const MOST_SERVERS: usize = 8;
const MOST_ROUTES: usize = 32;
const MOST_DOMAINS: usize = 8;

/// Least MTU that a server may ask for (RFC 2132, section 5.1, says 68; Linux's clients 576).
const LEAST_MTU: u16 = 576;

/// What a client says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Who offers an address? The one that we had is preferred.
    Discover { preferred: Option<Ipv4Addr> },
    /// Give me the one that you offered.
    Select { server: Ipv4Addr, address: Ipv4Addr },
    /// May I keep it?
    Extend { address: Ipv4Addr },
}

/// What a server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Offer { server: Ipv4Addr, address: Ipv4Addr },
    Acknowledged(Lease),
    Refused { server: Option<Ipv4Addr> },
}

/// What a server lends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) server: Ipv4Addr,
    pub(crate) network: Network,
    pub(crate) routes: Vec<Route>,
    pub(crate) dns: Vec<IpAddr>,
    pub(crate) search: Vec<String>,
    pub(crate) mtu: Option<u16>,
    /// How long, in seconds; none for ever.
    pub(crate) seconds: Option<u32>,
    /// When to ask for more, and when to ask anybody, in seconds.
    pub(crate) renewal: Option<u32>,
    pub(crate) rebinding: Option<u32>,
}

/// The message for a request: BOOTP header and options, without UDP's.
pub(crate) fn emit(request: Request, transaction: u32, seconds: u16, mac: Mac) -> Vec<u8> {
    let (message_type, client_ip, requested_ip, server) = match request {
        Request::Discover { preferred } => (
            DhcpMessageType::Discover,
            Ipv4Addr::UNSPECIFIED,
            preferred,
            None,
        ),
        Request::Select { server, address } => (
            DhcpMessageType::Request,
            Ipv4Addr::UNSPECIFIED,
            Some(address),
            Some(server),
        ),
        Request::Extend { address } => (DhcpMessageType::Request, address, None, None),
    };
    let mac = EthernetAddress(mac.0);
    let message = DhcpRepr {
        message_type,
        transaction_id: transaction,
        secs: seconds,
        client_hardware_address: mac,
        client_ip,
        your_ip: Ipv4Addr::UNSPECIFIED,
        server_ip: Ipv4Addr::UNSPECIFIED,
        router: None,
        subnet_mask: None,
        relay_agent_ip: Ipv4Addr::UNSPECIFIED,
        // Without an address nobody can ask where it is, so that the answer must go to all.
        broadcast: client_ip.is_unspecified(),
        requested_ip,
        client_identifier: Some(mac),
        server_identifier: server,
        parameter_request_list: Some(&WANTED),
        dns_servers: None,
        max_size: Some(1500),
        lease_duration: None,
        renew_duration: None,
        rebind_duration: None,
        additional_options: &[DhcpOption {
            kind: HOST_NAME,
            data: b"libos",
        }],
    };
    let mut bytes = alloc::vec![0; message.buffer_len()];
    // It has the length that was asked for.
    let _ = message.emit(&mut DhcpPacket::new_unchecked(&mut bytes[..]));
    bytes
}

/// Reads an answer to the client with `mac`; none if it is none, or to somebody else.
pub(crate) fn parse(bytes: &[u8], transaction: u32, mac: Mac) -> Option<Answer> {
    let packet = DhcpPacket::new_checked(bytes).ok()?;
    let read = DhcpRepr::parse(&packet).ok()?;
    if read.transaction_id != transaction || read.client_hardware_address.0 != mac.0 {
        return None;
    }
    let server = read.server_identifier.filter(is_host);
    match read.message_type {
        DhcpMessageType::Offer => Some(Answer::Offer {
            server: server?,
            address: Some(read.your_ip).filter(is_host)?,
        }),
        DhcpMessageType::Nak => Some(Answer::Refused { server }),
        DhcpMessageType::Ack => {
            let address = Some(read.your_ip).filter(is_host)?;
            lease(&packet, server?, address).map(Answer::Acknowledged)
        }
        _ => None,
    }
}

fn is_host(address: &Ipv4Addr) -> bool {
    !(address.is_unspecified()
        || address.is_broadcast()
        || address.is_multicast()
        || address.is_loopback())
}

fn lease(packet: &DhcpPacket<&[u8]>, server: Ipv4Addr, address: Ipv4Addr) -> Option<Lease> {
    let option = |wanted: u8| {
        let mut options = packet.options();
        options
            .find(|option| option.kind == wanted)
            .map(|option| option.data.to_vec())
    };
    let seconds = |wanted: u8| option(wanted).and_then(|data| u32_at(&data, 0));
    let mask = option(SUBNET_MASK).and_then(|data| ipv4_at(&data, 0));
    let prefix = match mask {
        Some(mask) => prefix_of(mask)?,
        None => 32,
    };
    // RFC 3442: with classless routes the other kind does not count.
    let routes = match option(CLASSLESS_ROUTES).and_then(|data| classless_routes(&data)) {
        Some(routes) => routes,
        None => option(ROUTER)
            .and_then(|data| ipv4_at(&data, 0))
            .filter(is_host)
            .map(|gateway| route(Ipv4Addr::UNSPECIFIED, 0, gateway))
            .into_iter()
            .collect(),
    };
    let dns = option(NAME_SERVER).unwrap_or_default();
    let dns = dns.chunks_exact(4).filter_map(|bytes| ipv4_at(bytes, 0));
    let search = match option(DOMAIN_SEARCH) {
        Some(data) => domains(&data),
        None => option(DOMAIN_NAME)
            .and_then(|data| domain(&data))
            .into_iter()
            .collect(),
    };
    let mtu = option(MTU).and_then(|data| u16_at(&data, 0));
    Some(Lease {
        server,
        network: Network {
            address: address.into(),
            prefix,
        },
        routes,
        dns: dns.take(MOST_SERVERS).map(IpAddr::V4).collect(),
        search,
        mtu: mtu.filter(|&mtu| mtu >= LEAST_MTU),
        // A lease without a time is against the rules, and taken for an hour.
        seconds: Some(seconds(LEASE_TIME).unwrap_or(3600)).filter(|&time| time != u32::MAX),
        renewal: seconds(RENEWAL_TIME),
        rebinding: seconds(REBINDING_TIME),
    })
}

/// The length of a mask's prefix; none if it has holes.
fn prefix_of(mask: Ipv4Addr) -> Option<u8> {
    let bits = mask.to_bits();
    let ones = bits.leading_ones();
    (bits.count_ones() == ones).then_some(u8::try_from(ones).ok()?)
}

fn route(address: Ipv4Addr, prefix: u8, gateway: Ipv4Addr) -> Route {
    Route {
        destination: Network {
            address: address.into(),
            prefix,
        },
        // The unspecified gateway means the link itself (RFC 3442).
        gateway: (!gateway.is_unspecified()).then_some(gateway.into()),
        metric: 0,
    }
}

/// RFC 3442: each the length of a prefix, as many bytes as it needs, and the router.
fn classless_routes(mut data: &[u8]) -> Option<Vec<Route>> {
    let mut routes = Vec::new();
    while let Some((&prefix, rest)) = data.split_first() {
        let significant = usize::from(prefix.div_ceil(8));
        if prefix > 32 || routes.len() >= MOST_ROUTES {
            return None;
        }
        let mut address = [0; 4];
        address
            .get_mut(..significant)?
            .copy_from_slice(rest.get(..significant)?);
        let gateway = ipv4_at(rest, significant)?;
        routes.push(route(address.into(), prefix, gateway));
        data = rest.get(significant + 4..)?;
    }
    Some(routes)
}

/// A domain as text; none if it could not stand in resolv.conf(5).
fn domain(data: &[u8]) -> Option<String> {
    let text = core::str::from_utf8(data).ok()?;
    let text = text.trim_matches(|c: char| c == '\0' || c == '.' || c.is_ascii_whitespace());
    is_domain(text).then(|| text.into())
}

/// Whether `text` is a domain that can be written into resolv.conf(5).
pub(crate) fn is_domain(text: &str) -> bool {
    let is_fitting = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !text.is_empty() && text.len() <= 253 && text.chars().all(is_fitting)
}

/// RFC 3397: domains as DNS writes them, compressed.
fn domains(data: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < data.len() && found.len() < MOST_DOMAINS {
        let Some((name, next)) = dns_name(data, at) else {
            break;
        };
        if is_domain(&name) {
            found.push(name);
        }
        at = next;
    }
    found
}

/// A name of labels at `at`, and where the next one begins.
pub(crate) fn dns_name(data: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut name = String::new();
    let mut next = None;
    // Each jump goes back, and labels are at most 255 bytes together: a bound on both.
    for _ in 0..128 {
        let len = *data.get(at)?;
        match len >> 6 {
            0 if len == 0 => return Some((name, next.unwrap_or(at + 1))),
            0 => {
                let label = data.get(at + 1..at + 1 + usize::from(len))?;
                if !name.is_empty() {
                    name.push('.');
                }
                name.push_str(core::str::from_utf8(label).ok()?);
                at += 1 + usize::from(len);
            }
            3 => {
                let [high, low] = array_at::<2>(data, at)?;
                let target = usize::from(u16::from_be_bytes([high & 0x3f, low]));
                next = next.or(Some(at + 2));
                (target < at).then_some(())?;
                at = target;
            }
            _ => return None,
        }
        (name.len() <= 255).then_some(())?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const SERVER_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);

    /// A server's answer with `options`.
    fn answer(kind: DhcpMessageType, options: &[DhcpOption<'_>]) -> Vec<u8> {
        let message = DhcpRepr {
            message_type: kind,
            transaction_id: 7,
            secs: 0,
            client_hardware_address: EthernetAddress(MAC.0),
            client_ip: Ipv4Addr::UNSPECIFIED,
            your_ip: ADDRESS,
            server_ip: SERVER_ADDRESS,
            router: None,
            subnet_mask: None,
            relay_agent_ip: Ipv4Addr::UNSPECIFIED,
            broadcast: false,
            requested_ip: None,
            client_identifier: None,
            server_identifier: Some(SERVER_ADDRESS),
            parameter_request_list: None,
            dns_servers: None,
            max_size: None,
            lease_duration: None,
            renew_duration: None,
            rebind_duration: None,
            additional_options: options,
        };
        let mut bytes = alloc::vec![0; message.buffer_len()];
        message
            .emit(&mut DhcpPacket::new_unchecked(&mut bytes[..]))
            .expect("it fits");
        bytes
    }

    fn option(kind: u8, data: &[u8]) -> DhcpOption<'_> {
        DhcpOption { kind, data }
    }

    fn lease_of(options: &[DhcpOption<'_>]) -> Option<Lease> {
        match parse(&answer(DhcpMessageType::Ack, options), 7, MAC)? {
            Answer::Acknowledged(lease) => Some(lease),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_lease_is_read() {
        let lease = lease_of(&[
            option(SUBNET_MASK, &[255, 255, 255, 0]),
            option(ROUTER, &[10, 0, 2, 2, 10, 0, 2, 1]),
            option(NAME_SERVER, &[10, 0, 2, 3, 8, 8, 8, 8]),
            option(DOMAIN_NAME, b"example.org\0"),
            option(MTU, &[0x05, 0x78]),
            option(LEASE_TIME, &[0, 0, 0x0e, 0x10]),
            option(RENEWAL_TIME, &[0, 0, 0x07, 0x08]),
        ])
        .expect("a lease");
        let gateway = Some(IpAddr::V4(SERVER_ADDRESS));
        assert_eq!((lease.network.prefix, lease.mtu), (24, Some(1400)));
        assert_eq!(lease.routes.len(), 1);
        assert_eq!(lease.routes[0].gateway, gateway);
        assert_eq!(lease.dns.len(), 2);
        assert_eq!(lease.search, ["example.org"]);
        assert_eq!((lease.seconds, lease.renewal), (Some(3600), Some(1800)));
    }

    #[test]
    fn classless_routes_take_the_place_of_routers() {
        let routes = [0, 10, 0, 2, 9, 24, 192, 168, 1, 0, 0, 0, 0];
        let lease = lease_of(&[
            option(ROUTER, &[10, 0, 2, 2]),
            option(CLASSLESS_ROUTES, &routes),
        ])
        .expect("a lease");
        let gateways: Vec<_> = lease.routes.iter().map(|route| route.gateway).collect();
        let expected = Some(IpAddr::V4(Ipv4Addr::new(10, 0, 2, 9)));
        assert_eq!(gateways, [expected, None]);
        assert_eq!(lease.network.prefix, 32);
        for cut in 1..routes.len() {
            let parsed = classless_routes(&routes[..cut]);
            assert!(parsed.is_none() || cut == 5, "{cut} bytes");
        }
        assert!(classless_routes(&[33, 1, 2, 3, 4, 5, 6, 7, 8]).is_none());
    }

    #[test]
    fn domains_are_read_with_their_pointers() {
        let data = b"\x03eng\x05apple\x03com\x00\x09marketing\xc0\x04";
        assert_eq!(domains(data), ["eng.apple.com", "marketing.apple.com"]);
        for (what, data) in [
            ("a loop", &b"\xc0\x00"[..]),
            ("a jump ahead", b"\xc0\x09\x00"),
            ("a label outside", b"\x09abc"),
            ("another kind of label", b"\x40abc\x00"),
            ("a space", b"\x03a b\x00"),
        ] {
            assert!(domains(data).is_empty(), "{what}");
        }
    }

    #[test]
    fn answers_to_others_and_malformed_ones_are_refused() {
        let offer = answer(DhcpMessageType::Offer, &[]);
        let expected = Answer::Offer {
            server: SERVER_ADDRESS,
            address: ADDRESS,
        };
        assert_eq!(parse(&offer, 7, MAC), Some(expected));
        assert_eq!(parse(&offer, 8, MAC), None, "another transaction");
        assert_eq!(parse(&offer, 7, Mac([2; 6])), None, "another client");
        for len in 0..245 {
            assert_eq!(parse(&offer[..len], 7, MAC), None, "{len} bytes");
        }
        let holes = [option(SUBNET_MASK, &[255, 0, 255, 0])];
        assert_eq!(lease_of(&holes), None, "a mask with holes");
        let discover = emit(Request::Discover { preferred: None }, 7, 0, MAC);
        assert_eq!(parse(&discover, 7, MAC), None, "a client's message");
    }
}
