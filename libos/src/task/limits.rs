//! Resource limits: getrlimit(2), setrlimit(2), prlimit(2).
//!
//! [`Limits`] holds one [`Limit`] per [`Resource`]. Whoever owns a resource asks for its soft limit
//! ([`Limits::soft`]); what nobody enforces is kept and reported only, as the table's note says.

use crate::errno::{Errno, Result};
use crate::sync::SpinLock;
use crate::user::Plain;

/// No limit (`RLIM64_INFINITY`).
pub const INFINITY: u64 = u64::MAX;

/// The most that RLIMIT_NOFILE may be raised to (`/proc/sys/fs/nr_open`).
pub const NR_OPEN: u64 = 1 << 20;

/// What is limited; the numbers of `RLIMIT_*`.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// CPU time in seconds.
    Cpu = 0,
    /// Size of a file in bytes.
    Fsize = 1,
    /// Size of the data segment in bytes.
    Data = 2,
    /// Size of the main stack in bytes.
    Stack = 3,
    /// Size of a core file in bytes.
    Core = 4,
    /// Resident set in bytes.
    Rss = 5,
    /// Number of processes.
    Nproc = 6,
    /// One more than the highest descriptor.
    Nofile = 7,
    /// Locked memory in bytes.
    Memlock = 8,
    /// Address space in bytes.
    As = 9,
    /// Number of file locks.
    Locks = 10,
    /// Number of queued signals.
    Sigpending = 11,
    /// Bytes in POSIX message queues.
    Msgqueue = 12,
    /// Ceiling of the nice value (20 - nice).
    Nice = 13,
    /// Ceiling of the real-time priority.
    Rtprio = 14,
    /// CPU time without blocking under real-time scheduling, in microseconds.
    Rttime = 15,
}

/// How many resources there are (`RLIM_NLIMITS`).
pub const COUNT: usize = 16;

impl Resource {
    /// All, by number.
    pub const ALL: [Self; COUNT] = [
        Self::Cpu,
        Self::Fsize,
        Self::Data,
        Self::Stack,
        Self::Core,
        Self::Rss,
        Self::Nproc,
        Self::Nofile,
        Self::Memlock,
        Self::As,
        Self::Locks,
        Self::Sigpending,
        Self::Msgqueue,
        Self::Nice,
        Self::Rtprio,
        Self::Rttime,
    ];

    /// From the number in a call.
    ///
    /// # Errors
    /// EINVAL if there is no such resource.
    pub fn from_number(number: i32) -> Result<Self> {
        usize::try_from(number)
            .ok()
            .and_then(|index| Self::ALL.get(index).copied())
            .ok_or(Errno::EINVAL)
    }

    /// The name and unit as `/proc/self/limits` shows them.
    pub const fn description(self) -> (&'static str, &'static str) {
        match self {
            Self::Cpu => ("Max cpu time", "seconds"),
            Self::Fsize => ("Max file size", "bytes"),
            Self::Data => ("Max data size", "bytes"),
            Self::Stack => ("Max stack size", "bytes"),
            Self::Core => ("Max core file size", "bytes"),
            Self::Rss => ("Max resident set", "bytes"),
            Self::Nproc => ("Max processes", "processes"),
            Self::Nofile => ("Max open files", "files"),
            Self::Memlock => ("Max locked memory", "bytes"),
            Self::As => ("Max address space", "bytes"),
            Self::Locks => ("Max file locks", "locks"),
            Self::Sigpending => ("Max pending signals", "signals"),
            Self::Msgqueue => ("Max msgqueue size", "bytes"),
            Self::Nice => ("Max nice priority", ""),
            Self::Rtprio => ("Max realtime priority", ""),
            Self::Rttime => ("Max realtime timeout", "us"),
        }
    }
}

/// `struct rlimit64`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Soft limit: what is enforced.
    pub soft: u64,
    /// Hard limit: what the soft one may be raised to.
    pub hard: u64,
}

// SAFETY: two integers: every pattern is valid, nothing is owned.
unsafe impl Plain for Limit {}

const UNLIMITED: Limit = Limit {
    soft: INFINITY,
    hard: INFINITY,
};

/// What a program finds that was started by a login or in a container.
const fn initial(resource: Resource) -> Limit {
    match resource {
        Resource::Stack => Limit {
            soft: 8 << 20,
            hard: INFINITY,
        },
        Resource::Core => Limit {
            soft: 0,
            hard: INFINITY,
        },
        Resource::Nofile => Limit {
            soft: 1024,
            hard: NR_OPEN,
        },
        Resource::Memlock => both(8 << 20),
        Resource::Sigpending => both(31_500),
        Resource::Msgqueue => both(819_200),
        Resource::Nice | Resource::Rtprio => both(0),
        _ => UNLIMITED,
    }
}

const fn both(value: u64) -> Limit {
    Limit {
        soft: value,
        hard: value,
    }
}

/// The limits of one process.
pub struct Limits {
    table: SpinLock<[Limit; COUNT]>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            table: SpinLock::new(Resource::ALL.map(initial)),
        }
    }
}

impl Limits {
    /// Both limits of `resource`.
    pub fn get(&self, resource: Resource) -> Limit {
        self.table.lock()[resource as usize]
    }

    /// The limit that is enforced.
    pub fn soft(&self, resource: Resource) -> u64 {
        self.get(resource).soft
    }

    /// Sets both limits; returns the old ones. `may_raise` says whether the caller has
    /// CAP_SYS_RESOURCE.
    ///
    /// # Errors
    /// EINVAL for a soft limit above the hard one; EPERM for a hard limit that may not be raised.
    pub fn set(&self, resource: Resource, new: Limit, may_raise: Raise) -> Result<Limit> {
        let mut table = self.table.lock();
        let slot = &mut table[resource as usize];
        check_change(resource, *slot, new, may_raise)?;
        Ok(core::mem::replace(slot, new))
    }
}

/// Whether hard limits may be raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raise {
    /// With CAP_SYS_RESOURCE.
    Allowed,
    /// Without.
    Refused,
}

/// The rules of kernel/sys.c, `do_prlimit`, in its order.
fn check_change(resource: Resource, old: Limit, new: Limit, may_raise: Raise) -> Result<()> {
    if new.soft > new.hard {
        return Err(Errno::EINVAL);
    }
    if resource == Resource::Nofile && new.hard > NR_OPEN {
        return Err(Errno::EPERM.because("RLIMIT_NOFILE cannot exceed fs.nr_open"));
    }
    if new.hard > old.hard && may_raise == Raise::Refused {
        return Err(Errno::EPERM.because("raising a hard limit needs CAP_SYS_RESOURCE"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_order_agree() {
        for (index, resource) in Resource::ALL.into_iter().enumerate() {
            assert_eq!(resource as usize, index);
            assert_eq!(
                Resource::from_number(i32::try_from(index).unwrap()),
                Ok(resource)
            );
        }
        assert_eq!(Resource::from_number(16), Err(Errno::EINVAL));
        assert_eq!(Resource::from_number(-1), Err(Errno::EINVAL));
    }

    #[test]
    fn a_program_finds_the_usual_limits() {
        let limits = Limits::default();
        assert_eq!(limits.soft(Resource::Nofile), 1024);
        assert_eq!(limits.soft(Resource::Stack), 8 * 1024 * 1024);
        assert_eq!(limits.soft(Resource::As), INFINITY);
    }

    #[test]
    fn changes_follow_the_rules() {
        use Raise::{Allowed, Refused};
        let old = Limit {
            soft: 10,
            hard: 100,
        };
        let cases = [
            ((50, 100), Refused, Resource::Fsize, Ok(())),
            ((100, 100), Refused, Resource::Fsize, Ok(())),
            ((5, 50), Refused, Resource::Fsize, Ok(())),
            ((51, 50), Refused, Resource::Fsize, Err(Errno::EINVAL)),
            ((51, 50), Allowed, Resource::Fsize, Err(Errno::EINVAL)),
            ((10, 101), Refused, Resource::Fsize, Err(Errno::EPERM)),
            ((10, 101), Allowed, Resource::Fsize, Ok(())),
            ((10, NR_OPEN), Allowed, Resource::Nofile, Ok(())),
            (
                (10, NR_OPEN + 1),
                Allowed,
                Resource::Nofile,
                Err(Errno::EPERM),
            ),
        ];
        for ((soft, hard), may_raise, resource, expected) in cases {
            let new = Limit { soft, hard };
            assert_eq!(
                check_change(resource, old, new, may_raise),
                expected,
                "{resource:?} {new:?} {may_raise:?}"
            );
        }
    }

    #[test]
    fn setting_returns_the_old_value_and_a_refusal_changes_nothing() {
        let limits = Limits::default();
        let new = Limit {
            soft: 64,
            hard: 128,
        };
        let old = limits.set(Resource::Nofile, new, Raise::Refused);
        assert_eq!(
            old,
            Ok(Limit {
                soft: 1024,
                hard: NR_OPEN
            })
        );
        let refused = limits.set(Resource::Nofile, both(129), Raise::Refused);
        assert_eq!(refused, Err(Errno::EPERM));
        assert_eq!(limits.get(Resource::Nofile), new);
    }
}
