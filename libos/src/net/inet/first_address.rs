//! The program's start, as far as it waits for the network: an interface that is to learn its address has one
//! before the first instruction, as a container's has. Programs connect, bind and read `/etc/resolv.conf` once, and do not
//! come back to it.
//!
//! A lease takes a millisecond from the user-mode network, two or three seconds from servers that ask the network
//! first whether an address is free. Main function: [`await_addresses`]; [`patience`] says for whom and how long.

use core::net::IpAddr;
use core::sync::atomic::Ordering;
use core::time::Duration;

use libos_net::config::InterfaceConfig;

use super::address::is_link_local;
use super::host;
use crate::sched;
use crate::time::{Instant, timer};

/// So long is waited for the first address: two messages may be lost, or one be answered late.
const PATIENCE: Duration = Duration::from_secs(10);

/// So long is waited for IPv4 where IPv6 is there: for a server that asks the network first, but each start on a
/// network without IPv4 waits for it.
const PATIENCE_WITH_IPV6: Duration = Duration::from_secs(4);

/// So long is waited for IPv6 where an IPv4 address was given and routers are to be asked: they answer within half a
/// second (RFC 4861, MAX_RA_DELAY_TIME).
const PATIENCE_FOR_ROUTERS: Duration = Duration::from_secs(1);

/// Bit 0 of the attention word asks for another thread's turn; the others are host signals.
const HOST_SIGNALS: u32 = !1;

/// Lets the stack work until each interface has the address that the program may count on, or has been waited for.
/// A host signal ends the wait; the program gets it at its start.
pub fn await_addresses() {
    let begun = Instant::now();
    while let Some(patience) = longest_patience() {
        let now = Instant::now();
        let until = begun.after(patience);
        if now >= until {
            crate::stderr::warn(format_args!(
                "no address came from the network within {} s: the program starts without",
                patience.as_secs()
            ));
            return;
        }
        if has_host_signal() {
            return;
        }
        timer::expire(now);
        if !sched::host::service_devices() {
            let next = timer::next_deadline().map_or(until, |at| at.min(until));
            sched::host::poll(Some(next));
        }
    }
}

fn longest_patience() -> Option<Duration> {
    if !host::has_interfaces() {
        return None;
    }
    host::with(|stack, _, _| {
        let interfaces = stack.interfaces();
        interfaces
            .filter(|(_, interface)| interface.is_up)
            .filter_map(|(_, interface)| patience(interface.config))
            .max()
    })
}

/// How long an interface is waited for since the start; none if it has what it needs. Whoever may have
/// IPv4 waits for it. An interface that leased IPv4 is not waited for on account of IPv6: it asks for both where nothing was said,
/// and many networks have no router that would tell.
fn patience(config: &InterfaceConfig) -> Option<Duration> {
    let mut addresses = config.addresses.iter().map(|network| network.address);
    let has_ipv4 = addresses.clone().any(|address| address.is_ipv4());
    let is_global = |address: IpAddr| address.is_ipv6() && !is_link_local(address);
    let has_ipv6 = addresses.any(is_global);
    match (has_ipv4, has_ipv6) {
        (true, false) => (config.slaac && !config.dhcp).then_some(PATIENCE_FOR_ROUTERS),
        (true, true) => None,
        (false, true) => config.dhcp.then_some(PATIENCE_WITH_IPV6),
        (false, false) => (config.dhcp || config.slaac).then_some(PATIENCE),
    }
}

/// Ticks do not matter here; a signal stays noted.
fn has_host_signal() -> bool {
    let signals = sched::attention().swap(0, Ordering::Relaxed) & HOST_SIGNALS;
    sched::attention().fetch_or(signals, Ordering::Relaxed);
    signals != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use libos_net::address::Network;
    use libos_net::config::{Mac, Offloads};

    fn interface(addresses: &[&str], dhcp: bool, slaac: bool) -> InterfaceConfig {
        let network = |text: &&str| Network {
            address: text.parse().expect("an address"),
            prefix: 24,
        };
        InterfaceConfig {
            name: "eth0".into(),
            mac: Mac([2; 6]),
            mtu: 1500,
            addresses: addresses.iter().map(network).collect(),
            routes: Vec::new(),
            dhcp,
            slaac,
            any_address: false,
            offloads: Offloads::default(),
        }
    }

    #[test]
    fn only_who_learns_and_has_nothing_is_waited_for() {
        let link_local = "fe80::1";
        for (addresses, dhcp, slaac, expected) in [
            (&[][..], false, false, None),
            (&["10.0.0.2"], false, false, None),
            (&["fd00::2"], false, false, None),
            (&[link_local], true, false, Some(PATIENCE)),
            (&[link_local], false, true, Some(PATIENCE)),
            (&[link_local], true, true, Some(PATIENCE)),
            (&[link_local, "10.0.0.2"], true, true, None),
            (&["10.0.0.2"], false, true, Some(PATIENCE_FOR_ROUTERS)),
            (&["10.0.0.2", "fd00::2"], false, true, None),
            (&[link_local, "fd00::2"], false, true, None),
            (
                &[link_local, "fd00::2"],
                true,
                true,
                Some(PATIENCE_WITH_IPV6),
            ),
        ] {
            let config = interface(addresses, dhcp, slaac);
            assert_eq!(patience(&config), expected, "{addresses:?} {dhcp} {slaac}");
        }
    }
}
