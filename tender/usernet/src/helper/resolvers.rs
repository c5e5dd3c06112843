//! Which of the host's resolvers is asked.
//!
//! All flows ask the preferred one; one that refuses or stays silent loses its place to the next.

use libos_net::time::{Duration, Instant};
use std::net::SocketAddr;

/// How long a resolver may be silent before the guest's repeated query goes to the next one.
pub const PATIENCE: Duration = Duration::from_millis(1500);

/// The host's resolvers.
#[derive(Debug)]
pub struct Resolvers {
    list: Vec<SocketAddr>,
    preferred: usize,
}

/// A query on its way.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// Which resolver was asked.
    resolver: usize,
    /// When the oldest query without an answer was sent.
    asked: Option<Instant>,
}

impl Resolvers {
    /// In order of preference.
    pub fn new(list: Vec<SocketAddr>) -> Self {
        Self { list, preferred: 0 }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.list.len()
    }

    /// Whom to ask now, and what to remember of it.
    pub fn choose(&self) -> Option<(SocketAddr, Query)> {
        let address = *self.list.get(self.preferred)?;
        Some((
            address,
            Query {
                resolver: self.preferred,
                asked: None,
            },
        ))
    }

    /// The one that was asked does not answer: the next one is preferred from now on.
    pub fn pass_over(&mut self, query: Query) {
        if query.resolver == self.preferred {
            self.preferred = (self.preferred + 1) % self.list.len().max(1);
        }
    }
}

impl Query {
    /// It was sent once more. Whether the resolver has been silent for too long.
    pub fn ask(&mut self, now: Instant) -> bool {
        let asked = *self.asked.get_or_insert(now);
        now - asked > PATIENCE
    }

    /// An answer came.
    pub fn answered(&mut self) {
        self.asked = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolvers(ports: &[u16]) -> Resolvers {
        let address = |port: &u16| SocketAddr::from(([127, 0, 0, 1], *port));
        Resolvers::new(ports.iter().map(address).collect())
    }

    fn chosen(resolvers: &Resolvers) -> u16 {
        resolvers.choose().expect("a resolver").0.port()
    }

    #[test]
    fn a_silent_resolver_is_passed_over_once_whoever_complains() {
        let mut resolvers = resolvers(&[1, 2, 3]);
        let (_, first) = resolvers.choose().expect("a resolver");
        let (_, second) = resolvers.choose().expect("a resolver");
        resolvers.pass_over(first);
        resolvers.pass_over(second);
        assert_eq!(chosen(&resolvers), 2);
    }

    #[test]
    fn after_the_last_comes_the_first() {
        let mut resolvers = resolvers(&[1, 2]);
        for expected in [2, 1] {
            let (_, query) = resolvers.choose().expect("a resolver");
            resolvers.pass_over(query);
            assert_eq!(chosen(&resolvers), expected);
        }
        assert!(Resolvers::new(Vec::new()).choose().is_none());
    }

    #[test]
    fn patience_ends_when_no_answer_comes() {
        let resolvers = resolvers(&[1]);
        let (_, mut query) = resolvers.choose().expect("a resolver");
        let at = Instant::from_millis;
        assert!(!query.ask(at(0)));
        assert!(!query.ask(at(1000)));
        assert!(query.ask(at(1600)));
        query.answered();
        assert!(!query.ask(at(9000)), "the next query begins anew");
    }
}
