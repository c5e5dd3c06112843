//! Pings of the guest's to other hosts, through ping sockets (icmp(7)) where the host lets its users have them.
//!
//! Main types: [`Pings`], [`Ping`].

use super::host;
use super::poller::{Poller, Source};
use super::table::{Key, Table};
use libos_net::time::{Duration, Instant};
use rustix::fd::OwnedFd;
use rustix::io::{Errno, Result};
use std::collections::HashMap;
use std::net::IpAddr;

/// Idle time after which the socket goes.
const IDLE: Duration = Duration::from_secs(30);

/// Pings at the same time.
const MOST: usize = 64;

/// Who pings whom: the guest's address, the host, and the identifier.
pub type Names = (IpAddr, IpAddr, u16);

/// One series of pings.
#[derive(Debug)]
pub struct Ping {
    /// Who pings whom.
    pub names: Names,
    /// The host's side.
    pub socket: OwnedFd,
    last_used: Instant,
}

/// All of them.
#[derive(Debug)]
pub struct Pings {
    table: Table<Ping>,
    by_names: HashMap<Names, Key>,
}

impl Pings {
    /// None.
    pub fn new() -> Self {
        Self {
            table: Table::new(MOST),
            by_names: HashMap::new(),
        }
    }

    /// One of them.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut Ping> {
        self.table.get_mut(key)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    /// Sends an echo request.
    ///
    /// # Errors
    /// EACCES if the host does not let us; that of socket(2), connect(2), send(2).
    pub fn send(
        &mut self,
        now: Instant,
        names: Names,
        message: &[u8],
        poller: &Poller,
    ) -> Result<()> {
        let known = self.by_names.get(&names).copied();
        let key = known.map_or_else(|| self.open(now, names, poller), Ok)?;
        let ping = self.table.get_mut(key).ok_or(Errno::NOBUFS)?;
        ping.last_used = now;
        host::send(&ping.socket, message).map(|_| ())
    }

    fn open(&mut self, now: Instant, names: Names, poller: &Poller) -> Result<Key> {
        let socket = host::connect_ping(names.1)?;
        if self.table.is_full() {
            let oldest = self.table.iter().min_by_key(|(_, ping)| ping.last_used);
            oldest
                .map(|(key, _)| key)
                .into_iter()
                .for_each(|key| self.remove(key));
        }
        let ping = Ping {
            names,
            socket,
            last_used: now,
        };
        let key = self.table.insert(ping).map_err(|_| Errno::NOBUFS)?;
        self.by_names.insert(names, key);
        let watched = self
            .table
            .get(key)
            .map(|ping| poller.watch_input(&ping.socket, Source::Ping(key)));
        if let Some(Err(error)) = watched {
            self.remove(key);
            return Err(error);
        }
        Ok(key)
    }

    fn remove(&mut self, key: Key) {
        if let Some(ping) = self.table.remove(key) {
            self.by_names.remove(&ping.names);
        }
    }

    /// Ends those that have been idle for too long.
    pub fn expire(&mut self, now: Instant) {
        let idle = self
            .table
            .iter()
            .filter(|(_, ping)| now - ping.last_used > IDLE);
        let idle: Vec<_> = idle.map(|(key, _)| key).collect();
        idle.into_iter().for_each(|key| self.remove(key));
    }
}
