//! The DHCP server: one address, for the one guest (RFC 2131).
//!
//! Main type: [`Server`]. Pure: bytes in, bytes out.

use crate::config::{Config, Subnet};
use smoltcp::wire::{DhcpMessageType, DhcpOption, DhcpPacket, DhcpRepr};
use std::net::{Ipv4Addr, SocketAddrV4};

/// UDP port of servers.
pub const SERVER_PORT: u16 = 67;

/// UDP port of clients.
const CLIENT_PORT: u16 = 68;

/// Option: name servers.
const NAME_SERVERS: u8 = 6;

/// Option: MTU of the interface.
const INTERFACE_MTU: u8 = 26;

/// How long the address may be used, in seconds. It is never given to another: a day saves renewals.
const LEASE: u32 = 86_400;

/// Answers for the guest.
#[derive(Clone, Copy, Debug)]
pub struct Server {
    subnet: Subnet<Ipv4Addr>,
    mtu: u16,
}

/// An answer to be sent from the gateway's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// To whom.
    pub to: SocketAddrV4,
    /// The message.
    pub message: Vec<u8>,
}

impl Server {
    /// By the configuration.
    pub fn new(config: &Config) -> Self {
        Self {
            subnet: config.ipv4,
            mtu: config.mtu,
        }
    }

    /// Answers a client's message; none if there is nothing to say.
    pub fn answer(&self, message: &[u8]) -> Option<Reply> {
        let packet = DhcpPacket::new_checked(message).ok()?;
        let request = DhcpRepr::parse(&packet).ok()?;
        let kind = match request.message_type {
            DhcpMessageType::Discover => DhcpMessageType::Offer,
            DhcpMessageType::Request => self.judge(&request)?,
            DhcpMessageType::Inform => DhcpMessageType::Ack,
            _ => return None,
        };
        let message = self.message(&request, kind)?;
        Some(Reply {
            to: destination(&request, kind),
            message,
        })
    }

    /// RFC 2131, section 4.3.2: what the client asks for, by whichever of the three fields.
    fn judge(&self, request: &DhcpRepr<'_>) -> Option<DhcpMessageType> {
        let chosen = request.server_identifier;
        if chosen.is_some_and(|server| server != self.subnet.gateway) {
            return None;
        }
        let asked = request.requested_ip.unwrap_or(request.client_ip);
        Some(match asked == self.subnet.guest {
            true => DhcpMessageType::Ack,
            false => DhcpMessageType::Nak,
        })
    }

    fn message(&self, request: &DhcpRepr<'_>, kind: DhcpMessageType) -> Option<Vec<u8>> {
        let dns = self.subnet.dns.octets();
        let mtu = self.mtu.to_be_bytes();
        let options = [
            DhcpOption {
                kind: NAME_SERVERS,
                data: &dns,
            },
            DhcpOption {
                kind: INTERFACE_MTU,
                data: &mtu,
            },
        ];
        let settles = kind != DhcpMessageType::Nak;
        let leases = settles && request.message_type != DhcpMessageType::Inform;
        let none = Ipv4Addr::UNSPECIFIED;
        let reply = DhcpRepr {
            message_type: kind,
            transaction_id: request.transaction_id,
            secs: 0,
            client_hardware_address: request.client_hardware_address,
            client_ip: if settles { request.client_ip } else { none },
            your_ip: if leases { self.subnet.guest } else { none },
            server_ip: none,
            router: settles.then_some(self.subnet.gateway),
            subnet_mask: settles.then(|| mask(self.subnet.prefix)),
            relay_agent_ip: request.relay_agent_ip,
            broadcast: request.broadcast,
            requested_ip: None,
            client_identifier: request.client_identifier,
            server_identifier: Some(self.subnet.gateway),
            parameter_request_list: None,
            dns_servers: None,
            max_size: None,
            lease_duration: leases.then_some(LEASE),
            renew_duration: None,
            rebind_duration: None,
            additional_options: if settles { &options } else { &[] },
        };
        let mut bytes = vec![0; reply.buffer_len()];
        reply
            .emit(&mut DhcpPacket::new_unchecked(&mut bytes[..]))
            .ok()?;
        Some(bytes)
    }
}

/// A client that has its address is answered there; one that has none, by broadcast, which every client takes.
fn destination(request: &DhcpRepr<'_>, kind: DhcpMessageType) -> SocketAddrV4 {
    let has_address = !request.client_ip.is_unspecified() && kind != DhcpMessageType::Nak;
    let address = if has_address {
        request.client_ip
    } else {
        Ipv4Addr::BROADCAST
    };
    SocketAddrV4::new(address, CLIENT_PORT)
}

fn mask(prefix: u8) -> Ipv4Addr {
    let host_bits = 32_u32.saturating_sub(prefix.into());
    Ipv4Addr::from_bits(u32::MAX.checked_shl(host_bits).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use smoltcp::wire::EthernetAddress;

    const GUEST: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
    const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);

    fn request(message_type: DhcpMessageType) -> DhcpRepr<'static> {
        DhcpRepr {
            message_type,
            transaction_id: 0x1234_5678,
            secs: 0,
            client_hardware_address: EthernetAddress([2, 0, 0, 0, 0, 1]),
            client_ip: Ipv4Addr::UNSPECIFIED,
            your_ip: Ipv4Addr::UNSPECIFIED,
            server_ip: Ipv4Addr::UNSPECIFIED,
            router: None,
            subnet_mask: None,
            relay_agent_ip: Ipv4Addr::UNSPECIFIED,
            broadcast: false,
            requested_ip: None,
            client_identifier: None,
            server_identifier: None,
            parameter_request_list: None,
            dns_servers: None,
            max_size: None,
            lease_duration: None,
            renew_duration: None,
            rebind_duration: None,
            additional_options: &[],
        }
    }

    fn answer(request: &DhcpRepr<'_>) -> Option<Reply> {
        let mut bytes = vec![0; request.buffer_len()];
        request
            .emit(&mut DhcpPacket::new_unchecked(&mut bytes[..]))
            .expect("room");
        Server::new(&Config::default()).answer(&bytes)
    }

    fn parsed(reply: &Reply, check: impl FnOnce(&DhcpRepr<'_>)) {
        let packet = DhcpPacket::new_checked(&reply.message[..]).expect("a message");
        check(&DhcpRepr::parse(&packet).expect("a message"));
    }

    #[test]
    fn discover_is_answered_by_an_offer_with_everything_in_it() {
        let reply = answer(&request(DhcpMessageType::Discover)).expect("an offer");
        assert_eq!(reply.to, SocketAddrV4::new(Ipv4Addr::BROADCAST, 68));
        parsed(&reply, |offer| {
            assert_eq!(offer.message_type, DhcpMessageType::Offer);
            assert_eq!((offer.transaction_id, offer.your_ip), (0x1234_5678, GUEST));
            assert_eq!(
                (offer.router, offer.server_identifier),
                (Some(GATEWAY), Some(GATEWAY))
            );
            assert_eq!(offer.subnet_mask, Some(Ipv4Addr::new(255, 255, 255, 0)));
            assert_eq!(offer.lease_duration, Some(LEASE));
            let dns = offer.dns_servers.as_ref().expect("name servers");
            assert_eq!(dns[..], [Ipv4Addr::new(10, 0, 2, 3)]);
        });
        let packet = DhcpPacket::new_checked(&reply.message[..]).expect("a message");
        let mtu = packet.options().find(|option| option.kind == INTERFACE_MTU);
        assert_eq!(
            mtu.map(|option| option.data.to_vec()),
            Some(vec![0x05, 0xdc])
        );
    }

    #[test]
    fn a_request_for_the_address_is_acknowledged_and_for_another_refused() {
        let asks = |asked: Ipv4Addr| DhcpRepr {
            requested_ip: Some(asked),
            server_identifier: Some(GATEWAY),
            ..request(DhcpMessageType::Request)
        };
        let reply = answer(&asks(GUEST)).expect("an answer");
        parsed(&reply, |ack| {
            assert_eq!(
                (ack.message_type, ack.your_ip),
                (DhcpMessageType::Ack, GUEST)
            );
        });
        let reply = answer(&asks(Ipv4Addr::new(192, 168, 0, 9))).expect("an answer");
        parsed(&reply, |nak| {
            assert_eq!(
                (nak.message_type, nak.your_ip),
                (DhcpMessageType::Nak, Ipv4Addr::UNSPECIFIED)
            );
            assert_eq!((nak.router, nak.lease_duration), (None, None));
        });
    }

    #[test]
    fn a_renewal_is_answered_where_the_client_is() {
        let renewal = DhcpRepr {
            client_ip: GUEST,
            ..request(DhcpMessageType::Request)
        };
        let reply = answer(&renewal).expect("an answer");
        assert_eq!(reply.to, SocketAddrV4::new(GUEST, 68));
        parsed(&reply, |ack| assert_eq!(ack.lease_duration, Some(LEASE)));
    }

    #[test]
    fn other_servers_clients_and_nonsense_get_no_answer() {
        let elsewhere = DhcpRepr {
            server_identifier: Some(Ipv4Addr::new(10, 0, 2, 99)),
            requested_ip: Some(GUEST),
            ..request(DhcpMessageType::Request)
        };
        assert_eq!(answer(&elsewhere), None);
        assert_eq!(answer(&request(DhcpMessageType::Release)), None);
        let server = Server::new(&Config::default());
        for bytes in [&[][..], &[0; 100], &[0xff; 300], &[1; 576]] {
            assert_eq!(server.answer(bytes), None);
        }
    }
}
