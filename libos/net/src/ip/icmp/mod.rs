//! ICMP (RFC 792, RFC 1122 section 3.2.2) and ICMPv6 (RFC 4443).
//!
//! - [`receive`]: echoes are answered or passed on, errors are read and passed on.
//! - [`error`]: the errors that we send.
//! - [`limit`]: how many of them.

pub(crate) mod error;
pub(crate) mod limit;
pub(crate) mod receive;

/// Types and codes.
pub(crate) mod kind {
    pub(crate) const V4_ECHO_REPLY: u8 = 0;
    pub(crate) const V4_UNREACHABLE: u8 = 3;
    pub(crate) const V4_ECHO_REQUEST: u8 = 8;
    pub(crate) const V4_TIME_EXCEEDED: u8 = 11;
    pub(crate) const V4_PARAMETER_PROBLEM: u8 = 12;

    pub(crate) const V6_UNREACHABLE: u8 = 1;
    pub(crate) const V6_TOO_BIG: u8 = 2;
    pub(crate) const V6_TIME_EXCEEDED: u8 = 3;
    pub(crate) const V6_PARAMETER_PROBLEM: u8 = 4;
    pub(crate) const V6_ECHO_REQUEST: u8 = 128;
    pub(crate) const V6_ECHO_REPLY: u8 = 129;
}
