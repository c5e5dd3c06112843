//! IP headers of packets that we send.

use core::net::IpAddr;

use smoltcp::wire::checksum;

/// Length of an IPv4 header without options, in bytes.
pub(crate) const IPV4_HEADER_LEN: usize = 20;

/// Length of the fixed IPv6 header, in bytes.
pub(crate) const IPV6_HEADER_LEN: usize = 40;

/// Protocol numbers.
pub(crate) mod protocol {
    pub(crate) const HOP_BY_HOP: u8 = 0;
    pub(crate) const ICMP: u8 = 1;
    pub(crate) const IGMP: u8 = 2;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
    pub(crate) const ROUTING: u8 = 43;
    pub(crate) const FRAGMENT: u8 = 44;
    pub(crate) const ICMPV6: u8 = 58;
    pub(crate) const NO_NEXT: u8 = 59;
    pub(crate) const DESTINATION_OPTIONS: u8 = 60;
}

/// What an IP header says. Both addresses are of one family.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) hop_limit: u8,
    pub(crate) traffic_class: u8,
    /// Whether routers may not cut it (IPv4; they never do with IPv6).
    pub(crate) dont_fragment: bool,
    /// Tells its fragments from others' (IPv4).
    pub(crate) identification: u16,
}

impl Header {
    /// Length in bytes.
    pub(crate) fn len(&self) -> usize {
        header_len(self.destination)
    }

    /// Writes the header into the front of `packet`, whose length becomes the packet's. A `packet`
    /// that is shorter than its header, or longer than packets are, is left as it is.
    pub(crate) fn emit(&self, packet: &mut [u8]) {
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let Ok(total) = u16::try_from(packet.len()) else {
                    return;
                };
                let mut header = [0; IPV4_HEADER_LEN];
                header[0] = 0x45;
                header[1] = self.traffic_class;
                header[2..4].copy_from_slice(&total.to_be_bytes());
                header[4..6].copy_from_slice(&self.identification.to_be_bytes());
                header[6] = u8::from(self.dont_fragment) << 6;
                header[8] = self.hop_limit;
                header[9] = self.protocol;
                header[12..16].copy_from_slice(&source.octets());
                header[16..20].copy_from_slice(&destination.octets());
                set_ipv4_checksum(&mut header);
                put_front(packet, &header);
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let payload = packet.len().saturating_sub(IPV6_HEADER_LEN);
                let Ok(payload) = u16::try_from(payload) else {
                    return;
                };
                let mut header = [0; IPV6_HEADER_LEN];
                header[0] = 0x60 | self.traffic_class >> 4;
                header[1] = self.traffic_class << 4;
                header[4..6].copy_from_slice(&payload.to_be_bytes());
                header[6] = self.protocol;
                header[7] = self.hop_limit;
                header[8..24].copy_from_slice(&source.octets());
                header[24..40].copy_from_slice(&destination.octets());
                put_front(packet, &header);
            }
            _ => {}
        }
    }
}

/// Length of a header without options towards `address`.
pub(crate) fn header_len(address: IpAddr) -> usize {
    match address {
        IpAddr::V4(_) => IPV4_HEADER_LEN,
        IpAddr::V6(_) => IPV6_HEADER_LEN,
    }
}

/// Sets the checksum of a whole IPv4 header.
pub(crate) fn set_ipv4_checksum(header: &mut [u8]) {
    if let Some(field) = header.get_mut(10..12) {
        field.fill(0);
    }
    let sum = !checksum::data(header);
    if let Some(field) = header.get_mut(10..12) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
}

fn put_front(packet: &mut [u8], header: &[u8]) {
    if let Some(front) = packet.get_mut(..header.len()) {
        front.copy_from_slice(header);
    }
}
