//! Calls that the helper's sandbox must not let through, and those that it must.

#![allow(unsafe_code)]

use libc::c_long;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

/// `SOCK_NONBLOCK | SOCK_CLOEXEC`.
const FLAGS: i32 = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;

/// Confines this process, and makes the call. The exit status tells what came of it: 0 if the kernel
/// carried it out, 1 if it refused; the filter leaves no status at all.
pub fn attack(name: &str) -> ExitCode {
    let stream = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    stream.set_nonblocking(true).expect("an option");
    let fd = std::os::fd::AsRawFd::as_raw_fd(&stream);
    libos_usernet::confine::limits::set().expect("limits");
    libos_usernet::confine::confine(false, None).expect("confinement");
    let answer = call(name, fd);
    // The destructors of std would make calls of their own.
    // SAFETY: _exit(2) takes no pointer and does not return.
    unsafe { libc::_exit(i32::from(answer < 0)) }
}

fn call(name: &str, fd: i32) -> c_long {
    let path = c"/etc/passwd".as_ptr();
    let byte = [0_u8; 1];
    let bytes = byte.as_ptr();
    let socket = |family: i32, kind: i32, protocol: i32| {
        // SAFETY: socket(2) takes no pointer.
        unsafe { libc::syscall(libc::SYS_socket, family, kind, protocol) }
    };
    let length: libc::socklen_t = 4;
    let page = 4096;
    let anonymous = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let (rw, rwx) = (
        libc::PROT_READ | libc::PROT_WRITE,
        libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC,
    );
    // SAFETY: every pointer leads to a local that outlives its call; what they change is this process, which ends
    // right afterwards.
    unsafe {
        match name {
            "openat" => libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path, libc::O_RDONLY, 0),
            "open" => libc::syscall(libc::SYS_open, path, libc::O_RDONLY, 0),
            "execve" => libc::syscall(libc::SYS_execve, path, 0, 0),
            "ptrace" => libc::syscall(libc::SYS_ptrace, libc::PTRACE_TRACEME, 0, 0, 0),
            "process_vm_readv" => {
                libc::syscall(libc::SYS_process_vm_readv, libc::getppid(), 0, 0, 0, 0, 0)
            }
            "kill" => libc::syscall(libc::SYS_kill, 1, 0),
            "fork" => libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0),
            "unshare" => libc::syscall(libc::SYS_unshare, libc::CLONE_NEWNET),
            "io_uring_setup" => libc::syscall(libc::SYS_io_uring_setup, 1, 0),
            "bpf" => libc::syscall(libc::SYS_bpf, 0, 0, 0),
            "read" => libc::syscall(libc::SYS_read, fd, bytes, 1),
            "ioctl" => libc::syscall(libc::SYS_ioctl, fd, libc::FIONREAD, bytes),
            "bind" => libc::syscall(libc::SYS_bind, fd, bytes, 1),
            "listen" => libc::syscall(libc::SYS_listen, fd, 1),
            "socket-unix" => socket(libc::AF_UNIX, libc::SOCK_STREAM | FLAGS, 0),
            "socket-netlink" => socket(libc::AF_NETLINK, libc::SOCK_DGRAM | FLAGS, 0),
            "socket-packet" => socket(libc::AF_PACKET, libc::SOCK_DGRAM | FLAGS, 0),
            "socket-raw" => socket(libc::AF_INET, libc::SOCK_RAW | FLAGS, libc::IPPROTO_ICMP),
            "socket-blocking" => socket(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_TCP),
            "accept-blocking" => libc::syscall(libc::SYS_accept4, fd, 0, 0, 0),
            "setsockopt-other" => libc::syscall(
                libc::SYS_setsockopt,
                fd,
                libc::SOL_SOCKET,
                libc::SO_MARK,
                (&raw const length).cast::<u8>(),
                4,
            ),
            "mmap-exec" => libc::syscall(libc::SYS_mmap, 0, page, rwx, anonymous, -1, 0),
            "mprotect-exec" => libc::syscall(libc::SYS_mprotect, 0, page, libc::PROT_EXEC),
            "x32" => libc::syscall(0x4000_0000 | libc::SYS_getpid),
            "socket-tcp" => socket(libc::AF_INET, libc::SOCK_STREAM | FLAGS, libc::IPPROTO_TCP),
            "socket-udp6" => socket(libc::AF_INET6, libc::SOCK_DGRAM | FLAGS, libc::IPPROTO_UDP),
            "mmap" => libc::syscall(libc::SYS_mmap, 0, page, rw, anonymous, -1, 0),
            "accept" => {
                let answer = libc::syscall(libc::SYS_accept4, fd, 0, 0, FLAGS);
                // Nobody waits to be accepted.
                if answer < 0 && *libc::__errno_location() == libc::EAGAIN {
                    0
                } else {
                    answer
                }
            }
            "connect" => {
                let to = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
                let SocketAddr::V4(to) = to else { return -1 };
                let socket = socket(libc::AF_INET, libc::SOCK_DGRAM | FLAGS, libc::IPPROTO_UDP);
                let mut name: libc::sockaddr_in = std::mem::zeroed();
                name.sin_family = 2;
                name.sin_port = to.port().to_be();
                name.sin_addr.s_addr = to.ip().to_bits().to_be();
                let len = size_of::<libc::sockaddr_in>();
                libc::syscall(libc::SYS_connect, socket, &raw const name, len)
            }
            _ => panic!("the name of an attack, found {name}"),
        }
    }
}
