//! Why a network cannot be attached: what was expected, what was found, what to try.

use std::borrow::Cow;
use std::io;

/// The step that failed.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// A value of an option makes no sense.
    #[error("{option}: {key}: expected {expected}, found {found}")]
    Value {
        /// The option, as typed.
        option: String,
        /// Which part of it.
        key: &'static str,
        /// What it takes.
        expected: Cow<'static, str>,
        /// What was given.
        found: String,
    },
    /// A key that `--net` does not know.
    #[error("{option}: expected one of the keys {known}, found the key {key:?}")]
    UnknownKey {
        /// The option, as typed.
        option: String,
        /// The key.
        key: String,
        /// All keys.
        known: String,
    },
    /// There is no network interface of this name.
    #[error("--net {kind}={name}: expected a {kind} interface named {name}, found none")]
    Missing {
        /// `tap` or `packet`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// The interface exists but is not to be had.
    #[error("--net {kind}={name}: expected {expected}, found: {source}")]
    Refused {
        /// `tap` or `packet`.
        kind: &'static str,
        /// The name.
        name: String,
        /// What was tried.
        expected: &'static str,
        /// Its error.
        source: io::Error,
    },
    /// A host call failed.
    #[error("{subject}: expected {call} to succeed, found: {source}")]
    System {
        /// The interface or option.
        subject: String,
        /// The call and what it was for.
        call: &'static str,
        /// Its error.
        source: io::Error,
    },
    /// `-p` without a network that could publish.
    #[error("-p {0}: expected --net user or --net passt, found neither")]
    NobodyPublishes(String),
    /// The user-mode network did not start.
    #[error(transparent)]
    User(#[from] libos_usernet::StartError),
    /// passt did not start.
    #[error("--net passt: expected passt to start, found: {0}")]
    Passt(String),
}

impl NetError {
    /// What the user can do about it.
    pub fn advice(&self) -> Cow<'static, str> {
        match self {
            Self::Value { .. } | Self::UnknownKey { .. } => "`--net` and `-p` in docs/usage.md".into(),
            Self::Missing { kind: "tap", name } => make_tap(name).into(),
            Self::Missing { .. } => "`ip link` lists the interfaces; --net user needs none".into(),
            Self::Refused { kind, name, source, .. } => refused_advice(kind, name, source),
            Self::System { .. } => "strace shows the call; --net user needs no interface".into(),
            Self::NobodyPublishes(_) => {
                "--net user; on a tap or packet interface the guest's ports are reached at its own address".into()
            }
            Self::User(error) => error.advice().into(),
            Self::Passt(_) => "install passt, or --net user, which needs nothing".into(),
        }
    }
}

fn make_tap(name: &str) -> String {
    format!(
        "as root: ip tuntap add dev {name} mode tap user $USER && ip link set {name} up; or --net user, which needs \
         neither root nor a tap"
    )
}

fn refused_advice(kind: &str, name: &str, source: &io::Error) -> Cow<'static, str> {
    match (kind, source.raw_os_error()) {
        ("tap", Some(libc::EACCES)) => {
            "as root: chmod 666 /dev/net/tun, its usual mode (a tap is its user's all the same); or --net user, which \
             needs neither root nor a tap"
                .into()
        }
        ("tap", Some(libc::EPERM)) => format!(
            "a tap of your own, made as root: ip tuntap del dev {name} mode tap && ip tuntap add dev {name} mode tap \
             user $USER && ip link set {name} up; or --net user, which needs neither"
        )
        .into(),
        ("tap", Some(libc::EBUSY)) => {
            "another tap: a program has this one open (`ip -details link` shows taps)".into()
        }
        ("tap", Some(libc::ENOENT | libc::ENODEV | libc::ENXIO)) => {
            "a kernel with CONFIG_TUN (`modprobe tun`); or --net user, which needs none".into()
        }
        ("tap", Some(libc::EINVAL)) => format!(
            "the name of a tap: {name} is an interface of another kind; or --net packet={name}"
        )
        .into(),
        ("packet", Some(libc::EPERM | libc::EACCES)) => {
            "root, or `setcap cap_net_raw+ep` on libos-tender; or --net user, which needs neither"
                .into()
        }
        _ => "--net user, which needs no interface".into(),
    }
}

/// A [`NetError::System`].
pub fn system(
    subject: impl Into<String>,
    call: &'static str,
    source: impl Into<io::Error>,
) -> NetError {
    NetError::System {
        subject: subject.into(),
        call,
        source: source.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tap_that_is_not_to_be_had_is_told_from_a_device_node_that_is_not() {
        let advice = |code| refused_advice("tap", "tap0", &io::Error::from_raw_os_error(code));
        assert!(advice(libc::EACCES).contains("chmod 666 /dev/net/tun"));
        assert!(!advice(libc::EACCES).contains("ip tuntap"));
        assert!(advice(libc::EPERM).contains("mode tap user $USER"));
    }
}
