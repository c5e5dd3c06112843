//! Addresses of the command line: parsed and checked, and in the boot information's form.

use libos_abi::net::NetAddress;
use std::net::IpAddr;

/// What an address is refused for.
pub struct Unfit {
    /// What would have been right.
    pub expected: &'static str,
    /// What is wrong about it.
    pub found: String,
}

/// An address with the length of its network's prefix in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The address.
    pub address: IpAddr,
    /// Length of the prefix in bits, at most [`bits`] of the address.
    pub prefix: u8,
}

/// Length of an address of this version, in bits.
pub fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

impl Network {
    /// One address alone.
    pub fn host(address: IpAddr) -> Self {
        Self {
            address,
            prefix: bits(address),
        }
    }

    /// Every address of the version of `like`.
    pub fn all(like: IpAddr) -> Self {
        let address = match like {
            IpAddr::V4(_) => IpAddr::from([0; 4]),
            IpAddr::V6(_) => IpAddr::from([0; 16]),
        };
        Self { address, prefix: 0 }
    }

    /// `ADDRESS/PREFIX`; without a prefix one address alone.
    pub fn parse(text: &str) -> Option<Self> {
        let Some((address, prefix)) = text.split_once('/') else {
            return text.parse().ok().map(Self::host);
        };
        let address: IpAddr = address.parse().ok()?;
        let is_number = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix: u8 = prefix.parse().ok().filter(|_| is_number)?;
        (prefix <= bits(address)).then_some(Self { address, prefix })
    }

    /// Whether `other` has the same prefix.
    pub fn contains(self, other: IpAddr) -> bool {
        self.address.is_ipv4() == other.is_ipv4()
            && (number(self.address) ^ number(other)) & !self.host_mask() == 0
    }

    /// Whether there is no room for another address.
    pub fn is_host(self) -> bool {
        self.prefix == bits(self.address)
    }

    /// Refuses what cannot be an interface's own address.
    ///
    /// # Errors
    /// What is wrong about it.
    pub fn check_own(self) -> Result<(), Unfit> {
        check_unicast(self.address)?;
        self.check_place(self.address)
    }

    /// Refuses `address` if it stands for this network as a whole.
    ///
    /// # Errors
    /// What is wrong about it.
    pub fn check_place(self, address: IpAddr) -> Result<(), Unfit> {
        let expected = "the address of a host in its network";
        // A network of two addresses has neither (RFC 3021, RFC 6164).
        if self.prefix + 1 >= bits(self.address) || !self.contains(address) {
            return Ok(());
        }
        let host = number(address) & self.host_mask();
        if host == 0 {
            let found = format!(
                "{}, the address of the network {}",
                address,
                self.masked_text()
            );
            return Err(Unfit { expected, found });
        }
        if address.is_ipv4() && host == self.host_mask() {
            let found = format!(
                "{}, the broadcast address of {}",
                address,
                self.masked_text()
            );
            return Err(Unfit { expected, found });
        }
        Ok(())
    }

    /// The network, as `10.0.0.0/24`.
    pub fn masked_text(self) -> String {
        let masked = number(self.address) & !self.host_mask();
        Self {
            address: from_number(masked, self.address),
            ..self
        }
        .text()
    }

    /// The `number`th host of the network.
    pub fn host_number(self, number: u8) -> IpAddr {
        let masked = self::number(self.address) & !self.host_mask();
        from_number(masked | u128::from(number), self.address)
    }

    /// In the boot information's form.
    pub fn to_abi(self) -> NetAddress {
        to_abi(self.address, self.prefix)
    }

    fn text(self) -> String {
        format!("{}/{}", self.address, self.prefix)
    }

    fn host_mask(self) -> u128 {
        match bits(self.address) - self.prefix {
            128 => u128::MAX,
            host => (1 << host) - 1,
        }
    }
}

/// Refuses addresses that belong to no single host on a network.
///
/// # Errors
/// What is wrong about it.
pub fn check_unicast(address: IpAddr) -> Result<(), Unfit> {
    let kind = match address {
        _ if address.is_unspecified() => "the unspecified address",
        _ if address.is_loopback() => "a loopback address",
        _ if address.is_multicast() => "a multicast address",
        IpAddr::V4(address) if address.is_broadcast() => "the broadcast address",
        IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => "an IPv4 address in IPv6 form",
        _ => return Ok(()),
    };
    Err(Unfit {
        expected: "the address of a host",
        found: format!("{address}, {kind}"),
    })
}

/// In the boot information's form.
pub fn to_abi(address: IpAddr, prefix: u8) -> NetAddress {
    let mut bytes = [0; 16];
    let version = match address {
        IpAddr::V4(address) => {
            bytes[..4].copy_from_slice(&address.octets());
            4
        }
        IpAddr::V6(address) => {
            bytes = address.octets();
            6
        }
    };
    NetAddress {
        version,
        prefix: prefix.into(),
        bytes,
    }
}

/// No address.
pub const NONE: NetAddress = NetAddress {
    version: 0,
    prefix: 0,
    bytes: [0; 16],
};

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

fn from_number(number: u128, like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => u32::try_from(number).map_or(like, |number| IpAddr::V4(number.into())),
        IpAddr::V6(_) => IpAddr::V6(number.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn networks_are_parsed() {
        for (text, masked) in [
            ("10.0.0.2/24", "10.0.0.0/24"),
            ("10.1.2.3", "10.1.2.3/32"),
            ("10.1.2.3/0", "0.0.0.0/0"),
            ("fd00::5/64", "fd00::/64"),
            ("::1", "::1/128"),
            ("fd00::5/0", "::/0"),
        ] {
            assert_eq!(network(text).masked_text(), masked, "{text}");
        }
        for text in [
            "",
            "/",
            "10.0.0.2/33",
            "fd00::/129",
            "10.0.0/24",
            "10.0.0.300/24",
            "a/8",
            "10.0.0.1/+8",
            "10.0.0.1/",
        ] {
            assert_eq!(Network::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_network_contains_its_own() {
        let inside =
            |text: &str, other: &str| network(text).contains(other.parse().expect("an address"));
        assert!(inside("10.0.0.2/24", "10.0.0.255"));
        assert!(!inside("10.0.0.2/24", "10.0.1.0"));
        assert!(inside("10.0.0.2/0", "192.0.2.1"));
        assert!(!inside("10.0.0.2/0", "::"));
        assert!(inside("fd00::1/64", "fd00::ffff"));
        assert!(!inside("fd00::1/128", "fd00::2"));
    }

    #[test]
    fn addresses_of_no_single_host_are_refused() {
        for (text, word) in [
            ("10.0.0.0/24", "network 10.0.0.0/24"),
            ("10.0.0.255/24", "broadcast address of 10.0.0.0/24"),
            ("255.255.255.255", "broadcast"),
            ("0.0.0.0/8", "unspecified"),
            ("127.0.0.1/8", "loopback"),
            ("::1", "loopback"),
            ("224.0.0.1", "multicast"),
            ("ff02::1/64", "multicast"),
            ("fd00::/64", "network fd00::/64"),
            ("::ffff:10.0.0.1", "IPv4"),
        ] {
            let unfit = network(text).check_own().expect_err(text);
            assert!(unfit.found.contains(word), "{text}: {}", unfit.found);
        }
        for text in [
            "10.0.0.1/24",
            "10.0.0.0/31",
            "10.0.0.1/31",
            "10.0.0.0/32",
            "fd00::1/64",
            "fd00::/127",
            "fe80::1/64",
        ] {
            assert!(network(text).check_own().is_ok(), "{text}");
        }
    }

    #[test]
    fn the_boot_form_keeps_version_prefix_and_bytes() {
        let form = network("10.0.2.15/24").to_abi();
        assert_eq!(
            (form.version, form.prefix, &form.bytes[..5]),
            (4, 24, &[10, 0, 2, 15, 0][..])
        );
        let form = network("fd00::15/64").to_abi();
        assert_eq!(
            (form.version, form.prefix, form.bytes[0], form.bytes[15]),
            (6, 64, 0xfd, 0x15)
        );
    }
}
