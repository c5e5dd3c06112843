//! The internet layer: addresses, routes, neighbours, fragments, ICMP, configuration.

use core::net::IpAddr;

use crate::output::{Completion, Output};

/// The internet layer over all interfaces: the way out for the transports.
#[derive(Debug, Default)]
pub struct Internet {}

impl Output for Internet {
    fn ready(&self, _: IpAddr) -> bool {
        false
    }
    fn mtu(&self, _: IpAddr) -> u16 {
        1500
    }
    fn segmentation(&self, _: IpAddr) -> Option<usize> {
        None
    }
    fn completes_checksums(&self, _: IpAddr) -> bool {
        false
    }
    fn send(&mut self, _: IpAddr, _: usize, _: Completion, _: &mut dyn FnMut(&mut [u8])) {}
}
