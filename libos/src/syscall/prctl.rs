//! prctl(2): the odds and ends of a process.

use core::sync::atomic::{AtomicI32, Ordering};

use crate::errno::{Errno, Result, SysResult};
use crate::signal::is_signal;
use crate::syscall::convert::Argument;
use crate::task;
use crate::task::credentials::{Capabilities, Credentials};
use crate::task::oddments::DEFAULT_SLACK_NS;
use crate::user::UserPtr;

use linux_raw_sys::prctl as number;

/// See prctl(2).
pub fn prctl(option: u32, arg2: u64, arg3: u64, arg4: u64, arg5: u64) -> SysResult {
    let rest = [arg3, arg4, arg5];
    let all = [arg2, arg3, arg4, arg5];
    let process = task::current_process();
    let keep = &process.oddments;
    match option {
        number::PR_SET_NAME => set_name(UserPtr::from_register(arg2)),
        number::PR_GET_NAME => {
            let name = *task::current_arc().name.lock();
            UserPtr::<[u8; 16]>::from_register(arg2).write(name)?;
            Ok(0)
        }
        number::PR_GET_DUMPABLE => stored(&keep.dumpable),
        number::PR_SET_DUMPABLE => store(&keep.dumpable, flag(arg2)?),
        number::PR_GET_PDEATHSIG => tell(arg2, &keep.parent_death_signal),
        number::PR_SET_PDEATHSIG => {
            let signo = i32::try_from(arg2).map_err(|_| Errno::EINVAL)?;
            if signo != 0 && !is_signal(signo) {
                return Err(Errno::EINVAL);
            }
            store(&keep.parent_death_signal, signo)
        }
        number::PR_GET_CHILD_SUBREAPER => tell(arg2, &keep.subreaper),
        number::PR_SET_CHILD_SUBREAPER => store(&keep.subreaper, i32::from(arg2 != 0)),
        number::PR_GET_THP_DISABLE => {
            no_more(&all)?;
            stored(&keep.huge_pages_disabled)
        }
        number::PR_SET_THP_DISABLE => {
            no_more(&rest)?;
            store(&keep.huge_pages_disabled, i32::from(arg2 != 0))
        }
        number::PR_GET_TIMERSLACK => {
            usize::try_from(keep.timer_slack_ns.load(Ordering::Relaxed)).map_err(|_| Errno::EINVAL)
        }
        number::PR_SET_TIMERSLACK => {
            // As in the kernel, 0 (or a negative value) asks for the default.
            let slack = if arg2.cast_signed() <= 0 {
                DEFAULT_SLACK_NS
            } else {
                arg2
            };
            keep.timer_slack_ns.store(slack, Ordering::Relaxed);
            Ok(0)
        }
        number::PR_GET_TID_ADDRESS => {
            Err(Errno::EINVAL.because("PR_GET_TID_ADDRESS is for checkpoints only"))
        }
        number::PR_GET_SECCOMP => Ok(0),
        number::PR_SET_SECCOMP => {
            Err(Errno::EINVAL.because("filters inside the image are not supported"))
        }
        number::PR_GET_TIMING => Ok(0),
        number::PR_SET_TIMING if arg2 == 0 => Ok(0),
        number::PR_GET_TSC => {
            UserPtr::<u32>::from_register(arg2).write(number::PR_TSC_ENABLE)?;
            Ok(0)
        }
        number::PR_SET_TSC if arg2 == u64::from(number::PR_TSC_ENABLE) => Ok(0),
        number::PR_MCE_KILL_GET => {
            no_more(&all)?;
            usize::try_from(number::PR_MCE_KILL_DEFAULT).map_err(|_| Errno::EINVAL)
        }
        // A name for /proc/self/maps; the kernel may be built without, and says EINVAL then.
        number::PR_SET_VMA => Err(Errno::EINVAL.because("anonymous mappings have no names here")),
        _ => process
            .identity
            .with(|credentials| on_credentials(credentials, option, arg2, rest)),
    }
}

/// The options that concern privileges.
fn on_credentials(
    credentials: &mut Credentials,
    option: u32,
    arg2: u64,
    rest: [u64; 3],
) -> SysResult {
    match option {
        number::PR_GET_KEEPCAPS => Ok(usize::from(credentials.keep_capabilities)),
        number::PR_SET_KEEPCAPS => {
            credentials.keep_capabilities = flag(arg2)? == 1;
            Ok(0)
        }
        number::PR_GET_NO_NEW_PRIVS => {
            no_more(&[arg2, rest[0], rest[1], rest[2]])?;
            Ok(usize::from(credentials.no_new_privileges))
        }
        number::PR_SET_NO_NEW_PRIVS => {
            no_more(&rest)?;
            if arg2 != 1 {
                return Err(Errno::EINVAL);
            }
            credentials.no_new_privileges = true;
            Ok(0)
        }
        number::PR_CAPBSET_READ => {
            let set = Capabilities::single(arg2).ok_or(Errno::EINVAL)?;
            Ok(usize::from(credentials.bounding.contains(set)))
        }
        number::PR_CAPBSET_DROP => {
            let set = Capabilities::single(arg2).ok_or(Errno::EINVAL)?;
            if !credentials.capable(Capabilities::SETPCAP) {
                return Err(Errno::EPERM);
            }
            credentials.bounding -= set;
            Ok(0)
        }
        number::PR_CAP_AMBIENT => ambient(credentials, arg2, rest),
        number::PR_GET_SECUREBITS => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

fn ambient(credentials: &mut Credentials, operation: u64, rest: [u64; 3]) -> SysResult {
    no_more(&rest[1..])?;
    let operation = u32::try_from(operation).map_err(|_| Errno::EINVAL)?;
    if operation == number::PR_CAP_AMBIENT_CLEAR_ALL {
        no_more(&rest)?;
        credentials.ambient = Capabilities::empty();
        return Ok(0);
    }
    let set = Capabilities::single(rest[0]).ok_or(Errno::EINVAL)?;
    match operation {
        number::PR_CAP_AMBIENT_IS_SET => return Ok(usize::from(credentials.ambient.contains(set))),
        number::PR_CAP_AMBIENT_RAISE => {
            if !(credentials.permitted & credentials.inheritable).contains(set) {
                return Err(Errno::EPERM);
            }
            credentials.ambient |= set;
        }
        number::PR_CAP_AMBIENT_LOWER => credentials.ambient -= set,
        _ => return Err(Errno::EINVAL),
    }
    Ok(0)
}

/// At most 15 bytes of a name count; the sixteenth is the NUL.
fn set_name(name: UserPtr<u8>) -> SysResult {
    let bytes = match name.read_cstr(15) {
        Ok(bytes) => bytes,
        Err(Errno::ENAMETOOLONG) => name.read_vec(15)?,
        Err(error) => return Err(error),
    };
    let mut padded = [0; 16];
    padded[..bytes.len()].copy_from_slice(&bytes);
    *task::current_arc().name.lock() = padded;
    Ok(0)
}

/// An argument that must be 0 or 1.
fn flag(argument: u64) -> Result<i32> {
    match argument {
        0 => Ok(0),
        1 => Ok(1),
        _ => Err(Errno::EINVAL),
    }
}

/// Unused arguments must be 0 where Linux looks at them.
fn no_more(arguments: &[u64]) -> Result<()> {
    if arguments.iter().all(|&argument| argument == 0) {
        Ok(())
    } else {
        Err(Errno::EINVAL)
    }
}

fn stored(place: &AtomicI32) -> SysResult {
    usize::try_from(place.load(Ordering::Relaxed)).map_err(|_| Errno::EINVAL)
}

fn store(place: &AtomicI32, value: i32) -> SysResult {
    place.store(value, Ordering::Relaxed);
    Ok(0)
}

fn tell(address: u64, place: &AtomicI32) -> SysResult {
    UserPtr::<i32>::from_register(address).write(place.load(Ordering::Relaxed))?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(option: u32, arg2: u64) -> SysResult {
        prctl(option, arg2, 0, 0, 0)
    }

    #[test]
    fn a_name_is_cut_to_fifteen_bytes() {
        let long = b"a-name-that-is-too-long\0";
        assert_eq!(call(number::PR_SET_NAME, long.as_ptr() as u64), Ok(0));
        let mut name = [0xff_u8; 16];
        assert_eq!(call(number::PR_GET_NAME, name.as_mut_ptr() as u64), Ok(0));
        assert_eq!(&name, b"a-name-that-is-\0");
        assert_eq!(call(number::PR_SET_NAME, 0), Err(Errno::EFAULT));
    }

    #[test]
    fn what_is_kept_is_told_back() {
        assert_eq!(call(number::PR_GET_DUMPABLE, 0), Ok(1));
        assert_eq!(call(number::PR_SET_DUMPABLE, 2), Err(Errno::EINVAL));
        assert_eq!(call(number::PR_SET_DUMPABLE, 0), Ok(0));
        assert_eq!(call(number::PR_GET_DUMPABLE, 0), Ok(0));
        assert_eq!(call(number::PR_SET_PDEATHSIG, 65), Err(Errno::EINVAL));
        assert_eq!(call(number::PR_SET_PDEATHSIG, 15), Ok(0));
        let mut signo = 0_i32;
        let place = core::ptr::from_mut(&mut signo) as u64;
        assert_eq!(call(number::PR_GET_PDEATHSIG, place), Ok(0));
        assert_eq!(signo, 15);
        assert_eq!(call(number::PR_GET_TIMERSLACK, 0), Ok(50_000));
    }

    #[test]
    fn no_new_privs_only_goes_on() {
        assert_eq!(call(number::PR_GET_NO_NEW_PRIVS, 0), Ok(0));
        assert_eq!(call(number::PR_SET_NO_NEW_PRIVS, 0), Err(Errno::EINVAL));
        let extra = prctl(number::PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0);
        assert_eq!(extra, Err(Errno::EINVAL));
        assert_eq!(call(number::PR_SET_NO_NEW_PRIVS, 1), Ok(0));
        assert_eq!(call(number::PR_GET_NO_NEW_PRIVS, 0), Ok(1));
    }

    #[test]
    fn the_bounding_set_tells_what_there_is() {
        assert_eq!(call(number::PR_CAPBSET_READ, 0), Ok(1));
        assert_eq!(call(number::PR_CAPBSET_READ, 21), Ok(0));
        assert_eq!(call(number::PR_CAPBSET_READ, 41), Err(Errno::EINVAL));
    }

    #[test]
    fn an_unknown_option_is_invalid() {
        assert_eq!(call(0xdead, 0), Err(Errno::EINVAL));
    }
}
