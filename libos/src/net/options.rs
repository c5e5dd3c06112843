//! Socket options of level SOL_SOCKET (socket(7)), which all families share.
//!
//! Options that make sense for a network only are kept and read back. Numbers are those of x86-64.
//! What a socket is, its errors and its device are its family's to tell.

use alloc::vec::Vec;
use core::time::Duration;

use linux_raw_sys::net::{
    SO_BROADCAST, SO_BUSY_POLL, SO_DEBUG, SO_DONTROUTE, SO_INCOMING_CPU, SO_KEEPALIVE, SO_LINGER,
    SO_MARK, SO_NO_CHECK, SO_OOBINLINE, SO_PASSCRED, SO_PASSSEC, SO_PRIORITY, SO_RCVBUF,
    SO_RCVBUFFORCE, SO_RCVLOWAT, SO_REUSEADDR, SO_REUSEPORT, SO_SNDBUF, SO_SNDBUFFORCE,
    SO_TIMESTAMP_OLD, SO_TIMESTAMPNS_OLD,
};

use crate::errno::{Errno, Result};
use crate::fs::blocking::Patience;
use crate::sync::SpinLock;
use crate::task::credentials::Capabilities;
use crate::time::Instant;

/// SO_RCVTIMEO with a 64-bit `struct timeval`; on x86-64 the old and the new number mean the same.
const SO_RCVTIMEO: [u32; 2] = [20, 66];
/// SO_SNDTIMEO, as above.
const SO_SNDTIMEO: [u32; 2] = [21, 67];

/// Buffer size of a new socket in bytes (`net.core.wmem_default`), and the most that may be asked for.
pub const DEFAULT_BUFFER: usize = 212_992;

/// The largest buffer there can be: Linux doubles what was asked for.
pub const MAX_BUFFER: usize = 2 * DEFAULT_BUFFER;

/// Linux's `SOCK_MIN_SNDBUF`.
const MIN_SEND_BUFFER: usize = 4608;
/// Linux's `SOCK_MIN_RCVBUF`.
const MIN_RECEIVE_BUFFER: usize = 2304;

/// Received messages tell when they came, in nanoseconds, and in flags: numbers of options whose
/// structures are the same on x86-64 in the old and the new form.
const SO_TIMESTAMP_NEW: u32 = 63;
const SO_TIMESTAMPNS_NEW: u32 = 64;
const SO_TIMESTAMPING: [u32; 2] = [37, 65];

/// Options that are a truth: bit n of [`Values::truths`] is the n-th.
const TRUTHS: [u32; 19] = [
    SO_DEBUG,
    SO_REUSEADDR,
    SO_DONTROUTE,
    SO_BROADCAST,
    SO_KEEPALIVE,
    SO_OOBINLINE,
    SO_NO_CHECK,
    SO_REUSEPORT,
    SO_PASSCRED,
    SO_PASSSEC,
    SO_TIMESTAMP_OLD,
    SO_TIMESTAMPNS_OLD,
    SO_RXQ_OVFL,
    SO_SELECT_ERR_QUEUE,
    SO_ZEROCOPY,
    SO_PREFER_BUSY_POLL,
    SO_WIFI_STATUS,
    SO_NOFCS,
    SO_RCVMARK,
];

const SO_RXQ_OVFL: u32 = 40;
const SO_WIFI_STATUS: u32 = 41;
const SO_NOFCS: u32 = 43;
const SO_SELECT_ERR_QUEUE: u32 = 45;
const SO_MAX_PACING_RATE: u32 = 47;
const SO_ZEROCOPY: u32 = 60;
const SO_PREFER_BUSY_POLL: u32 = 69;
const SO_BUSY_POLL_BUDGET: u32 = 70;
const SO_BUF_LOCK: u32 = 72;
const SO_TXREHASH: u32 = 74;
const SO_RCVMARK: u32 = 75;

/// Options that are a number, with what they are at first.
const NUMBERS: [(u32, i32); 9] = [
    (SO_RCVLOWAT, 1),
    (SO_PRIORITY, 0),
    (SO_MARK, 0),
    (SO_BUSY_POLL, 0),
    (SO_INCOMING_CPU, -1),
    (SO_TIMESTAMPING[0], 0),
    (SO_MAX_PACING_RATE, -1),
    (SO_BUSY_POLL_BUDGET, 8),
    (SO_TXREHASH, 1),
];

/// The options of one socket.
pub struct Options {
    values: SpinLock<Values>,
}

#[derive(Clone, Copy)]
struct Values {
    truths: u32,
    numbers: [i32; NUMBERS.len()],
    send_buffer: u32,
    receive_buffer: u32,
    /// Which buffer sizes were asked for (SO_BUF_LOCK): bit 0 sending, bit 1 receiving.
    fixed: u8,
    /// SO_LINGER: whether, and for how many seconds.
    linger: (bool, i32),
    receive_timeout: Option<Duration>,
    send_timeout: Option<Duration>,
}

impl Options {
    /// Those of a new socket.
    pub fn new() -> Self {
        Self::with_buffers(DEFAULT_BUFFER, DEFAULT_BUFFER)
    }

    /// Those of a new socket whose buffers have another size at first, in bytes.
    pub fn with_buffers(send: usize, receive: usize) -> Self {
        Self {
            values: SpinLock::new(Values {
                truths: 0,
                numbers: NUMBERS.map(|(_, first)| first),
                send_buffer: u32::try_from(send).unwrap_or(u32::MAX),
                receive_buffer: u32::try_from(receive).unwrap_or(u32::MAX),
                fixed: 0,
                linger: (false, 0),
                receive_timeout: None,
                send_timeout: None,
            }),
        }
    }

    /// The same, for a socket that is accepted from this one.
    #[must_use]
    pub fn inherited(&self) -> Self {
        Self {
            values: SpinLock::new(*self.values.lock()),
        }
    }

    /// Size of the sending buffer in bytes.
    #[inline]
    pub fn send_buffer(&self) -> usize {
        self.values.lock().send_buffer as usize
    }

    /// Size of the receiving buffer in bytes.
    #[inline]
    pub fn receive_buffer(&self) -> usize {
        self.values.lock().receive_buffer as usize
    }

    /// Whether the application chose the sizes: of the sending, and of the receiving buffer.
    pub fn fixed_buffers(&self) -> (bool, bool) {
        let fixed = self.values.lock().fixed;
        (fixed & 1 != 0, fixed & 2 != 0)
    }
    /// Whether received messages tell who sent them (SO_PASSCRED).
    #[inline]
    pub fn passes_credentials(&self) -> bool {
        self.is_set(SO_PASSCRED)
    }

    /// Whether the truth `name` is set; `false` for what is none.
    #[inline]
    pub fn is_set(&self, name: u32) -> bool {
        let truths = self.values.lock().truths;
        truth_bit(name).is_some_and(|bit| truths & bit != 0)
    }

    /// The number `name`; 0 for what is none.
    #[inline]
    pub fn number(&self, name: u32) -> i32 {
        let values = self.values.lock();
        number_index(name).map_or(0, |index| values.numbers[index])
    }

    /// How many bytes must have come before a receive is worth waking for (SO_RCVLOWAT); at least 1.
    #[inline]
    pub fn low_water_mark(&self) -> usize {
        let mark = self.values.lock().numbers[0];
        usize::try_from(mark).unwrap_or(1).max(1)
    }

    /// How long a close waits (SO_LINGER), in seconds, if it is to.
    pub fn linger(&self) -> Option<i32> {
        let (whether, seconds) = self.values.lock().linger;
        whether.then_some(seconds)
    }

    /// How long a receive waits.
    pub fn receive_patience(&self) -> Patience {
        patience(self.values.lock().receive_timeout)
    }

    /// How long a send waits.
    pub fn send_patience(&self) -> Patience {
        patience(self.values.lock().send_timeout)
    }

    /// Sets option `name` from the application's bytes.
    ///
    /// # Errors
    /// ENOPROTOOPT for one that can't be set, EINVAL for too few bytes, EDOM for a bad time, EPERM or
    /// EACCES for what needs CAP_NET_ADMIN.
    pub fn set(&self, name: u32, bytes: &[u8]) -> Result<()> {
        let value = word(bytes, 0)?;
        if SO_RCVTIMEO.contains(&name) {
            self.values.lock().receive_timeout = timeout(bytes)?;
            return Ok(());
        }
        if SO_SNDTIMEO.contains(&name) {
            self.values.lock().send_timeout = timeout(bytes)?;
            return Ok(());
        }
        check_permission(name, value)?;
        let mut values = self.values.lock();
        match name {
            SO_SNDBUF | SO_SNDBUFFORCE => {
                values.send_buffer = buffer_size(value, MIN_SEND_BUFFER);
                values.fixed |= 1;
            }
            SO_RCVBUF | SO_RCVBUFFORCE => {
                values.receive_buffer = buffer_size(value, MIN_RECEIVE_BUFFER);
                values.fixed |= 2;
            }
            SO_BUF_LOCK => {
                let bits = u8::try_from(value).ok().filter(|bits| *bits < 4);
                values.fixed = bits.ok_or(Errno::EINVAL)?;
            }
            SO_LINGER => {
                let seconds = word(bytes, 4)?;
                values.linger = (value != 0, if value != 0 { seconds } else { 0 });
            }
            SO_RCVLOWAT => {
                values.numbers[0] = match value {
                    ..0 => i32::MAX,
                    0 => 1,
                    value => value,
                }
            }
            _ => values.keep(canonical(name), value)?,
        }
        Ok(())
    }

    /// The value of option `name`, as many bytes as it has.
    ///
    /// # Errors
    /// ENOPROTOOPT for one that there isn't.
    pub fn get(&self, name: u32) -> Result<OptionValue> {
        let values = *self.values.lock();
        if SO_RCVTIMEO.contains(&name) {
            return Ok(OptionValue::timeout(values.receive_timeout));
        }
        if SO_SNDTIMEO.contains(&name) {
            return Ok(OptionValue::timeout(values.send_timeout));
        }
        let size = |bytes: u32| OptionValue::words(&[i32::try_from(bytes).unwrap_or(i32::MAX)]);
        match name {
            SO_SNDBUF => Ok(size(values.send_buffer)),
            SO_RCVBUF => Ok(size(values.receive_buffer)),
            SO_BUF_LOCK => Ok(size(values.fixed.into())),
            SO_LINGER => Ok(OptionValue::words(&[
                i32::from(values.linger.0),
                values.linger.1,
            ])),
            _ => values
                .kept(canonical(name))
                .map(|value| OptionValue::words(&[value])),
        }
    }
}

impl Values {
    fn keep(&mut self, name: u32, value: i32) -> Result<()> {
        if let Some(bit) = truth_bit(name) {
            self.truths = if value != 0 {
                self.truths | bit
            } else {
                self.truths & !bit
            };
        } else {
            let index = number_index(name).ok_or(Errno::ENOPROTOOPT)?;
            self.numbers[index] = value;
        }
        Ok(())
    }

    fn kept(&self, name: u32) -> Result<i32> {
        if let Some(bit) = truth_bit(name) {
            return Ok(i32::from(self.truths & bit != 0));
        }
        let index = number_index(name).ok_or(Errno::ENOPROTOOPT)?;
        Ok(self.numbers[index])
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

/// Two numbers mean the same on x86-64 where only the size of a time differs elsewhere.
fn canonical(name: u32) -> u32 {
    match name {
        SO_TIMESTAMP_NEW => SO_TIMESTAMP_OLD,
        SO_TIMESTAMPNS_NEW => SO_TIMESTAMPNS_OLD,
        name if name == SO_TIMESTAMPING[1] => SO_TIMESTAMPING[0],
        name => name,
    }
}

/// What only the network's administrator may set (net/core/sock.c, `sk_setsockopt`).
fn check_permission(name: u32, value: i32) -> Result<()> {
    let refusal = match name {
        SO_DEBUG if value != 0 => Errno::EACCES,
        SO_SNDBUFFORCE | SO_RCVBUFFORCE => Errno::EPERM,
        SO_PRIORITY if !(0..=6).contains(&value) => Errno::EPERM,
        SO_BUSY_POLL if value > 0 => Errno::EPERM,
        SO_PREFER_BUSY_POLL if value != 0 => Errno::EPERM,
        SO_MARK => {
            let process = crate::task::current_process();
            if process.identity.capable(Capabilities::NET_RAW) {
                return Ok(());
            }
            Errno::EPERM
        }
        _ => return Ok(()),
    };
    let admin = Capabilities::single(12).unwrap_or(Capabilities::KNOWN);
    if crate::task::current_process().identity.capable(admin) {
        Ok(())
    } else {
        Err(refusal.because("needs CAP_NET_ADMIN, which nobody in an image has"))
    }
}

/// The bytes of an option's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionValue {
    short: [u8; 16],
    len: usize,
    /// A value that is longer than `short`, in place of it.
    long: Vec<u8>,
}

impl OptionValue {
    /// A value of one to four 32-bit words.
    pub fn words(words: &[i32]) -> Self {
        let mut short = [0; 16];
        for (place, word) in short.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        Self {
            short,
            len: 4 * words.len().min(4),
            long: Vec::new(),
        }
    }

    /// A value of any bytes.
    pub fn of_bytes(bytes: Vec<u8>) -> Self {
        Self {
            short: [0; 16],
            len: 0,
            long: bytes,
        }
    }

    fn timeout(value: Option<Duration>) -> Self {
        let value = value.unwrap_or(Duration::ZERO);
        let sec = i64::try_from(value.as_secs()).unwrap_or(i64::MAX);
        let mut short = [0; 16];
        short[..8].copy_from_slice(&sec.to_ne_bytes());
        short[8..].copy_from_slice(&i64::from(value.subsec_micros()).to_ne_bytes());
        Self {
            short,
            len: 16,
            long: Vec::new(),
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        if self.long.is_empty() {
            &self.short[..self.len]
        } else {
            &self.long
        }
    }
}

fn truth_bit(name: u32) -> Option<u32> {
    let index = TRUTHS.iter().position(|&truth| truth == name)?;
    Some(1 << index)
}

fn number_index(name: u32) -> Option<usize> {
    NUMBERS.iter().position(|&(number, _)| number == name)
}

fn patience(timeout: Option<Duration>) -> Patience {
    timeout.map_or(Patience::Endless, |timeout| {
        Patience::Until(Instant::now().after(timeout))
    })
}

/// What a buffer becomes when `value` is asked for: doubled, within bounds.
fn buffer_size(value: i32, least: usize) -> u32 {
    let asked = usize::try_from(value).unwrap_or(DEFAULT_BUFFER);
    let size = (2 * asked.min(DEFAULT_BUFFER)).max(least);
    u32::try_from(size).unwrap_or(u32::MAX)
}

/// The 32-bit word at `at` of an option's value.
///
/// # Errors
/// EINVAL if the value is too short.
pub fn word(bytes: &[u8], at: usize) -> Result<i32> {
    let bytes = bytes.get(at..at + 4).ok_or(Errno::EINVAL)?;
    bytes
        .try_into()
        .map(i32::from_ne_bytes)
        .map_err(|_| Errno::EINVAL)
}

fn long(bytes: &[u8], at: usize) -> Result<i64> {
    let bytes = bytes.get(at..at + 8).ok_or(Errno::EINVAL)?;
    bytes
        .try_into()
        .map(i64::from_ne_bytes)
        .map_err(|_| Errno::EINVAL)
}

/// A `struct timeval`; zero means no timeout. A negative number of seconds means "at once" to Linux.
fn timeout(bytes: &[u8]) -> Result<Option<Duration>> {
    let (sec, usec) = (long(bytes, 0)?, long(bytes, 8)?);
    let usec = u32::try_from(usec)
        .ok()
        .filter(|&usec| usec < 1_000_000)
        .ok_or(Errno::EDOM)?;
    let Ok(sec) = u64::try_from(sec) else {
        return Ok(Some(Duration::ZERO));
    };
    let duration = Duration::new(sec, usec * 1000);
    Ok((!duration.is_zero()).then_some(duration))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(options: &Options, name: u32) -> Result<i32> {
        word(options.get(name)?.bytes(), 0)
    }

    #[test]
    fn buffers_are_doubled_within_bounds() {
        let options = Options::new();
        for (asked, given) in [
            (10_000, 20_000),
            (1, 4608),
            (-1, 425_984),
            (i32::MAX, 425_984),
        ] {
            options
                .set(SO_SNDBUF, &i32::to_ne_bytes(asked))
                .expect("settable");
            assert_eq!(int(&options, SO_SNDBUF), Ok(given), "asked for {asked}");
        }
    }

    #[test]
    fn truths_are_normalised_and_numbers_kept() {
        let options = Options::new();
        options
            .set(SO_PASSCRED, &7_i32.to_ne_bytes())
            .expect("settable");
        options
            .set(SO_PRIORITY, &5_i32.to_ne_bytes())
            .expect("settable");
        assert_eq!(int(&options, SO_PASSCRED), Ok(1));
        assert!(options.passes_credentials());
        assert_eq!(int(&options, SO_PRIORITY), Ok(5));
        assert_eq!(int(&options, SO_RCVLOWAT), Ok(1));
    }

    #[test]
    fn timeouts_are_checked() {
        let options = Options::new();
        let time = |sec: i64, usec: i64| [sec.to_ne_bytes(), usec.to_ne_bytes()].concat();
        assert_eq!(options.set(20, &time(1, 1_000_000)), Err(Errno::EDOM));
        assert_eq!(options.set(20, &[0; 8]), Err(Errno::EINVAL));
        assert_eq!(options.set(20, &[]), Err(Errno::EINVAL));
        assert_eq!(options.set(20, &time(2, 500_000)), Ok(()));
        assert_eq!(options.get(66).expect("known").bytes(), time(2, 500_000));
        assert!(matches!(options.receive_patience(), Patience::Until(_)));
        assert_eq!(options.set(20, &time(0, 0)), Ok(()));
        assert_eq!(options.receive_patience(), Patience::Endless);
    }

    #[test]
    fn the_networks_administrator_is_nobody() {
        let options = Options::new();
        for (name, value, expected) in [
            (SO_SNDBUFFORCE, 1, Errno::EPERM),
            (SO_RCVBUFFORCE, 1, Errno::EPERM),
            (SO_PRIORITY, 7, Errno::EPERM),
            (SO_DEBUG, 1, Errno::EACCES),
        ] {
            let result = options.set(name, &i32::to_ne_bytes(value));
            assert_eq!(result, Err(expected), "option {name}");
        }
        assert_eq!(options.set(SO_PRIORITY, &6_i32.to_ne_bytes()), Ok(()));
    }

    #[test]
    fn long_values_are_told_whole() {
        let value = OptionValue::of_bytes(std::vec![7; 232]);
        assert_eq!(value.bytes(), [7; 232]);
        assert_eq!(OptionValue::words(&[1, 2]).bytes().len(), 8);
    }

    #[test]
    fn unknown_options_and_short_values_are_refused() {
        let options = Options::new();
        assert_eq!(options.set(9999, &[0; 4]), Err(Errno::ENOPROTOOPT));
        assert_eq!(options.get(9999), Err(Errno::ENOPROTOOPT));
        assert_eq!(options.set(SO_LINGER, &[0; 4]), Err(Errno::EINVAL));
        assert_eq!(options.set(SO_DEBUG, &[0; 3]), Err(Errno::EINVAL));
    }
}
