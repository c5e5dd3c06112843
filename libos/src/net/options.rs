//! Socket options of level SOL_SOCKET (socket(7)), which all families share.
//!
//! Options that make sense for a network only are kept and read back. Numbers are those of x86-64.

use core::time::Duration;

use linux_raw_sys::net::{
    SO_BROADCAST, SO_BUSY_POLL, SO_DEBUG, SO_DONTROUTE, SO_KEEPALIVE, SO_LINGER, SO_MARK,
    SO_NO_CHECK, SO_OOBINLINE, SO_PASSCRED, SO_PASSSEC, SO_PRIORITY, SO_RCVBUF, SO_RCVBUFFORCE,
    SO_RCVLOWAT, SO_REUSEADDR, SO_REUSEPORT, SO_SNDBUF, SO_SNDBUFFORCE, SO_TIMESTAMP_OLD,
    SO_TIMESTAMPNS_OLD,
};

use crate::errno::{Errno, Result};
use crate::fs::blocking::Patience;
use crate::sync::SpinLock;
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

/// Options that are a number or a truth, and only kept.
const KEPT: [u32; 15] = [
    SO_DEBUG,
    SO_REUSEADDR,
    SO_DONTROUTE,
    SO_BROADCAST,
    SO_KEEPALIVE,
    SO_OOBINLINE,
    SO_NO_CHECK,
    SO_PRIORITY,
    SO_REUSEPORT,
    SO_PASSCRED,
    SO_RCVLOWAT,
    SO_PASSSEC,
    SO_MARK,
    SO_BUSY_POLL,
    SO_TIMESTAMPNS_OLD,
];

/// Which of [`KEPT`] are numbers; the others become 0 or 1.
const NUMBERS: [u32; 4] = [SO_PRIORITY, SO_RCVLOWAT, SO_MARK, SO_BUSY_POLL];

/// The options of one socket.
pub struct Options {
    values: SpinLock<Values>,
}

struct Values {
    kept: [i32; KEPT.len()],
    send_buffer: usize,
    receive_buffer: usize,
    linger: [i32; 2],
    receive_timeout: Option<Duration>,
    send_timeout: Option<Duration>,
}

impl Options {
    /// Those of a new socket.
    pub fn new() -> Self {
        let mut kept = [0; KEPT.len()];
        kept[10] = 1;
        Self {
            values: SpinLock::new(Values {
                kept,
                send_buffer: DEFAULT_BUFFER,
                receive_buffer: DEFAULT_BUFFER,
                linger: [0; 2],
                receive_timeout: None,
                send_timeout: None,
            }),
        }
    }

    /// Size of the sending buffer in bytes.
    #[inline]
    pub fn send_buffer(&self) -> usize {
        self.values.lock().send_buffer
    }

    /// Size of the receiving buffer in bytes.
    #[inline]
    pub fn receive_buffer(&self) -> usize {
        self.values.lock().receive_buffer
    }

    /// Whether received messages tell who sent them (SO_PASSCRED).
    #[inline]
    pub fn passes_credentials(&self) -> bool {
        self.values.lock().kept[9] != 0
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
    /// ENOPROTOOPT for one that can't be set, EINVAL for too few bytes, EDOM for a bad time.
    pub fn set(&self, name: u32, bytes: &[u8]) -> Result<()> {
        if SO_RCVTIMEO.contains(&name) {
            self.values.lock().receive_timeout = timeout(bytes)?;
            return Ok(());
        }
        if SO_SNDTIMEO.contains(&name) {
            self.values.lock().send_timeout = timeout(bytes)?;
            return Ok(());
        }
        let value = word(bytes, 0)?;
        let mut values = self.values.lock();
        match name {
            SO_SNDBUF | SO_SNDBUFFORCE => {
                values.send_buffer = buffer_size(value, MIN_SEND_BUFFER);
            }
            SO_RCVBUF | SO_RCVBUFFORCE => {
                values.receive_buffer = buffer_size(value, MIN_RECEIVE_BUFFER);
            }
            SO_LINGER => values.linger = [i32::from(value != 0), word(bytes, 4)?],
            SO_TIMESTAMP_OLD => {}
            _ => {
                let index = kept_index(name).ok_or(Errno::ENOPROTOOPT)?;
                values.kept[index] = if NUMBERS.contains(&name) {
                    value
                } else {
                    i32::from(value != 0)
                };
            }
        }
        Ok(())
    }

    /// The value of option `name`, as many bytes as it has.
    ///
    /// # Errors
    /// ENOPROTOOPT for one that there isn't.
    pub fn get(&self, name: u32) -> Result<OptionValue> {
        let values = self.values.lock();
        if SO_RCVTIMEO.contains(&name) {
            return Ok(OptionValue::timeout(values.receive_timeout));
        }
        if SO_SNDTIMEO.contains(&name) {
            return Ok(OptionValue::timeout(values.send_timeout));
        }
        let size = |bytes: usize| OptionValue::words(&[i32::try_from(bytes).unwrap_or(i32::MAX)]);
        match name {
            SO_SNDBUF => Ok(size(values.send_buffer)),
            SO_RCVBUF => Ok(size(values.receive_buffer)),
            SO_LINGER => Ok(OptionValue::words(&values.linger)),
            SO_TIMESTAMP_OLD => Ok(OptionValue::words(&[0])),
            _ => {
                let index = kept_index(name).ok_or(Errno::ENOPROTOOPT)?;
                Ok(OptionValue::words(&[values.kept[index]]))
            }
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

/// The bytes of an option's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionValue {
    bytes: [u8; 16],
    len: usize,
}

impl OptionValue {
    /// A value of one to four 32-bit words.
    pub fn words(words: &[i32]) -> Self {
        let mut bytes = [0; 16];
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        Self {
            bytes,
            len: 4 * words.len().min(4),
        }
    }

    fn timeout(value: Option<Duration>) -> Self {
        let value = value.unwrap_or(Duration::ZERO);
        let sec = i64::try_from(value.as_secs()).unwrap_or(i64::MAX);
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&sec.to_ne_bytes());
        bytes[8..].copy_from_slice(&i64::from(value.subsec_micros()).to_ne_bytes());
        Self { bytes, len: 16 }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

fn kept_index(name: u32) -> Option<usize> {
    KEPT.iter().position(|&kept| kept == name)
}

fn patience(timeout: Option<Duration>) -> Patience {
    timeout.map_or(Patience::Endless, |timeout| {
        Patience::Until(Instant::now().after(timeout))
    })
}

/// What a buffer becomes when `value` is asked for: doubled, within bounds.
fn buffer_size(value: i32, least: usize) -> usize {
    let asked = usize::try_from(value).unwrap_or(DEFAULT_BUFFER);
    (2 * asked.min(DEFAULT_BUFFER)).max(least)
}

fn word(bytes: &[u8], at: usize) -> Result<i32> {
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
            .set(SO_PRIORITY, &7_i32.to_ne_bytes())
            .expect("settable");
        assert_eq!(int(&options, SO_PASSCRED), Ok(1));
        assert!(options.passes_credentials());
        assert_eq!(int(&options, SO_PRIORITY), Ok(7));
        assert_eq!(int(&options, SO_RCVLOWAT), Ok(1));
    }

    #[test]
    fn timeouts_are_checked() {
        let options = Options::new();
        let time = |sec: i64, usec: i64| [sec.to_ne_bytes(), usec.to_ne_bytes()].concat();
        assert_eq!(options.set(20, &time(1, 1_000_000)), Err(Errno::EDOM));
        assert_eq!(options.set(20, &[0; 8]), Err(Errno::EINVAL));
        assert_eq!(options.set(20, &time(2, 500_000)), Ok(()));
        assert_eq!(options.get(66).expect("known").bytes(), time(2, 500_000));
        assert!(matches!(options.receive_patience(), Patience::Until(_)));
        assert_eq!(options.set(20, &time(0, 0)), Ok(()));
        assert_eq!(options.receive_patience(), Patience::Endless);
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
