//! Signal numbers and sets of them.

/// Highest signal number.
pub const LAST: i32 = 64;
/// Lowest real-time signal, as the kernel counts (C libraries keep the first two or three).
pub const FIRST_REAL_TIME: i32 = 32;

macro_rules! signals {
    ($($name:ident = $number:literal;)*) => {
        $(#[doc = concat!("Signal ", $number, ".")] pub const $name: i32 = $number;)*
    };
}
signals! {
    SIGILL = 4; SIGTRAP = 5; SIGBUS = 7; SIGFPE = 8; SIGKILL = 9; SIGSEGV = 11; SIGPIPE = 13;
    SIGALRM = 14; SIGCHLD = 17; SIGCONT = 18; SIGSTOP = 19; SIGTSTP = 20; SIGTTIN = 21;
    SIGTTOU = 22; SIGURG = 23; SIGVTALRM = 26; SIGPROF = 27; SIGWINCH = 28; SIGSYS = 31;
}

/// Whether `signo` is a signal's number.
pub const fn is_signal(signo: i32) -> bool {
    signo >= 1 && signo <= LAST
}

/// A set of signals; bit n-1 stands for signal n, as in the kernel's `sigset_t`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalSet(u64);

impl SignalSet {
    /// No signal.
    pub const EMPTY: Self = Self(0);
    /// SIGKILL and SIGSTOP, which nobody can block, ignore or handle.
    pub const UNSTOPPABLE: Self = Self::of(&[SIGKILL, SIGSTOP]);
    /// What a fault of the thread itself raises; delivered before all others.
    pub const SYNCHRONOUS: Self = Self::of(&[SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS]);
    /// What stops a process by default.
    pub const STOPS: Self = Self::of(&[SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU]);
    const IGNORED_BY_DEFAULT: Self = Self::of(&[SIGCHLD, SIGCONT, SIGURG, SIGWINCH]);

    /// From the kernel's bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The kernel's bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The set of these signals.
    pub const fn of(signals: &[i32]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < signals.len() {
            bits |= Self::bit(signals[at]);
            at += 1;
        }
        Self(bits)
    }

    const fn bit(signo: i32) -> u64 {
        if is_signal(signo) {
            1 << (signo - 1)
        } else {
            0
        }
    }

    /// Whether `signo` is in it.
    pub const fn contains(self, signo: i32) -> bool {
        self.0 & Self::bit(signo) != 0
    }

    /// With `signo`.
    #[must_use]
    pub const fn with(self, signo: i32) -> Self {
        Self(self.0 | Self::bit(signo))
    }

    /// All of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are not in `other`.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Those that are in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether it has none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The one to deliver first: synchronous ones, then the lowest number.
    pub fn first(self) -> Option<i32> {
        let urgent = self.and(Self::SYNCHRONOUS);
        let set = if urgent.is_empty() { self } else { urgent };
        (!set.is_empty()).then(|| set.0.trailing_zeros().cast_signed() + 1)
    }
}

/// What happens without a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultAction {
    /// The program ends.
    Terminate,
    /// Nothing.
    Ignore,
    /// Linux stops the process. An image is stopped from the host (which stops the tender), not
    /// from inside, where nobody could continue it: nothing happens.
    Stop,
}

/// What `signo` does by default.
pub fn default_action(signo: i32) -> DefaultAction {
    if SignalSet::IGNORED_BY_DEFAULT.contains(signo) {
        DefaultAction::Ignore
    } else if SignalSet::STOPS.contains(signo) {
        DefaultAction::Stop
    } else {
        DefaultAction::Terminate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_the_kernels() {
        assert_eq!(SignalSet::of(&[1, 64]).bits(), 1 | 1 << 63);
        assert!(!SignalSet::from_bits(u64::MAX).contains(0));
        assert!(!SignalSet::from_bits(u64::MAX).contains(65));
    }

    #[test]
    fn synchronous_signals_come_first_then_low_numbers() {
        assert_eq!(SignalSet::of(&[2, 34, 11]).first(), Some(11));
        assert_eq!(SignalSet::of(&[34, 15]).first(), Some(15));
        assert_eq!(SignalSet::EMPTY.first(), None);
    }

    #[test]
    fn default_actions_follow_signal_7() {
        assert_eq!(default_action(15), DefaultAction::Terminate);
        assert_eq!(default_action(34), DefaultAction::Terminate);
        assert_eq!(default_action(SIGCHLD), DefaultAction::Ignore);
        assert_eq!(default_action(SIGTSTP), DefaultAction::Stop);
    }
}
