//! Addresses, as `core::net` has them, in the combinations that the network needs.

use core::net::{IpAddr, SocketAddr};

/// The two ends of a conversation, seen from this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// This side.
    pub local: SocketAddr,
    /// The other side.
    pub remote: SocketAddr,
}

/// An address and the length of its network's prefix in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The address; host bits may be set.
    pub address: IpAddr,
    /// 0 to 32, or to 128.
    pub prefix: u8,
}

impl Network {
    /// Whether `address` lies in this network.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let host_bits = 32_u32.saturating_sub(self.prefix.into());
                (own.to_bits() ^ other.to_bits())
                    .checked_shr(host_bits)
                    .unwrap_or(0)
                    == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let host_bits = 128_u32.saturating_sub(self.prefix.into());
                (own.to_bits() ^ other.to_bits())
                    .checked_shr(host_bits)
                    .unwrap_or(0)
                    == 0
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_what_shares_its_prefix() {
        for (address, prefix, other, expected) in [
            ("10.0.0.1", 24, "10.0.0.255", true),
            ("10.0.0.1", 24, "10.0.1.0", false),
            ("10.0.0.1", 32, "10.0.0.2", false),
            ("10.0.0.1", 32, "10.0.0.1", true),
            ("10.0.0.1", 0, "192.0.2.1", true),
            ("fd00::1", 64, "fd00::ffff", true),
            ("fd00::1", 64, "fd00:0:0:1::", false),
            ("::1", 0, "fd00::1", true),
            ("::1", 0, "10.0.0.1", false),
        ] {
            let network = Network {
                address: address.parse().expect("an address"),
                prefix,
            };
            let other = other.parse().expect("an address");
            assert_eq!(network.contains(other), expected, "{network:?} {other}");
        }
    }
}
