//! The helper's policy as data: `seccomp-profiles/usernet.json`, which an auditor reads.
//!
//! Main types: [`Profile`], [`Rule`], [`Form`]. A call without forms is admitted with any arguments; one with
//! forms only if all arguments of one of them match.

use serde::Deserialize;
use std::io;

const TEXT: &str = include_str!("../../../../seccomp-profiles/usernet.json");

/// The file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Whose profile it is.
    pub role: String,
    /// What happens to every other call.
    pub default_action: DefaultAction,
    /// Why.
    pub default_reason: String,
    /// What is admitted.
    pub rules: Vec<Rule>,
}

/// What happens to a call that no rule admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefaultAction {
    /// `SECCOMP_RET_KILL_PROCESS`.
    KillProcess,
}

/// An admitted call.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The man page's name.
    pub call: String,
    /// Which code needs it, for what.
    pub reason: String,
    /// The forms that are admitted; all if there are none.
    #[serde(default)]
    pub forms: Vec<Form>,
}

/// One admitted form of a call.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// What it is for.
    pub name: String,
    /// All of these must hold.
    pub arguments: Vec<Argument>,
}

/// A condition on the low 32 bits of an argument: all that the kernel takes of those named here.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Argument {
    /// Its position.
    pub argument: u8,
    /// The man page's name.
    pub name: String,
    /// The only value.
    pub equals: u32,
}

impl Profile {
    /// The file as it was when this was built.
    ///
    /// # Errors
    /// That it is malformed.
    pub fn built_in() -> io::Result<Self> {
        serde_json::from_str(TEXT).map_err(io::Error::other)
    }
}

/// The calls that the profile may name. The helper is for x86-64, as the libOS.
const CALLS: [(&str, libc::c_long); 24] = [
    ("accept4", libc::SYS_accept4),
    ("brk", libc::SYS_brk),
    ("clock_gettime", libc::SYS_clock_gettime),
    ("close", libc::SYS_close),
    ("connect", libc::SYS_connect),
    ("epoll_ctl", libc::SYS_epoll_ctl),
    ("epoll_pwait", libc::SYS_epoll_pwait),
    ("exit_group", libc::SYS_exit_group),
    ("fcntl", libc::SYS_fcntl),
    ("getsockopt", libc::SYS_getsockopt),
    ("madvise", libc::SYS_madvise),
    ("mmap", libc::SYS_mmap),
    ("mprotect", libc::SYS_mprotect),
    ("mremap", libc::SYS_mremap),
    ("munmap", libc::SYS_munmap),
    ("recvfrom", libc::SYS_recvfrom),
    ("recvmmsg", libc::SYS_recvmmsg),
    ("recvmsg", libc::SYS_recvmsg),
    ("sendmsg", libc::SYS_sendmsg),
    ("sendto", libc::SYS_sendto),
    ("setsockopt", libc::SYS_setsockopt),
    ("shutdown", libc::SYS_shutdown),
    ("socket", libc::SYS_socket),
    ("write", libc::SYS_write),
];

/// The number of a call by its name.
///
/// # Errors
/// That the name is not known here.
pub fn number(name: &str) -> io::Result<i64> {
    let found = CALLS.iter().find(|(known, _)| *known == name);
    let (_, number) = found.ok_or_else(|| io::Error::other(format!("{name} in usernet.json")))?;
    Ok(*number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_names_a_known_call_and_its_reason() {
        let profile = Profile::built_in().expect("valid JSON");
        assert_eq!(profile.role, "usernet");
        for rule in &profile.rules {
            number(&rule.call).expect("a known call");
            assert!(rule.reason.len() > 20, "{}: {:?}", rule.call, rule.reason);
            assert!(
                rule.forms.iter().all(|form| !form.arguments.is_empty()),
                "{}",
                rule.call
            );
        }
    }

    #[test]
    fn no_call_has_two_rules() {
        let profile = Profile::built_in().expect("valid JSON");
        let mut names: Vec<_> = profile.rules.iter().map(|rule| &rule.call).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), profile.rules.len());
    }
}
