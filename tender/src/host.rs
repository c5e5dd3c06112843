//! What the host is: checked for what the libOS cannot do without, and described for the guest.
//!
//! Main types: [`Host`], [`HostError`]. It changes nothing.

use rustix::param::linux_hwcap;
use std::arch::x86_64::{__cpuid, __cpuid_count};

/// `HWCAP2_FSGSBASE`: the kernel lets user code execute `wrfsbase`.
const HWCAP2_FSGSBASE: u64 = 1 << 1;
/// CPUID 1, ECX: XSAVE is there and the kernel has switched it on.
const CPUID_OSXSAVE: u32 = 1 << 27;
/// CPUID 0xd subleaf 1, EAX: XSAVEC.
const CPUID_XSAVEC: u32 = 1 << 1;

/// Something that the libOS cannot do without.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum HostError {
    /// `wrfsbase` is not usable.
    #[error("expected a CPU and kernel with FSGSBASE (AT_HWCAP2 bit 1), found AT_HWCAP2 {0:#x}")]
    FsGsBase(u64),
    /// XSAVE or XSAVEC is not usable.
    #[error(
        "expected a CPU with OSXSAVE and XSAVEC, found CPUID 1 ECX {ecx:#x}, 0xd/1 EAX {eax:#x}"
    )]
    Xsave {
        /// Leaf 1.
        ecx: u32,
        /// Leaf 0xd, subleaf 1.
        eax: u32,
    },
    /// No seccomp filters.
    #[error("expected a kernel with seccomp filters, found that seccomp(2) answers: {0}")]
    Seccomp(String),
}

impl HostError {
    /// What the user can do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::FsGsBase(_) => {
                "Linux 5.9 or later on a CPU from 2013 or later (Zen, Ivy Bridge), without `nofsgsbase`; \
                 in a virtual machine, pass the host's CPU features through"
            }
            Self::Xsave { .. } => {
                "a CPU from 2015 or later (Zen, Skylake), without `noxsave`; in a virtual machine, \
                 pass the host's CPU features through"
            }
            Self::Seccomp(_) => {
                "a kernel with CONFIG_SECCOMP_FILTER, and a container that lets seccomp(2) through"
            }
        }
    }
}

/// What the guest is told of the host.
#[derive(Debug)]
pub struct Host {
    /// `AT_HWCAP` and `AT_HWCAP2`.
    pub hwcap: [u64; 2],
    /// Real user, effective user, real group, effective group.
    pub ids: [u32; 4],
    /// Memory and swap, in bytes.
    pub memory: u64,
}

/// Checks the host, then describes it.
///
/// # Errors
/// What is missing.
pub fn examine() -> Result<Host, HostError> {
    let (hwcap, hwcap2) = linux_hwcap();
    let hwcap = [hwcap as u64, hwcap2 as u64];
    check_fsgsbase(hwcap[1])?;
    check_xsave(__cpuid(1).ecx, __cpuid_count(0xd, 1).eax)?;
    check_seccomp()?;
    Ok(Host {
        hwcap,
        ids: ids(),
        memory: memory(),
    })
}

fn check_fsgsbase(hwcap2: u64) -> Result<(), HostError> {
    if hwcap2 & HWCAP2_FSGSBASE == 0 {
        return Err(HostError::FsGsBase(hwcap2));
    }
    Ok(())
}

fn check_xsave(ecx: u32, eax: u32) -> Result<(), HostError> {
    if ecx & CPUID_OSXSAVE == 0 || eax & CPUID_XSAVEC == 0 {
        return Err(HostError::Xsave { ecx, eax });
    }
    Ok(())
}

/// Asks whether the kernel knows the action that strict mode needs.
fn check_seccomp() -> Result<(), HostError> {
    let action = libc::SECCOMP_RET_KILL_PROCESS;
    // SAFETY: SECCOMP_GET_ACTION_AVAIL reads the four bytes of `action` and changes nothing.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_GET_ACTION_AVAIL,
            0,
            &raw const action,
        )
    };
    if answer != 0 {
        return Err(HostError::Seccomp(
            std::io::Error::last_os_error().to_string(),
        ));
    }
    Ok(())
}

fn ids() -> [u32; 4] {
    [
        rustix::process::getuid().as_raw(),
        rustix::process::geteuid().as_raw(),
        rustix::process::getgid().as_raw(),
        rustix::process::getegid().as_raw(),
    ]
}

fn memory() -> u64 {
    let info = rustix::system::sysinfo();
    (info.totalram as u64)
        .saturating_add(info.totalswap as u64)
        .saturating_mul(u64::from(info.mem_unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_without_fsgsbase_is_refused_with_what_was_found() {
        let error = check_fsgsbase(0b1001).unwrap_err();
        assert_eq!(error, HostError::FsGsBase(9));
        assert!(error.to_string().contains("0x9"), "{error}");
        assert!(error.advice().contains("5.9"));
        assert!(check_fsgsbase(0b10).is_ok());
    }

    #[test]
    fn a_cpu_without_xsave_is_refused() {
        assert!(check_xsave(CPUID_OSXSAVE, CPUID_XSAVEC).is_ok());
        assert!(check_xsave(0, CPUID_XSAVEC).is_err());
        assert!(check_xsave(CPUID_OSXSAVE, 0).is_err());
    }

    #[test]
    fn this_host_is_described() {
        let host = examine().expect("the tests need a host that can run images");
        assert!(host.memory > 64 << 20, "{host:?}");
    }
}
