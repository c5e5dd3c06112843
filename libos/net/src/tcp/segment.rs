//! Segments on the wire: what TCP reads of a packet that came, and segments without data that it
//! writes itself.
//!
//! - [`Segment`]: a checked view of an incoming packet.
//! - [`Control`]: a SYN, RST or bare ACK to be sent.
//! - [`finish`]: the last touches on any outgoing packet: traffic class and checksums.
//!
//! Segments with data are written by the [engine](super::engine).

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    IpAddress, IpProtocol, IpRepr, Ipv4Packet, Ipv6Packet, TcpControl, TcpPacket, TcpRepr, checksum,
};

use super::sequence::Sequence;
use crate::address::Flow;
use crate::output::{Completion, Output};

/// Length of an IPv4 header without options, in bytes.
pub(crate) const IPV4_HEADER_LEN: usize = 20;
/// Length of an IPv6 header, in bytes.
pub(crate) const IPV6_HEADER_LEN: usize = 40;
/// Length of a TCP header without options, in bytes.
pub(crate) const TCP_HEADER_LEN: usize = 20;

/// Length of the IP header of packets to `address`, in bytes.
pub(crate) fn ip_header_len(address: IpAddr) -> usize {
    match address {
        IpAddr::V4(_) => IPV4_HEADER_LEN,
        IpAddr::V6(_) => IPV6_HEADER_LEN,
    }
}

/// A segment that came, with its lengths checked.
#[derive(Debug)]
pub(crate) struct Segment<'a> {
    /// Seen from this side.
    pub flow: Flow,
    /// The IP packet, without bytes behind its end.
    pub packet: &'a [u8],
    tcp: TcpPacket<&'a [u8]>,
    /// Sequence number of the first byte (or of the SYN).
    pub seq: Sequence,
    /// What it acknowledges.
    pub ack: Option<Sequence>,
    /// It opens a connection.
    pub syn: bool,
    /// The stream ends behind its data.
    pub fin: bool,
    /// It resets the connection.
    pub rst: bool,
    /// Window, not scaled.
    pub window: u16,
    /// Bytes of data.
    pub payload_len: usize,
}

/// What a SYN says in its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SynOptions {
    /// Longest segment the other side takes, in bytes.
    pub mss: Option<u16>,
    /// By how many bits its windows are shifted.
    pub window_scale: Option<u8>,
    /// Whether it understands selective acknowledgements.
    pub sack: bool,
}

impl<'a> Segment<'a> {
    /// Reads a packet; none if it is malformed, or can't belong to a connection.
    pub fn parse(packet: &'a [u8], checksum_good: bool) -> Option<Self> {
        let (source, destination, packet, payload) = match packet.first()? >> 4 {
            4 => ipv4(packet)?,
            6 => ipv6(packet)?,
            _ => return None,
        };
        let tcp = TcpPacket::new_checked(payload).ok()?;
        if !checksum_good && !tcp.verify_checksum(&source.into(), &destination.into()) {
            return None;
        }
        let (syn, fin, rst) = (tcp.syn(), tcp.fin(), tcp.rst());
        let contradicts_itself = u8::from(syn) + u8::from(fin) + u8::from(rst) > 1;
        let flow = Flow {
            local: SocketAddr::new(destination, tcp.dst_port()),
            remote: SocketAddr::new(source, tcp.src_port()),
        };
        let is_addressed = tcp.src_port() != 0 && tcp.dst_port() != 0 && flow.local != flow.remote;
        if contradicts_itself || !is_addressed {
            return None;
        }
        Some(Self {
            flow,
            packet,
            seq: tcp.seq_number().into(),
            ack: tcp.ack().then(|| tcp.ack_number().into()),
            syn,
            fin,
            rst,
            window: tcp.window_len(),
            payload_len: payload.len().checked_sub(tcp.header_len().into())?,
            tcp,
        })
    }

    /// Numbers it occupies in the sequence space.
    pub fn len(&self) -> usize {
        self.payload_len + usize::from(self.syn) + usize::from(self.fin)
    }

    /// The number behind it.
    pub fn end(&self) -> Sequence {
        self.seq.plus(self.len())
    }

    /// Its options, for a SYN; malformed ones count as absent.
    pub fn syn_options(&self) -> SynOptions {
        let summary = self.tcp.options_summary().unwrap_or_default();
        SynOptions {
            mss: summary.max_segment_size.filter(|mss| *mss != 0),
            // RFC 7323, section 2.3: more than 14 counts as 14.
            window_scale: summary.window_scale.map(|shift| shift.min(14)),
            sack: summary.sack_permitted,
        }
    }

    /// Whether it reports data that came behind a hole (RFC 2018).
    pub fn reports_hole(&self) -> bool {
        if usize::from(self.tcp.header_len()) == TCP_HEADER_LEN {
            return false;
        }
        let ranges = self.tcp.selective_ack_ranges().unwrap_or_default();
        ranges
            .iter()
            .flatten()
            .any(|(start, _)| self.ack.is_some_and(|ack| Sequence(*start) > ack))
    }

    /// The reset that answers it where no connection is (RFC 9293, section 3.10.7.1); none for a
    /// reset.
    pub fn reset(&self) -> Option<Control> {
        if self.rst {
            return None;
        }
        let (seq, ack) = match self.ack {
            Some(ack) => (ack, None),
            None => (Sequence(0), Some(self.end())),
        };
        Some(Control {
            ack,
            kind: TcpControl::Rst,
            ..Control::new(self.flow, seq)
        })
    }
}

fn is_unicast(address: IpAddr) -> bool {
    !address.is_unspecified()
        && !address.is_multicast()
        && address != IpAddr::V4(Ipv4Addr::BROADCAST)
}

type Parsed<'a> = (IpAddr, IpAddr, &'a [u8], &'a [u8]);

fn ipv4(bytes: &[u8]) -> Option<Parsed<'_>> {
    let packet = Ipv4Packet::new_checked(bytes).ok()?;
    let is_whole = !packet.more_frags() && packet.frag_offset() == 0;
    let (source, destination) = (packet.src_addr().into(), packet.dst_addr().into());
    let is_ours = packet.next_header() == IpProtocol::Tcp
        && is_whole
        && is_unicast(source)
        && is_unicast(destination);
    let end = usize::from(packet.total_len());
    is_ours.then_some(())?;
    Some((
        source,
        destination,
        bytes.get(..end)?,
        bytes.get(packet.header_len().into()..end)?,
    ))
}

fn ipv6(bytes: &[u8]) -> Option<Parsed<'_>> {
    let packet = Ipv6Packet::new_checked(bytes).ok()?;
    let (source, destination) = (packet.src_addr().into(), packet.dst_addr().into());
    // Extension headers are the internet layer's, which takes them off.
    let is_ours =
        packet.next_header() == IpProtocol::Tcp && is_unicast(source) && is_unicast(destination);
    let end = packet.total_len();
    is_ours.then_some(())?;
    Some((
        source,
        destination,
        bytes.get(..end)?,
        bytes.get(IPV6_HEADER_LEN..end)?,
    ))
}

/// A segment without data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Control {
    /// Seen from this side.
    pub flow: Flow,
    /// SYN, RST or nothing.
    pub kind: TcpControl,
    /// Its sequence number.
    pub seq: Sequence,
    /// What it acknowledges.
    pub ack: Option<Sequence>,
    /// Window, scaled already.
    pub window: u16,
    /// Options, if it is a SYN.
    pub options: Option<SynOptions>,
    /// Hop limit.
    pub hop_limit: u8,
    /// Traffic class.
    pub traffic_class: u8,
}

impl Control {
    /// An empty segment.
    pub fn new(flow: Flow, seq: Sequence) -> Self {
        Self {
            flow,
            kind: TcpControl::None,
            seq,
            ack: None,
            window: 0,
            options: None,
            hop_limit: 64,
            traffic_class: 0,
        }
    }

    /// Sends it.
    pub fn send(&self, output: &mut dyn Output) {
        let destination = self.flow.remote.ip();
        let completion = if output.completes_checksums(destination) {
            Completion::Checksum
        } else {
            Completion::Whole
        };
        let (ip, tcp) = self.parts();
        output.send(destination, ip.buffer_len(), completion, &mut |buffer| {
            self.write(&ip, &tcp, buffer);
            finish(buffer, self.traffic_class, completion);
        });
    }

    /// Writes it to the start of `buffer`, without checksums; returns its length in bytes.
    pub fn write_to(&self, buffer: &mut [u8]) -> usize {
        let (ip, tcp) = self.parts();
        let len = ip.buffer_len();
        if let Some(buffer) = buffer.get_mut(..len) {
            self.write(&ip, &tcp, buffer);
        }
        len
    }

    fn parts(&self) -> (IpRepr, TcpRepr<'static>) {
        let options = self.options.unwrap_or(SynOptions {
            mss: None,
            window_scale: None,
            sack: false,
        });
        let tcp = TcpRepr {
            src_port: self.flow.local.port(),
            dst_port: self.flow.remote.port(),
            control: self.kind,
            seq_number: self.seq.into(),
            ack_number: self.ack.map(Into::into),
            window_len: self.window,
            window_scale: options.window_scale,
            max_seg_size: options.mss,
            sack_permitted: options.sack,
            sack_ranges: [None; 3],
            timestamp: None,
            payload: &[],
        };
        let ip = IpRepr::new(
            self.flow.local.ip().into(),
            self.flow.remote.ip().into(),
            IpProtocol::Tcp,
            tcp.buffer_len(),
            self.hop_limit.max(1),
        );
        (ip, tcp)
    }

    fn write(&self, ip: &IpRepr, tcp: &TcpRepr<'_>, buffer: &mut [u8]) {
        let ignored = ChecksumCapabilities::ignored();
        ip.emit(&mut *buffer, &ignored);
        if let Some(payload) = buffer.get_mut(ip.header_len()..) {
            let (local, remote) = (self.flow.local.ip(), self.flow.remote.ip());
            let mut packet = TcpPacket::new_unchecked(payload);
            tcp.emit(&mut packet, &local.into(), &remote.into(), &ignored);
        }
    }
}

/// Sets what the engine leaves open on an outgoing packet: the traffic class, the checksum of an IPv4
/// header, and TCP's unless the way out completes it.
pub(crate) fn finish(buffer: &mut [u8], traffic_class: u8, completion: Completion) {
    match buffer.first().map(|first| first >> 4) {
        Some(4) if buffer.len() >= IPV4_HEADER_LEN + TCP_HEADER_LEN => {
            buffer[1] = traffic_class;
            let mut packet = Ipv4Packet::new_unchecked(&mut *buffer);
            packet.fill_checksum();
            let (source, destination) = (packet.src_addr(), packet.dst_addr());
            if completion == Completion::Whole {
                fill_checksum(
                    &mut buffer[IPV4_HEADER_LEN..],
                    source.into(),
                    destination.into(),
                );
            }
        }
        Some(6) if buffer.len() >= IPV6_HEADER_LEN + TCP_HEADER_LEN => {
            let mut packet = Ipv6Packet::new_unchecked(&mut *buffer);
            packet.set_traffic_class(traffic_class);
            let (source, destination) = (packet.src_addr(), packet.dst_addr());
            if completion == Completion::Whole {
                fill_checksum(
                    &mut buffer[IPV6_HEADER_LEN..],
                    source.into(),
                    destination.into(),
                );
            }
        }
        _ => {}
    }
}

/// The field is zero already.
fn fill_checksum(segment: &mut [u8], source: IpAddress, destination: IpAddress) {
    let len = u32::try_from(segment.len()).unwrap_or(0);
    let sum = !checksum::combine(&[
        checksum::pseudo_header(&source, &destination, IpProtocol::Tcp, len),
        checksum::data(segment),
    ]);
    TcpPacket::new_unchecked(segment).set_checksum(sum);
}
