//! Capability sets (capabilities(7)).
//!
//! A program that runs as user 0 holds the capabilities in [`Capabilities::GUEST`]: those whose
//! objects exist inside the image. What reaches beyond it (modules, clocks, reboot, raw I/O …) is
//! missing, as in a container, and the calls that need it answer EPERM. When a process's sets change
//! is up to [`super::Credentials`].

bitflags::bitflags! {
    /// Capability sets; bit n is capability number n of capabilities(7).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Capabilities: u64 {
        /// Change file owners.
        const CHOWN = 1 << 0;
        /// Pass by permission bits.
        const DAC_OVERRIDE = 1 << 1;
        /// Pass by permission bits for reading and searching.
        const DAC_READ_SEARCH = 1 << 2;
        /// Act as the owner of any file.
        const FOWNER = 1 << 3;
        /// Keep set-id bits.
        const FSETID = 1 << 4;
        /// Send signals to anyone.
        const KILL = 1 << 5;
        /// Change group ids.
        const SETGID = 1 << 6;
        /// Change user ids.
        const SETUID = 1 << 7;
        /// Change capability sets.
        const SETPCAP = 1 << 8;
        /// Bind ports below 1024.
        const NET_BIND_SERVICE = 1 << 10;
        /// Raw sockets.
        const NET_RAW = 1 << 13;
        /// Lock memory.
        const IPC_LOCK = 1 << 14;
        /// Change the root directory.
        const SYS_CHROOT = 1 << 18;
        /// Raise priorities.
        const SYS_NICE = 1 << 23;
        /// Raise resource limits.
        const SYS_RESOURCE = 1 << 24;
        /// Make device nodes.
        const MKNOD = 1 << 27;
        /// Take leases.
        const LEASE = 1 << 28;
        /// Set file capabilities.
        const SETFCAP = 1 << 31;
        /// All that Linux 6.12 knows (`CAP_LAST_CAP` is 40).
        const KNOWN = (1 << 41) - 1;
    }
}

impl Capabilities {
    /// What user 0 holds inside an image.
    pub const GUEST: Self = Self::from_bits_truncate(
        0b1_1111_1111
            | Self::NET_BIND_SERVICE.bits()
            | Self::NET_RAW.bits()
            | Self::IPC_LOCK.bits()
            | Self::SYS_CHROOT.bits()
            | Self::SYS_NICE.bits()
            | Self::SYS_RESOURCE.bits()
            | Self::MKNOD.bits()
            | Self::LEASE.bits()
            | Self::SETFCAP.bits(),
    );

    /// The set with only capability `number`; `None` if there is no such capability.
    pub fn single(number: u64) -> Option<Self> {
        let bit = 1_u64.checked_shl(u32::try_from(number).ok()?)?;
        Some(Self::from_bits_retain(bit)).filter(|set| Self::KNOWN.contains(*set))
    }
}
