//! User, group, process-group and session identity, and capabilities.
//!
//! The rules are [`crate::task::identity`]'s. There is one process: it leads the only process group
//! and the only session, as the first process of a container does.

use crate::errno::{Errno, Result, SysResult};
use crate::task::credentials::{Capabilities, Credentials, GROUPS_MAX, Id, Ids};
use crate::task::{self, Process, Tid};
use crate::user::{Plain, UserPtr};

fn with_credentials<T>(look: impl FnOnce(&mut Credentials) -> T) -> T {
    task::current_process().identity.with(look)
}

fn id_result(id: Id) -> SysResult {
    usize::try_from(id).map_err(|_| Errno::EINVAL)
}

fn done(result: Result<()>) -> SysResult {
    result.map(|()| 0)
}

/// See getuid(2).
pub fn getuid() -> SysResult {
    id_result(with_credentials(|credentials| credentials.user.real))
}

/// See geteuid(2).
pub fn geteuid() -> SysResult {
    id_result(with_credentials(|credentials| credentials.user.effective))
}

/// See getgid(2).
pub fn getgid() -> SysResult {
    id_result(with_credentials(|credentials| credentials.group.real))
}

/// See getegid(2).
pub fn getegid() -> SysResult {
    id_result(with_credentials(|credentials| credentials.group.effective))
}

/// See setuid(2).
pub fn setuid(id: u32) -> SysResult {
    done(with_credentials(|credentials| credentials.set_user(id)))
}

/// See setgid(2).
pub fn setgid(id: u32) -> SysResult {
    done(with_credentials(|credentials| credentials.set_group(id)))
}

/// See setreuid(2).
pub fn setreuid(real: u32, effective: u32) -> SysResult {
    done(with_credentials(|credentials| {
        credentials.set_user_re(real, effective)
    }))
}

/// See setregid(2).
pub fn setregid(real: u32, effective: u32) -> SysResult {
    done(with_credentials(|credentials| {
        credentials.set_group_re(real, effective)
    }))
}

/// See setresuid(2).
pub fn setresuid(real: u32, effective: u32, saved: u32) -> SysResult {
    done(with_credentials(|credentials| {
        credentials.set_user_res(real, effective, saved)
    }))
}

/// See setresgid(2).
pub fn setresgid(real: u32, effective: u32, saved: u32) -> SysResult {
    done(with_credentials(|credentials| {
        credentials.set_group_res(real, effective, saved)
    }))
}

/// See getresuid(2).
pub fn getresuid(real: UserPtr<u32>, effective: UserPtr<u32>, saved: UserPtr<u32>) -> SysResult {
    let ids = with_credentials(|credentials| credentials.user);
    write_ids(ids, real, effective, saved)
}

/// See getresgid(2).
pub fn getresgid(real: UserPtr<u32>, effective: UserPtr<u32>, saved: UserPtr<u32>) -> SysResult {
    let ids = with_credentials(|credentials| credentials.group);
    write_ids(ids, real, effective, saved)
}

fn write_ids(
    ids: Ids,
    real: UserPtr<u32>,
    effective: UserPtr<u32>,
    saved: UserPtr<u32>,
) -> SysResult {
    real.write(ids.real)?;
    effective.write(ids.effective)?;
    saved.write(ids.saved)?;
    Ok(0)
}

/// See setfsuid(2).
pub fn setfsuid(id: u32) -> SysResult {
    id_result(with_credentials(|credentials| credentials.set_user_fs(id)))
}

/// See setfsgid(2).
pub fn setfsgid(id: u32) -> SysResult {
    id_result(with_credentials(|credentials| credentials.set_group_fs(id)))
}

/// See getgroups(2).
pub fn getgroups(size: i32, list: UserPtr<u32>) -> SysResult {
    let size = usize::try_from(size).map_err(|_| Errno::EINVAL)?;
    let groups = with_credentials(|credentials| alloc::sync::Arc::clone(&credentials.groups));
    if size == 0 {
        return Ok(groups.len());
    }
    if groups.len() > size {
        return Err(Errno::EINVAL);
    }
    list.write_slice(&groups)?;
    Ok(groups.len())
}

/// See setgroups(2).
pub fn setgroups(size: i32, list: UserPtr<u32>) -> SysResult {
    if !with_credentials(|credentials| credentials.capable(Capabilities::SETGID)) {
        return Err(Errno::EPERM);
    }
    let size = usize::try_from(size).map_err(|_| Errno::EINVAL)?;
    if size > GROUPS_MAX {
        return Err(Errno::EINVAL);
    }
    let groups = list.read_vec(size)?;
    done(with_credentials(|credentials| {
        credentials.set_groups(groups)
    }))
}

/// The process that `pid` names, which can only be this one; 0 stands for it.
fn this_process(pid: Tid) -> Result<alloc::sync::Arc<Process>> {
    let process = task::current_process();
    if pid == 0 || pid == process.pid() || process.threads.lock().contains_key(&pid) {
        return Ok(process);
    }
    Err(Errno::ESRCH)
}

fn pid_result(pid: Tid) -> SysResult {
    usize::try_from(pid).map_err(|_| Errno::ESRCH)
}

/// See getpgid(2).
pub fn getpgid(pid: i32) -> SysResult {
    pid_result(this_process(pid)?.pid())
}

/// See getpgrp(2).
pub fn getpgrp() -> SysResult {
    pid_result(task::current_process().pid())
}

/// See getsid(2).
pub fn getsid(pid: i32) -> SysResult {
    pid_result(this_process(pid)?.pid())
}

/// See setpgid(2).
pub fn setpgid(pid: i32, group: i32) -> SysResult {
    if group < 0 {
        return Err(Errno::EINVAL);
    }
    let own = task::current_process().pid();
    if pid != 0 && pid != own {
        return Err(Errno::ESRCH);
    }
    Err(Errno::EPERM.because("the process is a session leader"))
}

/// See setsid(2).
pub fn setsid() -> SysResult {
    Err(Errno::EPERM.because("the process leads its process group already"))
}

/// `_LINUX_CAPABILITY_VERSION_1`: 32 capabilities.
const CAPABILITY_VERSION_1: u32 = 0x1998_0330;
/// `_LINUX_CAPABILITY_VERSION_2`, deprecated: 64 capabilities.
const CAPABILITY_VERSION_2: u32 = 0x2007_1026;
/// `_LINUX_CAPABILITY_VERSION_3`: 64 capabilities.
const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

/// `struct __user_cap_header_struct`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CapabilityHeader {
    /// Layout of the data.
    pub version: u32,
    /// Thread; 0 for the calling one.
    pub pid: i32,
}

// SAFETY: two integers: every pattern is valid, nothing is owned.
unsafe impl Plain for CapabilityHeader {}

/// `struct __user_cap_data_struct`: one 32-bit half of each set.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapabilityData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

// SAFETY: three integers: every pattern is valid, nothing is owned.
unsafe impl Plain for CapabilityData {}

/// How many [`CapabilityData`] a version has; writes the version that is known here into a header
/// of another.
fn capability_words(header: UserPtr<CapabilityHeader>) -> Result<usize> {
    match header.cast::<u32>().read()? {
        CAPABILITY_VERSION_1 => Ok(1),
        CAPABILITY_VERSION_2 | CAPABILITY_VERSION_3 => Ok(2),
        _ => {
            header.cast::<u32>().write(CAPABILITY_VERSION_3)?;
            Err(Errno::EINVAL)
        }
    }
}

const fn half(set: Capabilities, index: usize) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "takes one 32-bit half of the set"
    )]
    let word = (set.bits() >> (32 * index)) as u32;
    word
}

/// See capget(2).
pub fn capget(header: UserPtr<CapabilityHeader>, data: UserPtr<CapabilityData>) -> SysResult {
    let words = match capability_words(header) {
        // A probe for the version passes no data (libcap does).
        Err(Errno::EINVAL) if data.is_null() => return Ok(0),
        other => other?,
    };
    let pid = header.read()?.pid;
    if pid < 0 {
        return Err(Errno::EINVAL);
    }
    let credentials = this_process(pid)?.identity.credentials();
    let halves = [0, 1].map(|index| CapabilityData {
        effective: half(credentials.effective, index),
        permitted: half(credentials.permitted, index),
        inheritable: half(credentials.inheritable, index),
    });
    if !data.is_null() {
        data.write_slice(&halves[..words])?;
    }
    Ok(0)
}

/// See capset(2).
pub fn capset(header: UserPtr<CapabilityHeader>, data: UserPtr<CapabilityData>) -> SysResult {
    let words = capability_words(header)?;
    let pid = header.read()?.pid;
    if pid != 0 && pid != task::current_arc().tid() {
        return Err(Errno::EPERM);
    }
    let halves = data.read_vec(words)?;
    let set = |field: fn(&CapabilityData) -> u32| {
        let low = u64::from(field(&halves[0]));
        let high = halves.get(1).map_or(0, |word| u64::from(field(word)));
        Capabilities::from_bits_retain(low | (high << 32))
    };
    let (effective, permitted, inheritable) = (
        set(|word| word.effective),
        set(|word| word.permitted),
        set(|word| word.inheritable),
    );
    done(with_credentials(|credentials| {
        credentials.set_capabilities(effective, permitted, inheritable)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ptr<T>(place: &mut T) -> UserPtr<T> {
        UserPtr::new(core::ptr::from_mut(place) as usize)
    }

    #[test]
    fn the_only_process_leads_its_group_and_session() {
        let own = task::current_process().pid();
        assert_eq!(getpgid(0), getsid(own));
        assert_eq!(getpgid(own + 99), Err(Errno::ESRCH));
        assert_eq!(setpgid(0, 0), Err(Errno::EPERM));
        assert_eq!(setpgid(0, -1), Err(Errno::EINVAL));
        assert_eq!(setpgid(own + 99, 0), Err(Errno::ESRCH));
        assert_eq!(setsid(), Err(Errno::EPERM));
    }

    #[test]
    fn capget_tells_the_version_to_whoever_probes() {
        let mut header = CapabilityHeader { version: 0, pid: 0 };
        assert_eq!(capget(ptr(&mut header), UserPtr::new(0)), Ok(0));
        assert_eq!(header.version, CAPABILITY_VERSION_3);
        header.version = 7;
        let mut data = [CapabilityData::default(); 2];
        let place = UserPtr::new(data.as_mut_ptr() as usize);
        assert_eq!(capget(ptr(&mut header), place), Err(Errno::EINVAL));
        assert_eq!(capget(ptr(&mut header), place), Ok(0));
        let effective = u64::from(data[0].effective) | (u64::from(data[1].effective) << 32);
        assert_eq!(effective, Capabilities::GUEST.bits());
    }

    #[test]
    fn getgroups_counts_before_it_copies() {
        assert_eq!(getgroups(-1, UserPtr::new(0)), Err(Errno::EINVAL));
        let mut list = [9_u32, 8];
        assert_eq!(
            setgroups(2, UserPtr::new(list.as_mut_ptr() as usize)),
            Ok(0)
        );
        assert_eq!(getgroups(0, UserPtr::new(0)), Ok(2));
        assert_eq!(getgroups(1, ptr(&mut list[0])), Err(Errno::EINVAL));
        let mut copy = [0_u32; 2];
        assert_eq!(
            getgroups(2, UserPtr::new(copy.as_mut_ptr() as usize)),
            Ok(2)
        );
        assert_eq!(copy, list);
        let mut none = 0_u32;
        assert_eq!(setgroups(70_000, ptr(&mut none)), Err(Errno::EINVAL));
    }
}
