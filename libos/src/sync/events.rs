//! Readiness, as poll(2) and epoll(7) speak of it.

bitflags::bitflags! {
    /// Events; the numbers of `POLLIN` … and, for these, of `EPOLLIN` ….
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct PollEvents: u32 {
        /// There is data to read.
        const IN = 0x001;
        /// There is urgent data to read.
        const PRI = 0x002;
        /// Writing would not block.
        const OUT = 0x004;
        /// An error is pending.
        const ERR = 0x008;
        /// The peer hung up.
        const HUP = 0x010;
        /// The descriptor is not open.
        const NVAL = 0x020;
        /// As IN.
        const RDNORM = 0x040;
        /// Priority band data.
        const RDBAND = 0x080;
        /// As OUT.
        const WRNORM = 0x100;
        /// Priority data may be written.
        const WRBAND = 0x200;
        /// The peer shut its writing half down.
        const RDHUP = 0x2000;
    }
}
