//! poll(2) and select(2): descriptors and sets decoded, [`multiplex`] waits.

use alloc::vec::Vec;
use core::time::Duration;

use crate::errno::{Errno, Result, SysResult};
use crate::fs::multiplex::{self, Interest, Timeout};
use crate::fs::poll::PollEvents;
use crate::signal;
use crate::sync::wait::Woken;
use crate::syscall::convert::Argument;
use crate::task;
use crate::task::limits::Resource;
use crate::time::Instant;
use crate::user::{Plain, Timespec, UserPtr};

/// Size of the kernel's `sigset_t` in bytes.
const SIGSET_SIZE: usize = 8;

/// No more descriptors than this in one call; a bound on the libOS's memory.
const MAX_DESCRIPTORS: usize = 1 << 20;

/// `struct pollfd`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PollFd {
    fd: i32,
    events: i16,
    revents: i16,
}

// SAFETY: three integers without padding: every pattern is valid, nothing is owned.
unsafe impl Plain for PollFd {}

/// `struct timeval`, as select(2) takes it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeval {
    sec: i64,
    usec: i64,
}

// SAFETY: two integers without padding: every pattern is valid, nothing is owned.
unsafe impl Plain for Timeval {}

/// The last argument of pselect6(2): where the mask is, and its size.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct MaskArgument {
    mask: usize,
    size: usize,
}

// SAFETY: two integers without padding: every pattern is valid, nothing is owned.
unsafe impl Plain for MaskArgument {}

/// See poll(2).
pub fn poll(fds: UserPtr<PollFd>, count: u32, timeout_ms: i32) -> SysResult {
    poll_or_resume(fds, count, milliseconds(timeout_ms))
}

/// Interrupted without a handler, poll(2) ends when it would have ended.
fn poll_or_resume(fds: UserPtr<PollFd>, count: u32, timeout: Timeout) -> SysResult {
    match (poll_until(fds, count, timeout), timeout) {
        (Err(Errno::ERESTARTNOHAND), Timeout::At(end)) => {
            let words = [fds.address() as u64, count.into(), end.as_ns(), 0];
            Err(signal::resume_later(poll_on, words))
        }
        (result, _) => result,
    }
}

fn poll_on([fds, count, end_ns, _]: [u64; 4]) -> SysResult {
    poll_or_resume(
        UserPtr::from_register(fds),
        u32::from_register(count),
        Timeout::At(Instant::from_ns(end_ns)),
    )
}

/// See ppoll(2).
pub fn ppoll(
    fds: UserPtr<PollFd>,
    count: u32,
    timeout: UserPtr<Timespec>,
    mask: UserPtr<u64>,
    mask_size: usize,
) -> SysResult {
    let until = timespec(timeout)?;
    let mask = read_mask(mask, mask_size)?;
    let result = signal::with_mask(mask, || poll_until(fds, count, until));
    tell_rest(timeout, until, result, |left| {
        Timespec::from_ns(u64::try_from(left.as_nanos()).unwrap_or(u64::MAX))
    })
}

/// See select(2).
pub fn select(
    count: i32,
    read: UserPtr<u64>,
    write: UserPtr<u64>,
    except: UserPtr<u64>,
    timeout: UserPtr<Timeval>,
) -> SysResult {
    let until = match timeout.non_null() {
        None => Timeout::Never,
        Some(timeout) => Timeout::after(timeval_duration(timeout.read()?)?),
    };
    let result = select_until(count, [read, write, except], until);
    tell_rest(timeout, until, result, |left| Timeval {
        sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        usec: i64::from(left.subsec_micros()),
    })
}

/// See pselect6(2).
pub fn pselect6(
    count: i32,
    read: UserPtr<u64>,
    write: UserPtr<u64>,
    except: UserPtr<u64>,
    timeout: UserPtr<Timespec>,
    mask: UserPtr<MaskArgument>,
) -> SysResult {
    let until = timespec(timeout)?;
    let mask = match mask.non_null() {
        None => None,
        Some(argument) => {
            let argument = argument.read()?;
            read_mask(UserPtr::new(argument.mask), argument.size)?
        }
    };
    let result = signal::with_mask(mask, || select_until(count, [read, write, except], until));
    tell_rest(timeout, until, result, |left| {
        Timespec::from_ns(u64::try_from(left.as_nanos()).unwrap_or(u64::MAX))
    })
}

/// A timeout in milliseconds; negative means for ever.
pub(super) fn milliseconds(timeout: i32) -> Timeout {
    u64::try_from(timeout).map_or(Timeout::Never, |ms| {
        Timeout::after(Duration::from_millis(ms))
    })
}

/// A timeout as `struct timespec`; none means for ever.
pub(super) fn timespec(timeout: UserPtr<Timespec>) -> Result<Timeout> {
    match timeout.non_null() {
        None => Ok(Timeout::Never),
        Some(timeout) => Ok(Timeout::after(timeout.read()?.to_duration()?)),
    }
}

/// The signal mask of ppoll(2) and its kin, if one is given.
pub(super) fn read_mask(mask: UserPtr<u64>, size: usize) -> Result<Option<u64>> {
    match mask.non_null() {
        None => Ok(None),
        Some(_) if size != SIGSET_SIZE => Err(Errno::EINVAL),
        Some(mask) => mask.read().map(Some),
    }
}

/// select(2) allows any number of microseconds and carries them over.
fn timeval_duration(value: Timeval) -> Result<Duration> {
    let (Ok(sec), Ok(usec)) = (u64::try_from(value.sec), u64::try_from(value.usec)) else {
        return Err(Errno::EINVAL);
    };
    Ok(Duration::from_secs(sec).saturating_add(Duration::from_micros(usec)))
}

/// Writes the rest of the timeout back, as Linux does. A timeout that cannot be written is no
/// error, but then the call must not be restarted with it.
fn tell_rest<T: Plain>(
    place: UserPtr<T>,
    timeout: Timeout,
    result: SysResult,
    convert: impl FnOnce(Duration) -> T,
) -> SysResult {
    let (Some(place), Some(left)) = (place.non_null(), timeout.left()) else {
        return result;
    };
    match (place.write(convert(left)), result) {
        (Err(_), Err(Errno::ERESTARTNOHAND)) => Err(Errno::EINTR),
        (_, result) => result,
    }
}

fn poll_until(fds: UserPtr<PollFd>, count: u32, timeout: Timeout) -> SysResult {
    let count = usize::try_from(count).map_err(|_| Errno::EINVAL)?;
    if count > MAX_DESCRIPTORS || count as u64 > descriptor_limit() {
        return Err(Errno::EINVAL);
    }
    let mut entries = fds.read_vec(count)?;
    let mut interests = poll_interests(&entries);
    let ready = multiplex::wait(&mut interests, timeout).map_err(interrupted)?;
    let mut found = interests.iter();
    for entry in &mut entries {
        entry.revents = match entry.fd {
            0.. => found.next().map_or(0, |interest| to_short(interest.found)),
            _ => 0,
        };
    }
    fds.write_slice(&entries)?;
    Ok(ready)
}

/// RLIMIT_NOFILE.
fn descriptor_limit() -> u64 {
    task::with_current(|thread| thread.process().limits.soft(Resource::Nofile))
}

/// One interest for each entry with a descriptor that is not negative.
fn poll_interests(entries: &[PollFd]) -> Vec<Interest> {
    task::with_current(|thread| {
        let files = &thread.process().files;
        let active = entries.iter().filter(|entry| entry.fd >= 0);
        active
            .map(|entry| {
                let events =
                    PollEvents::from_bits_truncate(u32::from(entry.events.cast_unsigned()));
                Interest::new(files.get(entry.fd).ok(), events)
            })
            .collect()
    })
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "poll(2)'s events stand in the low 14 bits"
)]
fn to_short(events: PollEvents) -> i16 {
    events.bits() as i16
}

fn interrupted(_: Woken) -> Errno {
    Errno::ERESTARTNOHAND
}

/// What a file must report to be in the first, second and third set of select(2).
const SELECT_EVENTS: [PollEvents; 3] = [
    PollEvents::IN
        .union(PollEvents::RDNORM)
        .union(PollEvents::RDBAND)
        .union(PollEvents::HUP)
        .union(PollEvents::ERR),
    PollEvents::OUT
        .union(PollEvents::WRNORM)
        .union(PollEvents::WRBAND)
        .union(PollEvents::ERR),
    PollEvents::PRI,
];

/// Descriptors by bit, 64 to a word.
type BitSet = Vec<u64>;

fn select_until(count: i32, places: [UserPtr<u64>; 3], timeout: Timeout) -> SysResult {
    let count = usize::try_from(count).map_err(|_| Errno::EINVAL)?;
    let words = count.min(MAX_DESCRIPTORS).div_ceil(64);
    let mut sets: [BitSet; 3] = Default::default();
    for (set, place) in sets.iter_mut().zip(places) {
        if let Some(place) = place.non_null() {
            *set = place.read_vec(words)?;
        }
    }
    let wanted = wanted(&sets, count.min(MAX_DESCRIPTORS));
    let mut interests = select_interests(&wanted)?;
    wait_for_sets(&mut interests, timeout)?;
    let total = collect(&mut sets, &wanted, &interests);
    for (set, place) in sets.iter().zip(places) {
        if !place.is_null() {
            place.write_slice(set)?;
        }
    }
    Ok(total)
}

/// Which sets name each descriptor below `count`: pairs of descriptor and membership.
fn wanted(sets: &[BitSet; 3], count: usize) -> Vec<(usize, [bool; 3])> {
    let mut wanted = Vec::new();
    for word in 0..count.div_ceil(64) {
        let any = sets
            .iter()
            .fold(0, |bits, set| bits | set.get(word).copied().unwrap_or(0));
        for bit in (0..64).filter(|bit| any & (1 << bit) != 0) {
            let fd = word * 64 + bit;
            if fd < count {
                wanted.push((fd, [0, 1, 2].map(|index: usize| contains(&sets[index], fd))));
            }
        }
    }
    wanted
}

fn contains(set: &BitSet, fd: usize) -> bool {
    set.get(fd / 64)
        .is_some_and(|word| word & (1 << (fd % 64)) != 0)
}

fn select_interests(wanted: &[(usize, [bool; 3])]) -> Result<Vec<Interest>> {
    task::with_current(|thread| {
        let files = &thread.process().files;
        let interest = |&(fd, members): &(usize, [bool; 3])| {
            let file = files.get(i32::try_from(fd).map_err(|_| Errno::EBADF)?)?;
            let events = members
                .into_iter()
                .zip(SELECT_EVENTS)
                .filter(|(member, _)| *member)
                .fold(PollEvents::empty(), |all, (_, events)| all | events);
            Ok(Interest::new(Some(file), events))
        };
        wanted.iter().map(interest).collect()
    })
}

/// Waits until a file reports what one of its sets asks for. A hang-up alone does not concern the
/// second set, so waiting goes on then.
fn wait_for_sets(interests: &mut [Interest], timeout: Timeout) -> Result<()> {
    let ready = multiplex::wait_for(interests, timeout, |interest| {
        interest.found & interest.events
    });
    ready.map(|_| ()).map_err(interrupted)
}

/// Turns what was found into the three result sets; returns the number of bits set.
fn collect(sets: &mut [BitSet; 3], wanted: &[(usize, [bool; 3])], interests: &[Interest]) -> usize {
    let mut total = 0;
    for set in sets.iter_mut() {
        set.fill(0);
    }
    for ((fd, members), interest) in wanted.iter().zip(interests) {
        for (index, set) in sets.iter_mut().enumerate() {
            if members[index] && interest.found.intersects(SELECT_EVENTS[index]) {
                set[fd / 64] |= 1 << (fd % 64);
                total += 1;
            }
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscall::event;

    fn pipe() -> [i32; 2] {
        let mut fds = [0_i32; 2];
        event::pipe(UserPtr::new(fds.as_mut_ptr() as usize)).expect("a pipe");
        fds
    }

    fn poll_now(entries: &mut [PollFd]) -> SysResult {
        let count = u32::try_from(entries.len()).expect("few");
        poll(UserPtr::new(entries.as_mut_ptr() as usize), count, 0)
    }

    fn entry(fd: i32, events: i16) -> PollFd {
        PollFd {
            fd,
            events,
            revents: -1,
        }
    }

    #[test]
    fn poll_reports_each_descriptor() {
        let [reader, writer] = pipe();
        let mut entries = [
            entry(reader, 1),
            entry(-1, 1),
            entry(writer, 4),
            entry(999, 1),
        ];
        assert_eq!(poll_now(&mut entries), Ok(2));
        assert_eq!(entries.map(|entry| entry.revents), [0, 0, 4, 0x20]);
    }

    #[test]
    fn poll_refuses_bad_memory_and_counts() {
        assert_eq!(poll(UserPtr::new(0), 1, 0), Err(Errno::EFAULT));
        assert_eq!(poll(UserPtr::new(0), u32::MAX, 0), Err(Errno::EINVAL));
        assert_eq!(poll(UserPtr::new(0), 0, 0), Ok(0));
    }

    #[test]
    fn select_sets_the_bits_that_are_ready() {
        let [reader, writer] = pipe();
        let bit = |fd: i32| 1_u64 << fd;
        let mut sets = [[bit(reader)], [bit(writer)]];
        let [read, write] = sets
            .each_mut()
            .map(|set| UserPtr::new(set.as_mut_ptr() as usize));
        let mut zero = Timeval::default();
        let timeout = UserPtr::new(&raw mut zero as usize);
        let ready = select(64, read, write, UserPtr::new(0), timeout);
        assert_eq!(ready, Ok(1));
        assert_eq!(sets, [[0], [bit(writer)]]);
    }

    #[test]
    fn select_refuses_closed_descriptors_and_bad_times() {
        let null = UserPtr::new(0);
        let mut set = [0_u64, 1 << 60];
        let place = UserPtr::new(set.as_mut_ptr() as usize);
        let mut time = Timeval::default();
        let timeout = UserPtr::<Timeval>::new(&raw mut time as usize);
        assert_eq!(select(128, place, null, null, timeout), Err(Errno::EBADF));
        assert_eq!(
            select(124, place, null, null, timeout),
            Ok(0),
            "beyond count"
        );
        assert_eq!(select(-1, null, null, null, timeout), Err(Errno::EINVAL));
        time.usec = -1;
        let timeout = UserPtr::<Timeval>::new(&raw mut time as usize);
        assert_eq!(select(0, null, null, null, timeout), Err(Errno::EINVAL));
    }

    #[test]
    fn the_rest_of_the_timeout_is_told() {
        let mut time = Timeval { sec: 0, usec: 2000 };
        let null = UserPtr::new(0);
        let timeout = UserPtr::<Timeval>::new(&raw mut time as usize);
        assert_eq!(select(0, null, null, null, timeout), Ok(0));
        assert_eq!(time, Timeval::default());
    }

    #[test]
    fn a_mask_must_have_the_kernels_size() {
        let mask = 1_u64;
        let place = UserPtr::new(&raw const mask as usize);
        assert_eq!(read_mask(place, 16), Err(Errno::EINVAL));
        assert_eq!(read_mask(place, 8), Ok(Some(1)));
        assert_eq!(read_mask(UserPtr::new(0), 99), Ok(None));
    }
}
