//! Calls that the helper's sandbox must not let through, and those that it must.

#![allow(unsafe_code)]

use libc::c_long;
use libos_share::Config;
use std::process::ExitCode;

/// Confines this process, and makes the call. The exit status tells what came of it: 0 if the kernel
/// carried it out, 1 if it refused; the filter leaves no status at all.
pub fn attack(name: &str, path: &str) -> ExitCode {
    libos_share::process_for_attack(&Config::new(path)).expect("confinement");
    let answer = call(name);
    // The destructors of std would make calls of their own.
    // SAFETY: _exit(2) takes no pointer and does not return.
    unsafe { libc::_exit(i32::from(answer < 0)) }
}

fn call(name: &str) -> c_long {
    let path = c"/etc/passwd".as_ptr();
    let here = libc::AT_FDCWD;
    let byte = [0_u8; 64];
    let bytes = byte.as_ptr();
    let page = 4096;
    let anonymous = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let rwx = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
    // SAFETY: every pointer leads to a local that outlives its call; what they change is this process, which ends
    // right afterwards.
    unsafe {
        match name {
            "open" => libc::syscall(libc::SYS_open, path, libc::O_RDONLY, 0),
            "openat-other" => libc::syscall(libc::SYS_openat, 0, path, libc::O_RDONLY, 0),
            "openat-outside" => libc::syscall(libc::SYS_openat, here, path, libc::O_RDONLY, 0),
            "openat-proc" => {
                let path = c"../maps".as_ptr();
                libc::syscall(libc::SYS_openat, here, path, libc::O_RDONLY, 0)
            }
            "execve" => libc::syscall(libc::SYS_execve, path, 0, 0),
            "execveat" => libc::syscall(libc::SYS_execveat, here, path, 0, 0, 0),
            "ptrace" => libc::syscall(libc::SYS_ptrace, libc::PTRACE_TRACEME, 0, 0, 0),
            "kill" => libc::syscall(libc::SYS_kill, 1, 0),
            "fork" => libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0),
            "unshare" => libc::syscall(libc::SYS_unshare, libc::CLONE_NEWNS),
            "setns" => libc::syscall(libc::SYS_setns, 0, 0),
            "mount" => libc::syscall(libc::SYS_mount, path, path, path, 0, 0),
            "chroot" => libc::syscall(libc::SYS_chroot, path),
            "chdir" => libc::syscall(libc::SYS_chdir, path),
            "fchdir" => libc::syscall(libc::SYS_fchdir, 0),
            "io_uring_setup" => libc::syscall(libc::SYS_io_uring_setup, 1, 0),
            "bpf" => libc::syscall(libc::SYS_bpf, 0, 0, 0),
            "socket" => libc::syscall(libc::SYS_socket, libc::AF_UNIX, libc::SOCK_STREAM, 0),
            "recvmsg" => libc::syscall(libc::SYS_recvmsg, 0, bytes, 0),
            "ioctl" => libc::syscall(libc::SYS_ioctl, 0, libc::FIONREAD, bytes),
            "setuid" => libc::syscall(libc::SYS_setuid, 0),
            "open_by_handle_at" => libc::syscall(libc::SYS_open_by_handle_at, 0, bytes, 0),
            "fchownat-path" => libc::syscall(libc::SYS_fchownat, here, path, 0, 0, 0),
            "fcntl-setown" => libc::syscall(libc::SYS_fcntl, 0, libc::F_SETOWN, 1),
            "mmap-exec" => libc::syscall(libc::SYS_mmap, 0, page, rwx, anonymous, -1, 0),
            "mprotect-exec" => libc::syscall(libc::SYS_mprotect, 0, page, libc::PROT_EXEC),
            "x32" => libc::syscall(0x4000_0000 | libc::SYS_getpid),
            "umask" => libc::syscall(libc::SYS_umask, 0),
            "geteuid" => libc::syscall(libc::SYS_geteuid),
            _ => panic!("the name of an attack, found {name}"),
        }
    }
}
