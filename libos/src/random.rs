//! Random bytes for getrandom(2), `/dev/urandom` and `AT_RANDOM`.
//!
//! ChaCha20, keyed by the seed in the boot information; RDRAND is mixed into the key if the boot
//! information allows it (a run with a fixed seed stays repeatable otherwise). Every request ends by
//! taking a new key from the stream, so that a later look at the state tells nothing about bytes
//! that were given out before ("fast key erasure").
//!
//! Neighbours: `syscall::system` serves getrandom from here, `fs` its devices. There is no entropy
//! pool and no blocking: the generator is keyed before the application starts. Forks are not
//! its business, since there are none.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::errno::Result;
use crate::sync::SpinLock;
use crate::user::Dest;

/// Bytes made at a time for a buffer of the application.
const CHUNK: usize = 256;

/// A keyed generator.
struct Generator {
    stream: ChaCha20Rng,
}

impl Generator {
    fn new(key: [u8; 32]) -> Self {
        Self {
            stream: ChaCha20Rng::from_seed(key),
        }
    }

    /// Fills `buffer` without changing the key.
    fn produce(&mut self, buffer: &mut [u8]) {
        self.stream.fill_bytes(buffer);
    }

    /// Forgets the key that made everything up to here.
    fn erase(&mut self) {
        let mut key = [0; 32];
        self.stream.fill_bytes(&mut key);
        self.stream = ChaCha20Rng::from_seed(key);
    }
}

static GENERATOR: SpinLock<Option<Generator>> = SpinLock::new(None);

/// Keys the generator with `seed`, and with RDRAND too if `mix_rdrand`.
pub fn init(seed: &[u8; 32], mix_rdrand: bool) {
    let mut key = *seed;
    if mix_rdrand {
        mix(&mut key, rdrand::word);
    }
    let mut generator = Generator::new(key);
    generator.erase();
    *GENERATOR.lock() = Some(generator);
}

/// Exclusive-ors words of `source` into `key`, as long as it gives any.
fn mix(key: &mut [u8; 32], mut source: impl FnMut() -> Option<u64>) {
    for part in key.chunks_exact_mut(8) {
        let Some(word) = source() else { return };
        part.iter_mut()
            .zip(word.to_le_bytes())
            .for_each(|(byte, random)| *byte ^= random);
    }
}

fn with_generator<T>(use_it: impl FnOnce(&mut Generator) -> T) -> T {
    let mut generator = GENERATOR.lock();
    // Before `init` only the libOS's own start-up could ask; a fixed key is better than a panic.
    use_it(generator.get_or_insert_with(|| Generator::new([0; 32])))
}

/// Fills `buffer` with random bytes.
pub fn fill(buffer: &mut [u8]) {
    with_generator(|generator| {
        generator.produce(buffer);
        generator.erase();
    });
}

/// Fills what `dest` has room for; returns how many bytes.
///
/// # Errors
/// EFAULT if not even one byte could be put.
pub fn fill_dest(dest: &mut Dest<'_>) -> Result<usize> {
    let before = dest.written();
    let mut chunk = [0; CHUNK];
    let mut outcome = Ok(());
    while dest.room() > 0 && outcome.is_ok() {
        let part = chunk.len().min(dest.room());
        with_generator(|generator| generator.produce(&mut chunk[..part]));
        outcome = match dest.put(&chunk[..part]) {
            Ok(put) if put == part => Ok(()),
            Ok(_) => break,
            Err(error) => Err(error),
        };
    }
    with_generator(Generator::erase);
    match (dest.written() - before, outcome) {
        (0, Err(error)) => Err(error),
        (done, _) => Ok(done),
    }
}

mod rdrand {
    //! The CPU's own generator.

    use core::arch::x86_64::{__cpuid, _rdrand64_step};

    /// How often Intel says to try before giving up (SDM vol. 1, 7.3.17.1).
    const TRIES: usize = 10;
    /// CPUID leaf 1, ECX: RDRAND is there.
    const PRESENT: u32 = 1 << 30;

    /// One word; `None` if the CPU has none to give.
    pub fn word() -> Option<u64> {
        if __cpuid(1).ecx & PRESENT == 0 {
            return None;
        }
        // SAFETY: the CPU has RDRAND, as CPUID just said.
        unsafe { present() }
    }

    #[target_feature(enable = "rdrand")]
    fn present() -> Option<u64> {
        (0..TRIES).find_map(|_| {
            let mut word = 0;
            (_rdrand64_step(&mut word) == 1).then_some(word)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(key: [u8; 32], len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        Generator::new(key).produce(&mut bytes);
        bytes
    }

    #[test]
    fn the_stream_is_chacha20() {
        // RFC 8439, A.1, test vector 1: key 0, counter 0, nonce 0.
        let expected = [
            0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86,
            0xbd, 0x28,
        ];
        assert_eq!(stream([0; 32], 16), expected);
    }

    #[test]
    fn another_seed_gives_other_bytes() {
        assert_ne!(stream([1; 32], 64), stream([2; 32], 64));
    }

    #[test]
    fn a_request_does_not_repeat_what_was_given_out() {
        let mut generator = Generator::new([7; 32]);
        let (mut first, mut second) = ([0; 32], [0; 32]);
        generator.produce(&mut first);
        generator.erase();
        generator.produce(&mut second);
        assert_ne!(first, second);
        // The new key is a part of the old stream that was not given out.
        let old = stream([7; 32], 64);
        let key: [u8; 32] = old[32..].try_into().expect("32 bytes");
        assert_eq!(second.as_slice(), stream(key, 32));
    }

    #[test]
    fn mixing_changes_every_part_and_stops_without_a_source() {
        let mut key = [0; 32];
        mix(&mut key, || Some(u64::MAX));
        assert_eq!(key, [0xff; 32]);
        mix(&mut key, || None);
        assert_eq!(key, [0xff; 32]);
    }

    #[test]
    fn a_long_buffer_is_filled_to_its_end() {
        let mut buffer = vec![0_u8; 1000];
        let address = crate::user::UserPtr::new(buffer.as_mut_ptr() as usize);
        let mut dest = Dest::user(address, buffer.len());
        assert_eq!(fill_dest(&mut dest), Ok(1000));
        let zeroes = buffer.iter().filter(|&&byte| byte == 0).count();
        assert!(zeroes < 30, "{zeroes} of 1000 random bytes are zero");
        assert!(buffer[990..].iter().any(|&byte| byte != 0));
    }
}
