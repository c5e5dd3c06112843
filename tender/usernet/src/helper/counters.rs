//! What happened, in numbers.

/// Counts since the start. Nothing here ends the helper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// TCP connections of the guest that a host took.
    pub connected: u64,
    /// Those that a host refused or could not be reached for.
    pub unreachable: u64,
    /// Connections to published ports.
    pub accepted: u64,
    /// Flows refused because a table or the memory for them was full.
    pub no_room: u64,
    /// Datagrams to hosts.
    pub datagrams_out: u64,
    /// Datagrams to the guest.
    pub datagrams_in: u64,
    /// Datagrams lost: a full buffer, or an address that leads nowhere.
    pub datagrams_lost: u64,
    /// Pings that the host does not let through (sysctl net.ipv4.ping_group_range).
    pub pings_refused: u64,
}
