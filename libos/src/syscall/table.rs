//! One line per Linux system call: number, name, argument kinds, handler, status, note.
//!
//! The lines generate the dispatch function, the trace's view of a call, and the generated
//! document `docs/syscalls.md`. Numbers and names are those of the x86-64 ABI (arch/x86/entry/
//! syscalls/syscall_64.tbl in the kernel's source).

use crate::errno::{Errno, SysResult};
use crate::syscall::convert::Handler;
use crate::syscall::{
    attributes, epoll, event, fd, file_io, futex, identity, listing, memory, message, metadata,
    open, path, poll, prctl, residency, schedule, signal, socket, splice, storage, system, task,
    time, timer, xattr,
};

/// How far a call is implemented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// As Linux has it, to the best of the tests.
    Full,
    /// The note says what is missing.
    Partial,
    /// Answered with an error on purpose; the note says which and why.
    Refused,
    /// Not yet: ENOSYS.
    Missing,
}

/// What an argument is, for the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A descriptor.
    Fd,
    /// A directory descriptor or AT_FDCWD.
    DirFd,
    /// A pathname.
    Path,
    /// A NUL-terminated string.
    Str,
    /// A buffer that the call fills; the result says how far.
    OutBuf,
    /// A buffer whose length is the next argument.
    InBuf,
    /// An I/O vector whose length is the next argument.
    Iovec,
    /// Another address.
    Ptr,
    /// A number of bytes.
    Size,
    /// A signed 64-bit position.
    Offset,
    /// A signed 32-bit number.
    Int,
    /// A set of bits without names here.
    Hex,
    /// `O_*`.
    OpenFlags,
    /// A file mode, octal.
    Mode,
    /// `PROT_*`.
    Prot,
    /// `MAP_*`.
    MapFlags,
    /// `CLONE_*`.
    CloneFlags,
    /// A futex operation.
    FutexOp,
    /// A signal number.
    Signal,
    /// A signal set.
    Sigset,
    /// A clock id.
    Clock,
    /// A `struct timespec`.
    Timespec,
}

/// A call, for the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Name, as in the man page.
    pub name: &'static str,
    /// Kinds of its arguments.
    pub arguments: &'static [Kind],
}

/// A line of the table as the image keeps it: small, and without addresses, which would have to be
/// relocated at each start.
struct Line {
    number: u16,
    /// Where its name starts in [`NAMES`].
    name: u16,
    name_len: u16,
    kinds: [Kind; 6],
    kind_count: u16,
}

impl Line {
    /// Without the place of its name.
    const fn new(number: u16, name: &str, kinds: &[Kind]) -> Self {
        let mut line = Self {
            number,
            name: 0,
            name_len: half(name.len()),
            kinds: [Kind::Int; 6],
            kind_count: half(kinds.len()),
        };
        let mut index = 0;
        while index < kinds.len() {
            line.kinds[index] = kinds[index];
            index += 1;
        }
        line
    }
}

/// Says of each line where its name starts.
const fn named<const COUNT: usize>(mut lines: [Line; COUNT]) -> [Line; COUNT] {
    let (mut index, mut place) = (0, 0);
    while index < COUNT {
        lines[index].name = place;
        place += lines[index].name_len;
        index += 1;
    }
    lines
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "checked, at compile time; `try_from` is not const"
)]
const fn half(value: usize) -> u16 {
    assert!(value <= u16::MAX as usize);
    value as u16
}

/// A line of the table as the document shows it.
pub struct Documented {
    /// System-call number.
    pub number: u16,
    /// Name, as in the man page.
    pub name: &'static str,
    /// Implementation state.
    pub status: Status,
    /// What the status needs to be said.
    pub note: &'static str,
}

/// What a number without a handler answers.
fn unimplemented() -> SysResult {
    Err(Errno::ENOSYS)
}

macro_rules! syscalls {
    ($($number:literal $name:ident($($kind:ident),*) => $handler:path, $status:ident, $note:literal;)*) => {
        /// All names, one behind the other.
        static NAMES: &str = concat!($(stringify!($name)),*);

        /// All calls, by number.
        static LINES: [Line; [$($number),*].len()] =
            named([$(Line::new($number, stringify!($name), &[$(Kind::$kind),*])),*]);

        /// All calls, by number, for the document.
        pub static DOCUMENTED: &[Documented] = &[
            $(Documented {
                number: $number,
                name: stringify!($name),
                status: Status::$status,
                note: $note,
            },)*
        ];

        /// Calls the handler of `number`.
        #[inline]
        pub fn call(number: u64, registers: &[u64; 6]) -> SysResult {
            match number {
                $($number => Handler::call(&$handler, registers),)*
                _ => unimplemented(),
            }
        }
    };
}

/// The line of `number`, if there is such a call.
pub fn entry(number: u64) -> Option<Entry> {
    let number = u16::try_from(number).ok()?;
    let index = LINES
        .binary_search_by_key(&number, |line| line.number)
        .ok()?;
    let line = &LINES[index];
    let name = usize::from(line.name);
    Some(Entry {
        name: &NAMES[name..name + usize::from(line.name_len)],
        arguments: &line.kinds[..usize::from(line.kind_count)],
    })
}

#[rustfmt::skip]
syscalls! {
    0 read(Fd, OutBuf, Size) => file_io::read, Full, "";
    1 write(Fd, InBuf, Size) => file_io::write, Full, "";
    2 open(Path, OpenFlags, Mode) => open::open, Full, "";
    3 close(Fd) => fd::close, Full, "";
    4 stat(Path, Ptr) => metadata::stat, Full, "";
    5 fstat(Fd, Ptr) => metadata::fstat, Full, "";
    6 lstat(Path, Ptr) => metadata::lstat, Full, "";
    7 poll(Ptr, Int, Int) => poll::poll, Full, "";
    8 lseek(Fd, Offset, Int) => file_io::lseek, Full, "";
    9 mmap(Ptr, Size, Prot, MapFlags, Fd, Offset) => memory::mmap, Partial, "A private file mapping is copied when it is mapped. A shared one lies at the file's own pages, so MAP_FIXED elsewhere is ENODEV. Beyond the end of a file there are zeroes, no SIGBUS. New executable memory is EACCES in strict mode. MAP_32BIT, MAP_HUGETLB: ENOMEM.";
    10 mprotect(Ptr, Size, Prot) => memory::mprotect, Partial, "What the libOS checks, not what the CPU enforces, outside the image's segments and stack guards. PROT_EXEC on memory that was not executable: EACCES.";
    11 munmap(Ptr, Size) => memory::munmap, Full, "";
    12 brk(Ptr) => memory::brk, Full, "";
    13 rt_sigaction(Signal, Ptr, Ptr, Size) => signal::rt_sigaction, Full, "";
    14 rt_sigprocmask(Int, Sigset, Ptr, Size) => signal::rt_sigprocmask, Full, "";
    15 rt_sigreturn() => signal::rt_sigreturn, Full, "";
    16 ioctl(Fd, Hex, Hex) => fd::ioctl, Partial, "what the file in question knows; no pseudo-terminals";
    17 pread64(Fd, OutBuf, Size, Offset) => file_io::pread64, Full, "";
    18 pwrite64(Fd, InBuf, Size, Offset) => file_io::pwrite64, Full, "";
    19 readv(Fd, Iovec, Int) => file_io::readv, Full, "";
    20 writev(Fd, Iovec, Int) => file_io::writev, Full, "";
    21 access(Path, Int) => path::access, Full, "";
    22 pipe(Ptr) => event::pipe, Full, "";
    23 select(Int, Ptr, Ptr, Ptr, Ptr) => poll::select, Full, "";
    24 sched_yield() => schedule::sched_yield, Full, "";
    25 mremap(Ptr, Size, Size, Hex, Ptr) => memory::mremap, Partial, "A shared file mapping does not move (ENOMEM); old length 0 is EINVAL.";
    26 msync(Ptr, Size, Hex) => residency::msync, Full, "";
    27 mincore(Ptr, Size, Ptr) => residency::mincore, Full, "";
    28 madvise(Ptr, Size, Int) => residency::madvise, Partial, "MADV_DONTNEED and MADV_REMOVE clear; MADV_FREE keeps the contents; other advice is taken without effect.";
    29 shmget() => unimplemented, Missing, "";
    30 shmat() => unimplemented, Missing, "";
    31 shmctl() => unimplemented, Missing, "";
    32 dup(Fd) => fd::dup, Full, "";
    33 dup2(Fd, Fd) => fd::dup2, Full, "";
    34 pause() => signal::pause, Full, "";
    35 nanosleep(Timespec, Ptr) => time::nanosleep, Full, "";
    36 getitimer(Int, Ptr) => timer::getitimer, Full, "";
    37 alarm(Int) => timer::alarm, Full, "";
    38 setitimer(Int, Ptr, Ptr) => timer::setitimer, Full, "";
    39 getpid() => task::getpid, Full, "";
    40 sendfile(Fd, Fd, Ptr, Size) => splice::sendfile, Full, "";
    41 socket(Int, Hex, Int) => socket::socket, Partial, "AF_UNIX, AF_INET and AF_INET6 (TCP, UDP, ICMP echo, raw ICMP), AF_NETLINK (NETLINK_ROUTE; its other protocols, NETLINK_SOCK_DIAG among them, are EPROTONOSUPPORT); others are EAFNOSUPPORT";
    42 connect(Fd, Ptr, Int) => socket::connect, Full, "";
    43 accept(Fd, Ptr, Ptr) => socket::accept, Full, "";
    44 sendto(Fd, InBuf, Size, Hex, Ptr, Int) => message::sendto, Partial, "no MSG_MORE on datagrams; urgent TCP data of other machines stay in the stream, as with SO_OOBINLINE; no SIGURG; AF_UNIX has none";
    45 recvfrom(Fd, OutBuf, Size, Hex, Ptr, Ptr) => message::recvfrom, Partial, "urgent TCP data of other machines stay in the stream, as with SO_OOBINLINE; no SIGURG; AF_UNIX has none";
    46 sendmsg(Fd, Ptr, Hex) => message::sendmsg, Partial, "no MSG_MORE on datagrams; urgent TCP data of other machines stay in the stream, as with SO_OOBINLINE; no SIGURG; AF_UNIX has none";
    47 recvmsg(Fd, Ptr, Hex) => message::recvmsg, Partial, "urgent TCP data of other machines stay in the stream, as with SO_OOBINLINE; no SIGURG; AF_UNIX has none";
    48 shutdown(Fd, Int) => socket::shutdown, Full, "";
    49 bind(Fd, Ptr, Int) => socket::bind, Full, "";
    50 listen(Fd, Int) => socket::listen, Full, "";
    51 getsockname(Fd, Ptr, Ptr) => socket::getsockname, Full, "";
    52 getpeername(Fd, Ptr, Ptr) => socket::getpeername, Full, "";
    53 socketpair(Int, Hex, Int, Ptr) => socket::socketpair, Full, "AF_UNIX; other families have no pairs, as in Linux";
    54 setsockopt(Fd, Int, Int, InBuf, Int) => socket::setsockopt, Partial, "unknown options are ENOPROTOOPT: socket filters, UDP_CORK, IP_OPTIONS; kept without effect: TCP_CONGESTION, TCP_FASTOPEN, TCP_QUICKACK, TCP_WINDOW_CLAMP";
    55 getsockopt(Fd, Int, Int, Ptr, Ptr) => socket::getsockopt, Partial, "unknown options are ENOPROTOOPT";
    56 clone(CloneFlags, Ptr, Ptr, Ptr, Ptr) => task::clone, Partial, "threads only; a new process is ENOSYS";
    57 fork() => task::fork, Refused, "ENOSYS: one process per image";
    58 vfork() => task::vfork, Refused, "ENOSYS: one process per image";
    59 execve(Path, Ptr, Ptr) => task::execve, Refused, "ENOSYS: one program per image";
    60 exit(Int) => task::exit, Full, "";
    61 wait4(Int, Ptr, Hex, Ptr) => task::wait4, Full, "";
    62 kill(Int, Signal) => signal::kill, Full, "";
    63 uname(Ptr) => system::uname, Full, "";
    64 semget() => unimplemented, Missing, "";
    65 semop() => unimplemented, Missing, "";
    66 semctl() => unimplemented, Missing, "";
    67 shmdt() => unimplemented, Missing, "";
    68 msgget() => unimplemented, Missing, "";
    69 msgsnd() => unimplemented, Missing, "";
    70 msgrcv() => unimplemented, Missing, "";
    71 msgctl() => unimplemented, Missing, "";
    72 fcntl(Fd, Int, Hex) => fd::fcntl, Partial, "no leases (EAGAIN), no dnotify; SIGIO is not sent";
    73 flock(Fd, Int) => fd::flock, Full, "";
    74 fsync(Fd) => storage::fsync, Full, "";
    75 fdatasync(Fd) => storage::fdatasync, Full, "";
    76 truncate(Path, Offset) => storage::truncate, Full, "";
    77 ftruncate(Fd, Offset) => storage::ftruncate, Full, "";
    78 getdents(Fd, Ptr, Size) => listing::getdents, Full, "";
    79 getcwd(OutBuf, Size) => path::getcwd, Full, "";
    80 chdir(Path) => path::chdir, Full, "";
    81 fchdir(Fd) => path::fchdir, Full, "";
    82 rename(Path, Path) => path::rename, Full, "";
    83 mkdir(Path, Mode) => path::mkdir, Full, "";
    84 rmdir(Path) => path::rmdir, Full, "";
    85 creat(Path, Mode) => open::creat, Full, "";
    86 link(Path, Path) => path::link, Full, "";
    87 unlink(Path) => path::unlink, Full, "";
    88 symlink(Path, Path) => path::symlink, Full, "";
    89 readlink(Path, OutBuf, Size) => path::readlink, Full, "";
    90 chmod(Path, Mode) => attributes::chmod, Full, "";
    91 fchmod(Fd, Mode) => attributes::fchmod, Full, "";
    92 chown(Path, Int, Int) => attributes::chown, Full, "";
    93 fchown(Fd, Int, Int) => attributes::fchown, Full, "";
    94 lchown(Path, Int, Int) => attributes::lchown, Full, "";
    95 umask(Mode) => path::umask, Full, "";
    96 gettimeofday(Ptr, Ptr) => time::gettimeofday, Full, "";
    97 getrlimit(Int, Ptr) => system::getrlimit, Full, "";
    98 getrusage(Int, Ptr) => time::getrusage, Partial, "CPU time as user time, and the resident set; other fields 0";
    99 sysinfo(Ptr) => system::sysinfo, Partial, "no load averages, no swap";
    100 times(Ptr) => time::times, Partial, "all CPU time counts as user time";
    101 ptrace(Int, Int, Ptr, Ptr) => task::ptrace, Refused, "ENOSYS: no other process";
    102 getuid() => identity::getuid, Full, "";
    103 syslog(Int, Ptr, Int) => system::syslog, Refused, "EPERM: no kernel log";
    104 getgid() => identity::getgid, Full, "";
    105 setuid(Int) => identity::setuid, Full, "";
    106 setgid(Int) => identity::setgid, Full, "";
    107 geteuid() => identity::geteuid, Full, "";
    108 getegid() => identity::getegid, Full, "";
    109 setpgid(Int, Int) => identity::setpgid, Refused, "EPERM: the process is a session leader, as the first process of a container";
    110 getppid() => task::getppid, Full, "";
    111 getpgrp() => identity::getpgrp, Full, "";
    112 setsid() => identity::setsid, Refused, "EPERM: the process leads its group already";
    113 setreuid(Int, Int) => identity::setreuid, Full, "";
    114 setregid(Int, Int) => identity::setregid, Full, "";
    115 getgroups(Int, Ptr) => identity::getgroups, Full, "";
    116 setgroups(Int, Ptr) => identity::setgroups, Full, "";
    117 setresuid(Int, Int, Int) => identity::setresuid, Full, "";
    118 getresuid(Ptr, Ptr, Ptr) => identity::getresuid, Full, "";
    119 setresgid(Int, Int, Int) => identity::setresgid, Full, "";
    120 getresgid(Ptr, Ptr, Ptr) => identity::getresgid, Full, "";
    121 getpgid(Int) => identity::getpgid, Full, "";
    122 setfsuid(Int) => identity::setfsuid, Full, "";
    123 setfsgid(Int) => identity::setfsgid, Full, "";
    124 getsid(Int) => identity::getsid, Full, "";
    125 capget(Ptr, Ptr) => identity::capget, Full, "";
    126 capset(Ptr, Ptr) => identity::capset, Full, "";
    127 rt_sigpending(Ptr, Size) => signal::rt_sigpending, Full, "";
    128 rt_sigtimedwait(Sigset, Ptr, Timespec, Size) => signal::rt_sigtimedwait, Full, "";
    129 rt_sigqueueinfo(Int, Signal, Ptr) => signal::rt_sigqueueinfo, Full, "";
    130 rt_sigsuspend(Sigset, Size) => signal::rt_sigsuspend, Full, "";
    131 sigaltstack(Ptr, Ptr) => signal::sigaltstack, Full, "";
    132 utime(Path, Ptr) => attributes::utime, Full, "";
    133 mknod(Path, Mode, Hex) => path::mknod, Full, "";
    134 uselib() => unimplemented, Missing, "";
    135 personality(Hex) => system::personality, Partial, "PER_LINUX only";
    136 ustat(Int, Ptr) => metadata::ustat, Refused, "EINVAL: obsolete";
    137 statfs(Path, Ptr) => metadata::statfs, Full, "";
    138 fstatfs(Fd, Ptr) => metadata::fstatfs, Full, "";
    139 sysfs() => unimplemented, Missing, "";
    140 getpriority(Int, Int) => schedule::getpriority, Full, "";
    141 setpriority(Int, Int, Int) => schedule::setpriority, Partial, "stored and reported; has no effect";
    142 sched_setparam(Int, Ptr) => schedule::sched_setparam, Partial, "real-time policies are EPERM";
    143 sched_getparam(Int, Ptr) => schedule::sched_getparam, Full, "";
    144 sched_setscheduler(Int, Int, Ptr) => schedule::sched_setscheduler, Partial, "real-time policies are EPERM";
    145 sched_getscheduler(Int) => schedule::sched_getscheduler, Full, "";
    146 sched_get_priority_max(Int) => schedule::sched_get_priority_max, Full, "";
    147 sched_get_priority_min(Int) => schedule::sched_get_priority_min, Full, "";
    148 sched_rr_get_interval(Int, Ptr) => schedule::sched_rr_get_interval, Full, "";
    149 mlock(Ptr, Size) => residency::mlock, Partial, "RLIMIT_MEMLOCK is not enforced; nothing is ever paged out by the libOS.";
    150 munlock(Ptr, Size) => residency::munlock, Full, "";
    151 mlockall(Hex) => residency::mlockall, Partial, "MCL_FUTURE has no effect on madvise of later mappings.";
    152 munlockall() => residency::munlockall, Full, "";
    153 vhangup() => system::vhangup, Refused, "EPERM: no controlling terminal of its own";
    154 modify_ldt(Int, Ptr, Size) => system::modify_ldt, Refused, "ENOSYS: 64-bit code only";
    155 pivot_root(Path, Path) => path::pivot_root, Refused, "EPERM: as without CAP_SYS_ADMIN";
    156 _sysctl() => unimplemented, Missing, "";
    157 prctl(Int, Hex, Hex, Hex, Hex) => prctl::prctl, Partial, "name, dumpable, pdeathsig, keepcaps, no_new_privs, bounding and ambient sets, timer slack, subreaper, THP; others EINVAL";
    158 arch_prctl(Hex, Ptr) => task::arch_prctl, Partial, "FS only; %gs belongs to the libOS (EPERM)";
    159 adjtimex(Ptr) => time::adjtimex, Partial, "reads; EPERM for changes";
    160 setrlimit(Int, Ptr) => system::setrlimit, Full, "";
    161 chroot(Path) => path::chroot, Full, "";
    162 sync() => storage::sync, Full, "";
    163 acct(Path) => system::acct, Refused, "EPERM: reaches beyond the image";
    164 settimeofday(Ptr, Ptr) => time::settimeofday, Refused, "EPERM: the clock is the host's";
    165 mount(Path, Path, Str, Hex, Ptr) => path::mount, Refused, "EPERM: as without CAP_SYS_ADMIN";
    166 umount2(Path, Hex) => path::umount2, Refused, "EPERM: as without CAP_SYS_ADMIN";
    167 swapon(Path, Hex) => system::swapon, Refused, "EPERM: reaches beyond the image";
    168 swapoff(Path) => system::swapoff, Refused, "EPERM: reaches beyond the image";
    169 reboot(Hex, Hex, Hex, Ptr) => system::reboot, Refused, "EPERM: reaches beyond the image";
    170 sethostname(Str, Size) => system::sethostname, Refused, "EPERM: the name comes with the image";
    171 setdomainname(Str, Size) => system::setdomainname, Refused, "EPERM: the name comes with the image";
    172 iopl(Int) => system::iopl, Refused, "EPERM: no raw I/O";
    173 ioperm(Hex, Hex, Int) => system::ioperm, Refused, "EPERM: no raw I/O";
    174 create_module() => unimplemented, Missing, "";
    175 init_module(Ptr, Size, Str) => system::init_module, Refused, "EPERM: reaches beyond the image";
    176 delete_module(Str, Hex) => system::delete_module, Refused, "EPERM: reaches beyond the image";
    177 get_kernel_syms() => unimplemented, Missing, "";
    178 query_module() => unimplemented, Missing, "";
    179 quotactl(Int, Path, Int, Ptr) => system::quotactl, Refused, "EPERM: no quotas";
    180 nfsservctl() => unimplemented, Missing, "";
    181 getpmsg() => unimplemented, Missing, "";
    182 putpmsg() => unimplemented, Missing, "";
    183 afs_syscall() => unimplemented, Missing, "";
    184 tuxcall() => unimplemented, Missing, "";
    185 security() => unimplemented, Missing, "";
    186 gettid() => task::gettid, Full, "";
    187 readahead(Fd, Offset, Size) => storage::readahead, Full, "";
    188 setxattr(Path, Str, InBuf, Size, Hex) => xattr::setxattr, Full, "";
    189 lsetxattr(Path, Str, InBuf, Size, Hex) => xattr::lsetxattr, Full, "";
    190 fsetxattr(Fd, Str, InBuf, Size, Hex) => xattr::fsetxattr, Full, "";
    191 getxattr(Path, Str, Ptr, Size) => xattr::getxattr, Full, "";
    192 lgetxattr(Path, Str, Ptr, Size) => xattr::lgetxattr, Full, "";
    193 fgetxattr(Fd, Str, Ptr, Size) => xattr::fgetxattr, Full, "";
    194 listxattr(Path, Ptr, Size) => xattr::listxattr, Full, "";
    195 llistxattr(Path, Ptr, Size) => xattr::llistxattr, Full, "";
    196 flistxattr(Fd, Ptr, Size) => xattr::flistxattr, Full, "";
    197 removexattr(Path, Str) => xattr::removexattr, Full, "";
    198 lremovexattr(Path, Str) => xattr::lremovexattr, Full, "";
    199 fremovexattr(Fd, Str) => xattr::fremovexattr, Full, "";
    200 tkill(Int, Signal) => signal::tkill, Full, "";
    201 time(Ptr) => time::time, Full, "";
    202 futex(Ptr, FutexOp, Int, Ptr, Ptr, Hex) => futex::futex, Partial, "no priority inheritance (ENOSYS)";
    203 sched_setaffinity(Int, Size, Ptr) => schedule::sched_setaffinity, Full, "";
    204 sched_getaffinity(Int, Size, Ptr) => schedule::sched_getaffinity, Full, "";
    205 set_thread_area() => unimplemented, Missing, "";
    206 io_setup() => unimplemented, Missing, "";
    207 io_destroy() => unimplemented, Missing, "";
    208 io_getevents() => unimplemented, Missing, "";
    209 io_submit() => unimplemented, Missing, "";
    210 io_cancel() => unimplemented, Missing, "";
    211 get_thread_area() => unimplemented, Missing, "";
    212 lookup_dcookie() => unimplemented, Missing, "";
    213 epoll_create(Int) => epoll::epoll_create, Full, "";
    214 epoll_ctl_old() => unimplemented, Missing, "";
    215 epoll_wait_old() => unimplemented, Missing, "";
    216 remap_file_pages(Ptr, Size, Prot, Size, Hex) => memory::remap_file_pages, Refused, "EINVAL: deprecated.";
    217 getdents64(Fd, Ptr, Size) => listing::getdents64, Full, "";
    218 set_tid_address(Ptr) => task::set_tid_address, Full, "";
    219 restart_syscall() => signal::restart_syscall, Full, "";
    220 semtimedop() => unimplemented, Missing, "";
    221 fadvise64(Fd, Offset, Size, Int) => storage::fadvise64, Full, "";
    222 timer_create(Clock, Ptr, Ptr) => timer::timer_create, Full, "";
    223 timer_settime(Int, Hex, Ptr, Ptr) => timer::timer_settime, Full, "";
    224 timer_gettime(Int, Ptr) => timer::timer_gettime, Full, "";
    225 timer_getoverrun(Int) => timer::timer_getoverrun, Full, "";
    226 timer_delete(Int) => timer::timer_delete, Full, "";
    227 clock_settime(Clock, Ptr) => time::clock_settime, Refused, "EPERM: the clock is the host's";
    228 clock_gettime(Clock, Ptr) => time::clock_gettime, Full, "";
    229 clock_getres(Clock, Ptr) => time::clock_getres, Full, "";
    230 clock_nanosleep(Clock, Hex, Timespec, Ptr) => time::clock_nanosleep, Full, "";
    231 exit_group(Int) => task::exit_group, Full, "";
    232 epoll_wait(Fd, Ptr, Int, Int) => epoll::epoll_wait, Full, "";
    233 epoll_ctl(Fd, Int, Fd, Ptr) => epoll::epoll_ctl, Full, "";
    234 tgkill(Int, Int, Signal) => signal::tgkill, Full, "";
    235 utimes(Path, Ptr) => attributes::utimes, Full, "";
    236 vserver() => unimplemented, Missing, "";
    237 mbind(Ptr, Size, Int, Ptr, Size, Hex) => memory::mbind, Full, "One node.";
    238 set_mempolicy(Int, Ptr, Size) => memory::set_mempolicy, Partial, "One node; the policy is checked, not kept.";
    239 get_mempolicy(Ptr, Ptr, Size, Ptr, Hex) => memory::get_mempolicy, Partial, "Always the default policy, node 0.";
    240 mq_open() => unimplemented, Missing, "";
    241 mq_unlink() => unimplemented, Missing, "";
    242 mq_timedsend() => unimplemented, Missing, "";
    243 mq_timedreceive() => unimplemented, Missing, "";
    244 mq_notify() => unimplemented, Missing, "";
    245 mq_getsetattr() => unimplemented, Missing, "";
    246 kexec_load(Hex, Hex, Ptr, Hex) => system::kexec_load, Refused, "EPERM: reaches beyond the image";
    247 waitid(Int, Int, Ptr, Hex, Ptr) => task::waitid, Full, "";
    248 add_key(Str, Str, Ptr, Size, Int) => system::add_key, Refused, "ENOSYS: no key rings";
    249 request_key(Str, Str, Str, Int) => system::request_key, Refused, "ENOSYS: no key rings";
    250 keyctl(Int, Hex, Hex, Hex, Hex) => system::keyctl, Refused, "ENOSYS: no key rings";
    251 ioprio_set(Int, Int, Int) => system::ioprio_set, Partial, "checked and forgotten: files in memory have no I/O priority";
    252 ioprio_get(Int, Int) => system::ioprio_get, Partial, "class none: files in memory have no I/O priority";
    253 inotify_init() => event::inotify_init, Full, "";
    254 inotify_add_watch(Fd, Path, Hex) => event::inotify_add_watch, Partial, "IN_EXCL_UNLINK has no effect; IN_DELETE_SELF comes at the last unlink, not at the last close";
    255 inotify_rm_watch(Fd, Int) => event::inotify_rm_watch, Full, "";
    256 migrate_pages() => unimplemented, Missing, "";
    257 openat(DirFd, Path, OpenFlags, Mode) => open::openat, Full, "";
    258 mkdirat(DirFd, Path, Mode) => path::mkdirat, Full, "";
    259 mknodat(DirFd, Path, Mode, Hex) => path::mknodat, Full, "";
    260 fchownat(DirFd, Path, Int, Int, Hex) => attributes::fchownat, Full, "";
    261 futimesat(DirFd, Path, Ptr) => attributes::futimesat, Full, "";
    262 newfstatat(DirFd, Path, Ptr, Hex) => metadata::newfstatat, Full, "";
    263 unlinkat(DirFd, Path, Hex) => path::unlinkat, Full, "";
    264 renameat(DirFd, Path, DirFd, Path) => path::renameat, Full, "";
    265 linkat(DirFd, Path, DirFd, Path, Hex) => path::linkat, Full, "";
    266 symlinkat(Path, DirFd, Path) => path::symlinkat, Full, "";
    267 readlinkat(DirFd, Path, OutBuf, Size) => path::readlinkat, Full, "";
    268 fchmodat(DirFd, Path, Mode) => attributes::fchmodat, Full, "";
    269 faccessat(DirFd, Path, Int) => path::faccessat, Full, "";
    270 pselect6(Int, Ptr, Ptr, Ptr, Timespec, Ptr) => poll::pselect6, Full, "";
    271 ppoll(Ptr, Int, Timespec, Sigset, Size) => poll::ppoll, Full, "";
    272 unshare(CloneFlags) => task::unshare, Partial, "EPERM but for no flags";
    273 set_robust_list(Ptr, Size) => task::set_robust_list, Full, "";
    274 get_robust_list(Int, Ptr, Ptr) => task::get_robust_list, Full, "";
    275 splice(Fd, Ptr, Fd, Ptr, Size, Hex) => splice::splice, Full, "";
    276 tee(Fd, Fd, Size, Hex) => splice::tee, Full, "";
    277 sync_file_range(Fd, Offset, Offset, Hex) => storage::sync_file_range, Full, "";
    278 vmsplice(Fd, Iovec, Size, Hex) => splice::vmsplice, Partial, "copies instead of taking pages";
    279 move_pages() => unimplemented, Missing, "";
    280 utimensat(DirFd, Path, Ptr, Hex) => attributes::utimensat, Full, "";
    281 epoll_pwait(Fd, Ptr, Int, Int, Sigset, Size) => epoll::epoll_pwait, Full, "";
    282 signalfd(Fd, Sigset, Size) => event::signalfd, Full, "";
    283 timerfd_create(Clock, Hex) => event::timerfd_create, Full, "";
    284 eventfd(Int) => event::eventfd, Full, "";
    285 fallocate(Fd, Hex, Offset, Offset) => storage::fallocate, Partial, "ranges do not collapse or insert, as on tmpfs (EOPNOTSUPP)";
    286 timerfd_settime(Fd, Hex, Ptr, Ptr) => event::timerfd_settime, Full, "";
    287 timerfd_gettime(Fd, Ptr) => event::timerfd_gettime, Full, "";
    288 accept4(Fd, Ptr, Ptr, Hex) => socket::accept4, Full, "";
    289 signalfd4(Fd, Sigset, Size, Hex) => event::signalfd4, Full, "";
    290 eventfd2(Int, Hex) => event::eventfd2, Full, "";
    291 epoll_create1(Hex) => epoll::epoll_create1, Full, "";
    292 dup3(Fd, Fd, OpenFlags) => fd::dup3, Full, "";
    293 pipe2(Ptr, OpenFlags) => event::pipe2, Full, "";
    294 inotify_init1(Hex) => event::inotify_init1, Full, "";
    295 preadv(Fd, Iovec, Int, Offset, Offset) => file_io::preadv, Full, "";
    296 pwritev(Fd, Iovec, Int, Offset, Offset) => file_io::pwritev, Full, "";
    297 rt_tgsigqueueinfo(Int, Int, Signal, Ptr) => signal::rt_tgsigqueueinfo, Full, "";
    298 perf_event_open(Ptr, Int, Int, Fd, Hex) => system::perf_event_open, Refused, "EACCES: as unprivileged in a container";
    299 recvmmsg(Fd, Ptr, Int, Hex, Timespec) => message::recvmmsg, Partial, "urgent TCP data of other machines stay in the stream, as with SO_OOBINLINE; no SIGURG; AF_UNIX has none";
    300 fanotify_init() => unimplemented, Missing, "";
    301 fanotify_mark() => unimplemented, Missing, "";
    302 prlimit64(Int, Int, Ptr, Ptr) => system::prlimit64, Partial, "only this process; NOFILE, STACK, FSIZE, AS, SIGPENDING are enforced, others kept";
    303 name_to_handle_at(DirFd, Path, Ptr, Ptr, Hex) => path::name_to_handle_at, Refused, "EOPNOTSUPP: no stable handles";
    304 open_by_handle_at() => unimplemented, Missing, "";
    305 clock_adjtime(Clock, Ptr) => time::clock_adjtime, Partial, "reads; EPERM for changes";
    306 syncfs(Fd) => storage::syncfs, Full, "";
    307 sendmmsg(Fd, Ptr, Int, Hex) => message::sendmmsg, Partial, "no MSG_MORE on datagrams; urgent TCP data of other machines stay in the stream, as with SO_OOBINLINE; no SIGURG; AF_UNIX has none";
    308 setns(Fd, CloneFlags) => task::setns, Refused, "EPERM: no namespaces";
    309 getcpu(Ptr, Ptr, Ptr) => schedule::getcpu, Full, "";
    310 process_vm_readv() => unimplemented, Missing, "";
    311 process_vm_writev() => unimplemented, Missing, "";
    312 kcmp(Int, Int, Int, Hex, Hex) => task::kcmp, Refused, "ENOSYS: no other process";
    313 finit_module() => unimplemented, Missing, "";
    314 sched_setattr(Int, Ptr, Hex) => schedule::sched_setattr, Partial, "real-time policies are EPERM";
    315 sched_getattr(Int, Ptr, Size, Hex) => schedule::sched_getattr, Partial, "always SCHED_OTHER";
    316 renameat2(DirFd, Path, DirFd, Path, Hex) => path::renameat2, Partial, "RENAME_WHITEOUT is EINVAL";
    317 seccomp(Int, Hex, Ptr) => system::seccomp, Refused, "EINVAL: no filters inside the image";
    318 getrandom(Ptr, Size, Hex) => system::getrandom, Full, "";
    319 memfd_create(Str, Hex) => event::memfd_create, Partial, "no huge pages";
    320 kexec_file_load() => unimplemented, Missing, "";
    321 bpf(Int, Ptr, Int) => system::bpf, Refused, "EPERM: as unprivileged in a container";
    322 execveat(DirFd, Path, Ptr, Ptr, Hex) => task::execveat, Refused, "ENOSYS: one program per image";
    323 userfaultfd(Hex) => system::userfaultfd, Refused, "EPERM: as unprivileged in a container";
    324 membarrier(Int, Hex, Int) => memory::membarrier, Full, "One vCPU: each system call is a barrier for all threads. No rseq commands.";
    325 mlock2(Ptr, Size, Hex) => residency::mlock2, Partial, "As mlock.";
    326 copy_file_range(Fd, Ptr, Fd, Ptr, Size, Hex) => splice::copy_file_range, Full, "";
    327 preadv2(Fd, Iovec, Int, Offset, Offset, Hex) => file_io::preadv2, Partial, "RWF_ATOMIC is EOPNOTSUPP";
    328 pwritev2(Fd, Iovec, Int, Offset, Offset, Hex) => file_io::pwritev2, Partial, "RWF_ATOMIC and RWF_NOAPPEND are EOPNOTSUPP";
    329 pkey_mprotect(Ptr, Size, Prot, Int) => memory::pkey_mprotect, Full, "No protection keys: key -1 only.";
    330 pkey_alloc() => unimplemented, Missing, "";
    331 pkey_free() => unimplemented, Missing, "";
    332 statx(DirFd, Path, Hex, Hex, Ptr) => metadata::statx, Partial, "no direct I/O alignment, no attributes but the mount root";
    333 io_pgetevents() => unimplemented, Missing, "";
    334 rseq(Ptr, Int, Hex, Hex) => task::rseq, Refused, "ENOSYS: threads are switched by the libOS";
    424 pidfd_send_signal(Fd, Signal, Ptr, Hex) => task::pidfd_send_signal, Refused, "ENOSYS: one process per image";
    425 io_uring_setup(Int, Ptr) => system::io_uring_setup, Refused, "ENOSYS: no rings; runtimes fall back to epoll";
    426 io_uring_enter(Fd, Int, Int, Hex, Ptr, Size) => system::io_uring_enter, Refused, "ENOSYS: no rings";
    427 io_uring_register(Fd, Int, Ptr, Int) => system::io_uring_register, Refused, "ENOSYS: no rings";
    428 open_tree() => unimplemented, Missing, "";
    429 move_mount() => unimplemented, Missing, "";
    430 fsopen() => unimplemented, Missing, "";
    431 fsconfig() => unimplemented, Missing, "";
    432 fsmount() => unimplemented, Missing, "";
    433 fspick() => unimplemented, Missing, "";
    434 pidfd_open(Int, Hex) => task::pidfd_open, Refused, "ENOSYS: one process per image";
    435 clone3(Ptr, Size) => task::clone3, Partial, "threads only; a new process is ENOSYS";
    436 close_range(Fd, Fd, Hex) => fd::close_range, Full, "";
    437 openat2(DirFd, Path, Ptr, Size) => open::openat2, Full, "";
    438 pidfd_getfd(Fd, Fd, Hex) => task::pidfd_getfd, Refused, "ENOSYS: one process per image";
    439 faccessat2(DirFd, Path, Int, Hex) => path::faccessat2, Full, "";
    440 process_madvise() => unimplemented, Missing, "";
    441 epoll_pwait2(Fd, Ptr, Int, Timespec, Sigset, Size) => epoll::epoll_pwait2, Full, "";
    442 mount_setattr() => unimplemented, Missing, "";
    443 quotactl_fd() => unimplemented, Missing, "";
    444 landlock_create_ruleset(Ptr, Size, Hex) => system::landlock_create_ruleset, Refused, "EOPNOTSUPP: as on a kernel with Landlock disabled";
    445 landlock_add_rule() => unimplemented, Missing, "";
    446 landlock_restrict_self() => unimplemented, Missing, "";
    447 memfd_secret() => unimplemented, Missing, "";
    448 process_mrelease() => unimplemented, Missing, "";
    449 futex_waitv() => unimplemented, Missing, "";
    450 set_mempolicy_home_node() => unimplemented, Missing, "";
    451 cachestat() => unimplemented, Missing, "";
    452 fchmodat2(DirFd, Path, Mode, Hex) => attributes::fchmodat2, Full, "";
    453 map_shadow_stack() => unimplemented, Missing, "";
    454 futex_wake() => unimplemented, Missing, "";
    455 futex_wait() => unimplemented, Missing, "";
    456 futex_requeue() => unimplemented, Missing, "";
    457 statmount() => unimplemented, Missing, "";
    458 listmount() => unimplemented, Missing, "";
    459 lsm_get_self_attr() => unimplemented, Missing, "";
    460 lsm_set_self_attr() => unimplemented, Missing, "";
    461 lsm_list_modules() => unimplemented, Missing, "";
    462 mseal() => unimplemented, Missing, "";
    463 setxattrat() => unimplemented, Missing, "";
    464 getxattrat() => unimplemented, Missing, "";
    465 listxattrat() => unimplemented, Missing, "";
    466 removexattrat() => unimplemented, Missing, "";
    467 open_tree_attr() => unimplemented, Missing, "";}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ascend() {
        assert!(
            DOCUMENTED
                .windows(2)
                .all(|pair| pair[0].number < pair[1].number)
        );
    }

    #[test]
    fn every_line_that_needs_a_note_has_one() {
        for entry in DOCUMENTED {
            let needs = matches!(entry.status, Status::Partial | Status::Refused);
            assert!(
                !needs || !entry.note.is_empty(),
                "{} has no note",
                entry.name
            );
        }
    }

    #[test]
    fn an_unknown_number_is_enosys() {
        assert_eq!(call(100_000, &[0; 6]), Err(Errno::ENOSYS));
        assert!(entry(100_000).is_none());
    }

    #[test]
    fn the_trace_knows_every_call() {
        for known in DOCUMENTED {
            let found = entry(known.number.into()).expect(known.name);
            assert_eq!(found.name, known.name);
        }
        let pread = entry(17).expect("pread64");
        assert_eq!(
            pread.arguments,
            [Kind::Fd, Kind::OutBuf, Kind::Size, Kind::Offset]
        );
    }
}
