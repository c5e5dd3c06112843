//! Options of level IPPROTO_TCP (tcp(7)).
//!
//! What has no effect in this process or in the engine is checked, kept and read back as Linux does,
//! so that programs that set it go on.

use alloc::vec::Vec;
use core::time::Duration;

use libos_net::tcp::TcpOptions;

use crate::errno::{Errno, Result};
use crate::net::inet::address::Family;
use crate::net::inet::options::Values;
use crate::net::options::{OptionValue, word};

const TCP_NODELAY: u32 = 1;
const TCP_MAXSEG: u32 = 2;
const TCP_CORK: u32 = 3;
const TCP_KEEPIDLE: u32 = 4;
const TCP_KEEPINTVL: u32 = 5;
const TCP_KEEPCNT: u32 = 6;
const TCP_SYNCNT: u32 = 7;
const TCP_LINGER2: u32 = 8;
const TCP_DEFER_ACCEPT: u32 = 9;
const TCP_WINDOW_CLAMP: u32 = 10;
/// `struct tcp_info`; the socket tells it.
pub const TCP_INFO: u32 = 11;
const TCP_QUICKACK: u32 = 12;
const TCP_CONGESTION: u32 = 13;
const TCP_THIN_LINEAR_TIMEOUTS: u32 = 16;
const TCP_THIN_DUPACK: u32 = 17;
const TCP_USER_TIMEOUT: u32 = 18;
const TCP_FASTOPEN: u32 = 23;
const TCP_TIMESTAMP: u32 = 24;
const TCP_NOTSENT_LOWAT: u32 = 25;
const TCP_SAVE_SYN: u32 = 27;
const TCP_FASTOPEN_CONNECT: u32 = 30;
const TCP_FASTOPEN_NO_COOKIE: u32 = 34;
const TCP_INQ: u32 = 36;
const TCP_TX_DELAY: u32 = 37;

/// Upper bounds of Linux (include/net/tcp.h).
const MAX_KEEPIDLE: i32 = 32_767;
const MAX_KEEPINTVL: i32 = 32_767;
const MAX_KEEPCNT: i32 = 127;
const MAX_SYNCNT: i32 = 127;
const MAX_LINGER2: i32 = 120;
const MIN_MAXSEG: i32 = 88;
const MAX_MAXSEG: i32 = 32_767;

/// Segment size that a socket tells before it has a connection (`TCP_MSS_DEFAULT`).
const DEFAULT_MSS: i32 = 536;

/// How Linux counts attempts: the first waits a second, each further one twice as long as the last.
const FIRST_RETRY_SECONDS: u64 = 1;

/// Which way of avoiding congestion the application asked for; the engine has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Congestion {
    Cubic,
    Reno,
}

/// The values of one socket.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    truths: Truths,
    /// Seconds.
    keep_idle: u16,
    /// Seconds.
    keep_interval: u16,
    keep_count: u8,
    syn_count: u8,
    /// Seconds.
    linger2: i16,
    /// Seconds.
    defer_accept: u32,
    window_clamp: i32,
    /// Milliseconds; 0 for none.
    user_timeout: u32,
    /// 0 for what the path allows.
    max_segment: u16,
    not_sent_low_water: i32,
    fast_open: i32,
    congestion: Congestion,
}

bitflags::bitflags! {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Truths: u16 {
        const NODELAY = 1;
        const CORK = 1 << 1;
        const QUICKACK = 1 << 2;
        const THIN_TIMEOUTS = 1 << 3;
        const THIN_DUPACK = 1 << 4;
        const FASTOPEN_CONNECT = 1 << 5;
        const FASTOPEN_NO_COOKIE = 1 << 6;
        const SAVE_SYN = 1 << 7;
        const INQ = 1 << 8;
    }
}

impl Settings {
    /// Those of a new socket.
    pub const fn new() -> Self {
        Self {
            truths: Truths::QUICKACK,
            keep_idle: 7200,
            keep_interval: 75,
            keep_count: 9,
            syn_count: 6,
            linger2: 60,
            defer_accept: 0,
            window_clamp: 0,
            user_timeout: 0,
            max_segment: 0,
            not_sent_low_water: 0,
            fast_open: 0,
            congestion: Congestion::Cubic,
        }
    }

    /// Whether data wait to be sent with what follows (TCP_CORK).
    pub fn is_corked(&self) -> bool {
        self.truths.contains(Truths::CORK)
    }

    /// How long a connection attempt goes unanswered before it fails (TCP_SYNCNT).
    pub fn patience(&self) -> Duration {
        if self.user_timeout != 0 {
            return Duration::from_millis(self.user_timeout.into());
        }
        let doublings = u32::from(self.syn_count).min(12);
        Duration::from_secs(FIRST_RETRY_SECONDS * ((2 << doublings) - 1))
    }

    /// How long a connection without data is kept from accept(2) (TCP_DEFER_ACCEPT), if it is.
    pub fn deferral(&self) -> Option<Duration> {
        let seconds = u64::from(rounded_to_retries(self.defer_accept).unsigned_abs());
        (seconds != 0).then_some(Duration::from_secs(seconds))
    }

    /// As the engine wants them.
    pub fn for_engine(
        &self,
        keep_alive: bool,
        buffers: (usize, usize),
        inet: &Values,
        family: Family,
    ) -> TcpOptions {
        let (send_buffer, receive_buffer) = buffers;
        let timeout = (self.user_timeout != 0)
            .then(|| libos_net::time::Duration::from_millis(self.user_timeout.into()));
        let idle = libos_net::time::Duration::from_secs(self.keep_idle.into());
        TcpOptions {
            receive_buffer,
            send_buffer,
            nodelay: self.truths.contains(Truths::NODELAY),
            keep_alive: keep_alive.then_some(idle),
            keep_alive_interval: libos_net::time::Duration::from_secs(self.keep_interval.into()),
            keep_alive_count: self.keep_count.into(),
            syn_retries: self.syn_count,
            max_segment: (self.max_segment != 0).then_some(self.max_segment),
            user_timeout: timeout,
            hop_limit: inet.hop_limit_for(family),
            traffic_class: inet.traffic_class_for(family),
        }
    }

    /// Sets an option.
    ///
    /// # Errors
    /// ENOPROTOOPT for an unknown one, EINVAL for a bad value, ENOENT for an unknown way of avoiding
    /// congestion.
    pub fn set(&mut self, name: u32, bytes: &[u8]) -> Result<()> {
        if name == TCP_CONGESTION {
            return self.set_congestion(bytes);
        }
        let value = word(bytes, 0)?;
        if name == TCP_FASTOPEN_CONNECT && !(0..=1).contains(&value) {
            return Err(Errno::EINVAL);
        }
        if let Some(truth) = truth(name) {
            self.truths.set(truth, value != 0);
            return Ok(());
        }
        match name {
            TCP_MAXSEG => self.max_segment = within_or_zero(value, MIN_MAXSEG, MAX_MAXSEG)?,
            TCP_KEEPIDLE => self.keep_idle = within(value, 1, MAX_KEEPIDLE)?,
            TCP_KEEPINTVL => self.keep_interval = within(value, 1, MAX_KEEPINTVL)?,
            TCP_KEEPCNT => self.keep_count = within(value, 1, MAX_KEEPCNT)?,
            TCP_SYNCNT => self.syn_count = within(value, 1, MAX_SYNCNT)?,
            TCP_LINGER2 => self.linger2 = i16::try_from(value.clamp(-1, MAX_LINGER2)).unwrap_or(-1),
            TCP_DEFER_ACCEPT => self.defer_accept = u32::try_from(value).unwrap_or(0),
            TCP_WINDOW_CLAMP => self.window_clamp = value,
            TCP_USER_TIMEOUT => {
                self.user_timeout = u32::try_from(value).map_err(|_| Errno::EINVAL)?;
            }
            TCP_NOTSENT_LOWAT => self.not_sent_low_water = value,
            TCP_FASTOPEN => self.fast_open = value.max(0),
            TCP_TIMESTAMP => return Err(Errno::EPERM),
            _ => return Err(Errno::ENOPROTOOPT),
        }
        Ok(())
    }

    /// The value of an option; `mss` is the size of segments, if there is a connection.
    ///
    /// # Errors
    /// ENOPROTOOPT for an unknown one.
    pub fn get(&self, name: u32, mss: Option<u32>) -> Result<OptionValue> {
        if let Some(truth) = truth(name) {
            let value = i32::from(self.truths.contains(truth));
            return Ok(OptionValue::words(&[value]));
        }
        let value = match name {
            TCP_MAXSEG => match mss {
                Some(mss) => i32::try_from(mss).unwrap_or(i32::MAX),
                None if self.max_segment != 0 => self.max_segment.into(),
                None => DEFAULT_MSS,
            },
            TCP_KEEPIDLE => self.keep_idle.into(),
            TCP_KEEPINTVL => self.keep_interval.into(),
            TCP_KEEPCNT => self.keep_count.into(),
            TCP_SYNCNT => self.syn_count.into(),
            TCP_LINGER2 => self.linger2.into(),
            TCP_DEFER_ACCEPT => rounded_to_retries(self.defer_accept),
            TCP_WINDOW_CLAMP => self.window_clamp,
            TCP_USER_TIMEOUT => self.user_timeout.cast_signed(),
            TCP_NOTSENT_LOWAT => self.not_sent_low_water,
            TCP_FASTOPEN => self.fast_open,
            TCP_TIMESTAMP | TCP_TX_DELAY => 0,
            TCP_CONGESTION => return Ok(self.congestion_name()),
            _ => return Err(Errno::ENOPROTOOPT),
        };
        Ok(OptionValue::words(&[value]))
    }

    fn set_congestion(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Err(Errno::EINVAL);
        }
        let end = bytes.iter().position(|&byte| byte == 0);
        self.congestion = match &bytes[..end.unwrap_or(bytes.len())] {
            b"cubic" => Congestion::Cubic,
            b"reno" => Congestion::Reno,
            _ => return Err(Errno::ENOENT),
        };
        Ok(())
    }

    /// The name, filled up to `TCP_CA_NAME_MAX`.
    fn congestion_name(&self) -> OptionValue {
        let name: &[u8] = match self.congestion {
            Congestion::Cubic => b"cubic",
            Congestion::Reno => b"reno",
        };
        let mut bytes = Vec::from(name);
        bytes.resize(16, 0);
        OptionValue::of_bytes(bytes)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether setting option `name` sends what was held back: TCP_CORK unset, TCP_NODELAY set.
pub fn draws_cork(name: u32, bytes: &[u8]) -> bool {
    match (name, word(bytes, 0)) {
        (TCP_CORK, Ok(value)) => value == 0,
        (TCP_NODELAY, Ok(value)) => value != 0,
        _ => false,
    }
}

fn truth(name: u32) -> Option<Truths> {
    Some(match name {
        TCP_NODELAY => Truths::NODELAY,
        TCP_CORK => Truths::CORK,
        TCP_QUICKACK => Truths::QUICKACK,
        TCP_THIN_LINEAR_TIMEOUTS => Truths::THIN_TIMEOUTS,
        TCP_THIN_DUPACK => Truths::THIN_DUPACK,
        TCP_FASTOPEN_CONNECT => Truths::FASTOPEN_CONNECT,
        TCP_FASTOPEN_NO_COOKIE => Truths::FASTOPEN_NO_COOKIE,
        TCP_SAVE_SYN => Truths::SAVE_SYN,
        TCP_INQ => Truths::INQ,
        _ => return None,
    })
}

fn within<T: TryFrom<i32>>(value: i32, least: i32, most: i32) -> Result<T> {
    if !(least..=most).contains(&value) {
        return Err(Errno::EINVAL);
    }
    T::try_from(value).map_err(|_| Errno::EINVAL)
}

fn within_or_zero<T: TryFrom<i32>>(value: i32, least: i32, most: i32) -> Result<T> {
    if value == 0 {
        return T::try_from(0).map_err(|_| Errno::EINVAL);
    }
    within(value, least, most)
}

/// TCP_DEFER_ACCEPT is kept as a number of retries, so seconds come back rounded up to what these
/// take: 1, 3, 7, ….
fn rounded_to_retries(seconds: u32) -> i32 {
    if seconds == 0 {
        return 0;
    }
    let mut total = 1_u32;
    let mut timeout = 1_u32;
    while total < seconds && timeout < 120 {
        timeout *= 2;
        total += timeout.min(120);
    }
    i32::try_from(total).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked_as_linux_checks_them() {
        let mut settings = Settings::new();
        for (name, value, expected) in [
            (TCP_NODELAY, 5, Ok(1)),
            (TCP_NODELAY, 0, Ok(0)),
            (TCP_KEEPIDLE, 0, Err(Errno::EINVAL)),
            (TCP_KEEPIDLE, 32_767, Ok(32_767)),
            (TCP_KEEPIDLE, 32_768, Err(Errno::EINVAL)),
            (TCP_KEEPCNT, 127, Ok(127)),
            (TCP_KEEPCNT, 128, Err(Errno::EINVAL)),
            (TCP_SYNCNT, 0, Err(Errno::EINVAL)),
            (TCP_USER_TIMEOUT, -1, Err(Errno::EINVAL)),
            (TCP_USER_TIMEOUT, 5000, Ok(5000)),
            (TCP_MAXSEG, 87, Err(Errno::EINVAL)),
            (TCP_MAXSEG, 1400, Ok(1400)),
            (TCP_DEFER_ACCEPT, 2, Ok(3)),
            (999, 1, Err(Errno::ENOPROTOOPT)),
        ] {
            let result = settings.set(name, &i32::to_ne_bytes(value));
            let found = result.and_then(|()| settings.get(name, None));
            let expected = expected.map(|value: i32| OptionValue::words(&[value]));
            assert_eq!(found, expected, "option {name} = {value}");
        }
    }

    #[test]
    fn congestion_avoidance_has_a_name() {
        let mut settings = Settings::new();
        assert_eq!(settings.set(TCP_CONGESTION, b"reno\0"), Ok(()));
        let name = settings.get(TCP_CONGESTION, None).expect("known");
        assert_eq!(name.bytes(), b"reno\0\0\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(settings.set(TCP_CONGESTION, b"none"), Err(Errno::ENOENT));
    }

    #[test]
    fn attempts_double_their_patience() {
        let mut settings = Settings::new();
        assert_eq!(settings.patience(), Duration::from_secs(127));
        settings
            .set(TCP_SYNCNT, &1_i32.to_ne_bytes())
            .expect("valid");
        assert_eq!(settings.patience(), Duration::from_secs(3));
    }
}
