//! A helper's policy as data: a file of `seccomp-profiles/`, which an auditor reads.
//!
//! Main types: [`Profile`], [`Rule`], [`Form`]. A call without forms is admitted with any arguments; one with
//! forms only if all arguments of one of them match.

use serde::Deserialize;
use std::io;

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
    /// From the text of the file.
    ///
    /// # Errors
    /// That it is malformed, names a call that is not known here, names one twice, or gives no reason.
    pub fn parse(text: &str) -> io::Result<Self> {
        let profile: Self = serde_json::from_str(text).map_err(io::Error::other)?;
        profile.check().map_err(io::Error::other)?;
        Ok(profile)
    }

    fn check(&self) -> Result<(), String> {
        let mut names: Vec<&str> = Vec::with_capacity(self.rules.len());
        for rule in &self.rules {
            number(&rule.call).map_err(|error| error.to_string())?;
            let name = rule.call.as_str();
            if names.contains(&name) {
                return Err(format!("{name}: expected one rule, found two"));
            }
            if rule.reason.len() < LEAST_REASON {
                return Err(format!(
                    "{name}: expected a reason, found {:?}",
                    rule.reason
                ));
            }
            if rule.forms.iter().any(|form| form.arguments.is_empty()) {
                return Err(format!(
                    "{name}: expected conditions in each form, found none"
                ));
            }
            names.push(name);
        }
        Ok(())
    }
}

/// Shortest text, in bytes, that may count as a reason.
const LEAST_REASON: usize = 20;

/// The calls that a profile may name. Helpers are for x86-64, as the libOS.
const CALLS: &[(&str, libc::c_long)] = &[
    ("accept4", libc::SYS_accept4),
    ("brk", libc::SYS_brk),
    ("clock_gettime", libc::SYS_clock_gettime),
    ("close", libc::SYS_close),
    ("connect", libc::SYS_connect),
    ("copy_file_range", libc::SYS_copy_file_range),
    ("epoll_ctl", libc::SYS_epoll_ctl),
    ("epoll_pwait", libc::SYS_epoll_pwait),
    ("exit_group", libc::SYS_exit_group),
    ("faccessat", libc::SYS_faccessat),
    ("fallocate", libc::SYS_fallocate),
    ("fchmodat", libc::SYS_fchmodat),
    ("fchownat", libc::SYS_fchownat),
    ("fcntl", libc::SYS_fcntl),
    ("fdatasync", libc::SYS_fdatasync),
    ("flock", libc::SYS_flock),
    ("fstatfs", libc::SYS_fstatfs),
    ("fsync", libc::SYS_fsync),
    ("ftruncate", libc::SYS_ftruncate),
    ("getdents64", libc::SYS_getdents64),
    ("geteuid", libc::SYS_geteuid),
    ("getsockopt", libc::SYS_getsockopt),
    ("getxattr", libc::SYS_getxattr),
    ("linkat", libc::SYS_linkat),
    ("listxattr", libc::SYS_listxattr),
    ("lseek", libc::SYS_lseek),
    ("madvise", libc::SYS_madvise),
    ("mkdirat", libc::SYS_mkdirat),
    ("mknodat", libc::SYS_mknodat),
    ("mmap", libc::SYS_mmap),
    ("mprotect", libc::SYS_mprotect),
    ("mremap", libc::SYS_mremap),
    ("munmap", libc::SYS_munmap),
    ("openat", libc::SYS_openat),
    ("openat2", libc::SYS_openat2),
    ("ppoll", libc::SYS_ppoll),
    ("pread64", libc::SYS_pread64),
    ("pwritev2", libc::SYS_pwritev2),
    ("readlinkat", libc::SYS_readlinkat),
    ("recvfrom", libc::SYS_recvfrom),
    ("recvmmsg", libc::SYS_recvmmsg),
    ("recvmsg", libc::SYS_recvmsg),
    ("removexattr", libc::SYS_removexattr),
    ("renameat2", libc::SYS_renameat2),
    ("rt_sigreturn", libc::SYS_rt_sigreturn),
    ("sendmsg", libc::SYS_sendmsg),
    ("sendto", libc::SYS_sendto),
    ("setsockopt", libc::SYS_setsockopt),
    ("setxattr", libc::SYS_setxattr),
    ("shutdown", libc::SYS_shutdown),
    ("socket", libc::SYS_socket),
    ("splice", libc::SYS_splice),
    ("statx", libc::SYS_statx),
    ("symlinkat", libc::SYS_symlinkat),
    ("syncfs", libc::SYS_syncfs),
    ("umask", libc::SYS_umask),
    ("unlinkat", libc::SYS_unlinkat),
    ("utimensat", libc::SYS_utimensat),
    ("write", libc::SYS_write),
];

/// The number of a call by its name.
///
/// # Errors
/// That the name is not known here.
pub fn number(name: &str) -> io::Result<i64> {
    let found = CALLS.iter().find(|(known, _)| *known == name);
    let (_, number) =
        found.ok_or_else(|| io::Error::other(format!("{name}: a call without a number here")))?;
    Ok(*number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"role": "test", "default_action": "kill_process", "default_reason": "",
        "rules": [{"call": "write", "reason": "a reason that can be read by people"}]}"#;

    #[test]
    fn a_profile_names_known_calls_once_and_with_reasons() {
        assert_eq!(Profile::parse(GOOD).expect("valid").rules.len(), 1);
        for (good, bad) in [
            ("\"write\"", "\"writ\""),
            ("a reason that can be read by people", "because"),
            (
                "}]}",
                "}, {\"call\": \"write\", \"reason\": \"the same call a second time\"}]}",
            ),
            (
                "}]}",
                ", \"forms\": [{\"name\": \"all\", \"arguments\": []}]}]}",
            ),
            ("\"role\"", "\"rule\""),
        ] {
            Profile::parse(&GOOD.replace(good, bad)).expect_err(bad);
        }
    }
}
