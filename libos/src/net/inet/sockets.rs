//! What the stack asks of the sockets, passed on to the kind of socket that it concerns.

use libos_net::address::Flow;
use libos_net::config::InterfaceId;
use libos_net::owner::{
    Datagram, DatagramError, Delivery, Echo, Learnt, TcpEvents, Token, Verdict,
};
use libos_net::tcp::ConnectionId;

use super::{datagram, host, resolver, tcp};

/// All sockets of AF_INET and AF_INET6.
struct InetSockets;

/// Makes the sockets known to the stack; before it gets interfaces.
pub(super) fn init() {
    host::register(&InetSockets);
}

impl host::Sockets for InetSockets {
    fn connection_requested(&self, interface: InterfaceId, flow: Flow) -> Verdict {
        tcp::remote::requested(interface, flow)
    }

    fn tcp(&self, connection: ConnectionId, token: Token, events: TcpEvents) {
        tcp::remote::note(connection, token, events);
    }

    fn udp(&self, datagram: &Datagram<'_>) -> Delivery {
        datagram::incoming::udp(datagram)
    }

    fn echo(&self, echo: &Echo<'_>) -> Delivery {
        datagram::incoming::echo(echo)
    }

    fn datagram_error(&self, error: &DatagramError) {
        datagram::incoming::datagram_error(error);
    }

    fn configured(&self, interface: InterfaceId, learnt: &Learnt) {
        resolver::configured(interface, learnt);
    }

    fn settle(&self) {
        tcp::remote::settle();
        datagram::incoming::settle();
        resolver::settle();
    }
}
