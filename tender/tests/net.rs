//! Network interfaces reach the image as the command line describes them, and frames cross their handles.
//!
//! Taps and packet sockets are made in network namespaces of the tests' own: each such test runs a copy of itself
//! inside `unshare`. Where that is not permitted the test says so and checks nothing.

mod common;

use common::attacker::{self, Attacker};
use libos_abi::handle::HandleKind;
use libos_abi::manifest::Mode;
use libos_abi::net::{Framing, flags};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Set in the copy of a test that runs inside the namespace.
const INSIDE: &str = "LIBOS_TENDER_NET_INSIDE";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What `net` of the attacker writes, line by line.
fn told(options: &[&str], image: &Path) -> Vec<String> {
    let output = attacker::run(options, image, &["net"]);
    assert_eq!(output.status.code(), Some(0), "{options:?}: {output:?}");
    text(&output.stdout).lines().map(Into::into).collect()
}

fn refused(options: &[&str], image: &Path) -> String {
    let output = attacker::run(options, image, &["net"]);
    assert_eq!(output.status.code(), Some(125), "{options:?}: {output:?}");
    assert_eq!(text(&output.stdout), "", "nothing ran");
    text(&output.stderr)
}

#[track_caller]
fn assert_has(lines: &[String], expected: &[&str]) {
    for line in expected {
        assert!(
            lines.iter().any(|other| other == line),
            "no {line:?} in {lines:#?}"
        );
    }
}

/// Runs `test` in a copy of this process that is root of a network namespace of its own.
fn in_a_network_namespace(name: &str, test: impl Fn()) {
    if std::env::var_os(INSIDE).is_some() {
        return test();
    }
    let is_permitted = |unshare: &&[&str]| {
        let status = Command::new("unshare")
            .args(*unshare)
            .arg("true")
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    };
    let ways: [&[&str]; 2] = [&["--net"], &["--user", "--map-root-user", "--net"]];
    let Some(unshare) = ways.into_iter().find(is_permitted) else {
        eprintln!("SKIPPED {name}: no network namespace is permitted here");
        return;
    };
    let status = Command::new("unshare")
        .args(unshare)
        .arg(std::env::current_exe().expect("a running test"))
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .expect("unshare(1) of util-linux");
    assert!(status.success(), "inside the namespace: {status}");
}

fn ip(words: &str) {
    let output = Command::new("ip")
        .args(words.split_ascii_whitespace())
        .output();
    let output = output.expect("ip(8) of iproute2 is needed for this test");
    assert!(output.status.success(), "ip {words}: {output:?}");
}

fn shown(words: &str) -> String {
    let output = Command::new("ip")
        .args(words.split_ascii_whitespace())
        .output();
    text(&output.expect("ip(8)").stdout)
}

/// Whether taps can be made here: in a user namespace `/dev/net/tun` itself must be accessible.
fn has_taps(name: &str) -> bool {
    let made = Command::new("ip")
        .args(["tuntap", "add", "dev", "probe", "mode", "tap"])
        .output();
    let has = made.is_ok_and(|output| output.status.success());
    if !has {
        eprintln!("SKIPPED {name}: no tap is permitted here");
    }
    has
}

/// The hexadecimal form that the attacker writes of an IPv4 address.
fn v4(octets: [u8; 4]) -> String {
    let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("4 {hex}{}", "0".repeat(24))
}

#[test]
fn no_network_is_no_handle() {
    let attacker = Attacker::build();
    let image = attacker.path(Mode::Strict);
    assert_eq!(told(&["--net", "none"], &image), Vec::<String>::new());
}

#[test]
fn a_tap_that_does_not_exist_is_refused_with_how_to_make_one() {
    let attacker = Attacker::build();
    let error = refused(&["--net", "tap=no-such-tap"], &attacker.path(Mode::Strict));
    assert!(
        error.contains("expected a tap interface named no-such-tap, found none"),
        "{error}"
    );
    assert!(
        error.contains("ip tuntap add dev no-such-tap mode tap user $USER"),
        "{error}"
    );
    assert!(error.contains("--net user"), "{error}");
}

#[test]
fn an_interface_that_is_no_tap_is_refused() {
    let name = "an_interface_that_is_no_tap_is_refused";
    in_a_network_namespace(name, || {
        if !has_taps(name) {
            return;
        }
        let attacker = Attacker::build();
        ip("link add veth0 type veth peer name veth1");
        let error = refused(&["--net", "tap=veth0"], &attacker.path(Mode::Strict));
        assert!(error.contains("to attach to the tap"), "{error}");
        assert!(error.contains("--net packet=veth0"), "{error}");
    });
}

#[test]
fn a_tap_in_use_is_refused() {
    let name = "a_tap_in_use_is_refused";
    in_a_network_namespace(name, || {
        if !has_taps(name) {
            return;
        }
        let attacker = Attacker::build();
        let image = attacker.path(Mode::Strict);
        ip("tuntap add dev tap0 mode tap");
        ip("link set tap0 up");
        let first = Echo::start(&["--net", "tap=tap0,ip=10.0.0.2/24"], &image);
        let error = refused(&["--net", "tap=tap0,ip=10.0.0.2/24"], &image);
        assert!(error.contains("another tap"), "{error}");
        drop(first);
    });
}

#[test]
fn what_is_typed_reaches_the_boot_information() {
    let name = "what_is_typed_reaches_the_boot_information";
    in_a_network_namespace(name, || {
        if !has_taps(name) {
            return;
        }
        let attacker = Attacker::build();
        ip("tuntap add dev tap0 mode tap");
        ip("tuntap add dev tap1 mode tap multi_queue");
        ip("link set tap0 mtu 1400 up");
        let first = "tap=tap0,ip=10.0.0.2/24,ip=fd00::2/64,gw=10.0.0.1,route=10.8.0.0/16,dns=10.0.0.53,search=a.test";
        let second = "tap=tap1,name=up1,mac=02:00:00:00:00:07,mtu=9000,dhcp";
        let lines = told(
            &["--net", first, "--net", second],
            &attacker.path(Mode::Strict),
        );
        let none = "0".repeat(32);
        let offloads = flags::CHECKSUM | flags::SEGMENTATION;
        let expected = [
            "interface eth0".into(),
            "handle 3".into(),
            format!("handle_kind {}", HandleKind::Net as u32),
            "handle_fd 3".into(),
            format!("framing {}", Framing::Header as u32),
            format!("flags {offloads}"),
            "mtu 1400".into(),
            "mac 02000a000002".into(),
            format!("address {}/24", v4([10, 0, 0, 2])),
            format!("address 6 fd{}02/64", "0".repeat(28)),
            format!("destination {}/0", v4([0, 0, 0, 0])),
            format!("gateway {}/32", v4([10, 0, 0, 1])),
            format!("destination {}/16", v4([10, 8, 0, 0])),
            format!("gateway 0 {none}/0"),
            "interface up1".into(),
            "handle 4".into(),
            format!("handle_kind {}", HandleKind::Net as u32),
            "handle_fd 4".into(),
            format!("framing {}", Framing::Header as u32),
            format!("flags {}", offloads | flags::DHCP),
            "mtu 9000".into(),
            "mac 020000000007".into(),
            format!("dns {}/32", v4([10, 0, 0, 53])),
            "search a.test".into(),
        ];
        assert_eq!(lines, expected);
    });
}

#[test]
fn a_frame_crosses_a_tap_in_both_directions() {
    let name = "a_frame_crosses_a_tap_in_both_directions";
    in_a_network_namespace(name, || {
        if !has_taps(name) {
            return;
        }
        let attacker = Attacker::build();
        ip("tuntap add dev tap0 mode tap");
        ip("link set tap0 up");
        for mode in [Mode::Strict, Mode::Compat] {
            let echo = Echo::start(&["--net", "tap=tap0,ip=10.0.0.2/24"], &attacker.path(mode));
            echo.exchange("tap0");
        }
    });
}

#[test]
fn a_frame_crosses_a_packet_socket_in_both_directions() {
    let name = "a_frame_crosses_a_packet_socket_in_both_directions";
    in_a_network_namespace(name, || {
        let attacker = Attacker::build();
        veth_pair();
        let echo = Echo::start(
            &["--net", "packet=veth1,take"],
            &attacker.path(Mode::Strict),
        );
        echo.exchange("veth0");
    });
}

fn veth_pair() {
    ip("link add veth0 type veth peer name veth1");
    ip("link set veth1 address 02:00:00:00:00:aa");
    ip("link set veth0 up");
    ip("link set veth1 mtu 1450 up");
    ip("address add 10.0.0.2/24 dev veth1");
    ip("address add fd00::2/64 dev veth1 nodad");
    ip("route add default via 10.0.0.1 dev veth1 metric 50");
    ip("route add 10.8.0.0/16 dev veth1");
}

#[test]
fn a_packet_socket_takes_the_interface_s_place() {
    let name = "a_packet_socket_takes_the_interface_s_place";
    in_a_network_namespace(name, || {
        let attacker = Attacker::build();
        let image = attacker.path(Mode::Strict);
        veth_pair();
        let common = [
            "mtu 1450".to_owned(),
            "mac 0200000000aa".into(),
            format!("address {}/24", v4([10, 0, 0, 2])),
            format!("address 6 fd{}02/64", "0".repeat(28)),
            format!("destination {}/0", v4([0, 0, 0, 0])),
            format!("gateway {}/32", v4([10, 0, 0, 1])),
            format!("destination {}/16", v4([10, 8, 0, 0])),
        ];
        let common: Vec<&str> = common.iter().map(String::as_str).collect();
        let output = attacker::run(&["--net", "packet=veth1"], &image, &["net"]);
        let warning = text(&output.stderr);
        assert!(warning.contains("packet=veth1,take"), "{warning}");
        let lines: Vec<String> = text(&output.stdout).lines().map(Into::into).collect();
        assert_has(&lines, &common);
        assert_eq!(
            lines
                .iter()
                .filter(|line| line.starts_with("address"))
                .count(),
            2,
            "{lines:?}"
        );
        assert!(
            shown("address show dev veth1").contains("10.0.0.2"),
            "still the host's"
        );
        let output = attacker::run(&["--net", "packet=veth1,take"], &image, &["net"]);
        assert_eq!(text(&output.stderr), "");
        let lines: Vec<String> = text(&output.stdout).lines().map(Into::into).collect();
        assert_has(&lines, &common);
        let left = shown("address show dev veth1");
        assert!(!left.contains("inet"), "taken: {left}");
        let lines = told(
            &["--net", "packet=veth1,ip=10.0.0.9/24,mac=02:00:00:00:00:bb"],
            &image,
        );
        assert_has(
            &lines,
            &[
                "mac 0200000000bb",
                &format!("address {}/24", v4([10, 0, 0, 9])),
            ],
        );
    });
}

#[test]
fn an_interface_without_ethernet_frames_is_refused() {
    let attacker = Attacker::build();
    let image = attacker.path(Mode::Strict);
    let error = refused(&["--net", "packet=lo"], &image);
    assert!(error.contains("Ethernet"), "{error}");
    let error = refused(&["--net", "packet=no-such-one"], &image);
    assert!(error.contains("found none"), "{error}");
    let error = refused(&["-p", "8080:80", "--net", "none"], &image);
    assert!(error.contains("--net user"), "{error}");
}

#[test]
fn the_filter_shows_the_handles_of_the_networks() {
    let attacker = Attacker::build();
    let shown = |options: &[&str]| {
        let output = Command::new(attacker::tender())
            .args(["filter"])
            .arg(attacker.path(Mode::Strict))
            .args(options)
            .output()
            .expect("the tender starts");
        assert!(output.status.success(), "{output:?}");
        text(&output.stdout)
    };
    assert!(!shown(&["--net", "none"]).contains("; net"));
    // Nothing is opened for it: the tap need not exist.
    let both = shown(&["--net", "tap=no-such-tap,ip=10.0.0.2/24", "--net", "user"]);
    for rule in [
        "read(fd == 3)  ; net",
        "write(fd == 3)  ; net",
        "read(fd == 4)  ; net",
        "write(fd == 4)  ; net",
        "nfds <= 5",
    ] {
        assert!(both.contains(rule), "{rule} in {both}");
    }
    assert!(!both.contains("pread64(fd == 3)"), "{both}");
}

/// The proof by strace: from the filter on, nothing but the seven, with a tap attached and used.
#[test]
fn with_a_tap_nothing_but_the_seven_is_called() {
    let name = "with_a_tap_nothing_but_the_seven_is_called";
    in_a_network_namespace(name, || {
        if !has_taps(name) {
            return;
        }
        if Command::new("strace").arg("-V").output().is_err() {
            eprintln!("SKIPPED {name}: strace is not installed");
            return;
        }
        let attacker = Attacker::build();
        let log = attacker.directory().join("strace");
        ip("tuntap add dev tap0 mode tap");
        ip("link set tap0 up");
        let mut command = Command::new("strace");
        command
            .arg("-f")
            .arg("-o")
            .arg(&log)
            .arg(attacker::tender());
        let options = ["--net", "tap=tap0,ip=10.0.0.2/24"];
        Echo::start_command(command, &options, &attacker.path(Mode::Strict)).exchange("tap0");
        let log = std::fs::read_to_string(log).expect("strace's output");
        let (_, after) = log
            .split_once("seccomp(SECCOMP_SET_MODE_FILTER")
            .expect("a filter");
        let mut seen = Vec::new();
        for line in after.lines().skip(1) {
            let call = line
                .split_ascii_whitespace()
                .nth(1)
                .and_then(|rest| rest.split('(').next());
            seen.push(call.unwrap_or_default().to_owned());
        }
        let seven = [
            "read",
            "write",
            "pread64",
            "pwrite64",
            "ppoll",
            "clock_gettime",
            "exit_group",
            "+++",
        ];
        assert!(
            seen.iter().all(|call| seven.contains(&call.as_str())),
            "{seen:?}"
        );
        for used in ["read", "write", "ppoll"] {
            assert!(
                seen.iter().any(|call| call == used),
                "{used} is missing: {seen:?}"
            );
        }
    });
}

/// An attacker that sends a frame back.
struct Echo {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Echo {
    fn start(options: &[&str], image: &Path) -> Self {
        Self::start_command(Command::new(attacker::tender()), options, image)
    }

    fn start_command(mut command: Command, options: &[&str], image: &Path) -> Self {
        let mut child = command
            .arg("run")
            .args(options)
            .arg(image)
            .args(["--", "echo"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the tender starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("readable");
        assert_eq!(line, "ready\n", "{:?}", child.wait());
        Self { child, stdout }
    }

    /// Sends a frame through the host's `interface`, and expects it back with `struct virtio_net_hdr` as the
    /// kernel made it: all zero.
    fn exchange(mut self, interface: &str) {
        let frame = frame();
        let socket = wire::Wire::open(interface);
        socket.send(&frame);
        let back = socket.receive(frame.len());
        assert_eq!(back, frame, "the frame comes back as it went");
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("readable");
        assert_eq!(rest, format!("{}\n", frame.len() + 10));
        assert_eq!(self.child.wait().expect("a child").code(), Some(0));
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Broadcast, EtherType 0x88b5.
fn frame() -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend([2, 0, 0, 0, 0, 1, 0x88, 0xb5]);
    frame.extend(0..100);
    frame
}

/// The other end of the wire: an ordinary packet socket.
mod wire {
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

    /// `ETH_P_ALL` would show other protocols' frames too.
    const PROTOCOL: u16 = 0x88b5;

    pub struct Wire(OwnedFd);

    impl Wire {
        pub fn open(interface: &str) -> Self {
            let name = std::ffi::CString::new(interface).expect("a name");
            // SAFETY: socket(2) takes no pointer; the descriptor is nobody else's. The name ends with NUL;
            // `address` is a valid sockaddr_ll, of which bind(2) reads as many bytes as it has.
            unsafe {
                let fd = libc::socket(libc::AF_PACKET, libc::SOCK_RAW, i32::from(PROTOCOL.to_be()));
                assert!(fd >= 0, "{}", std::io::Error::last_os_error());
                let socket = OwnedFd::from_raw_fd(fd);
                let mut address: libc::sockaddr_ll = std::mem::zeroed();
                address.sll_family = 17;
                address.sll_protocol = PROTOCOL.to_be();
                address.sll_ifindex = libc::if_nametoindex(name.as_ptr()).cast_signed();
                let length = u32::try_from(size_of_val(&address)).expect("small");
                assert_eq!(libc::bind(fd, (&raw const address).cast(), length), 0);
                let timeout = libc::timeval {
                    tv_sec: 10,
                    tv_usec: 0,
                };
                let length = u32::try_from(size_of_val(&timeout)).expect("small");
                let value = (&raw const timeout).cast();
                libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_RCVTIMEO, value, length);
                Self(socket)
            }
        }

        pub fn send(&self, frame: &[u8]) {
            // SAFETY: the call reads the frame's bytes.
            let sent =
                unsafe { libc::send(self.0.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
            assert_eq!(
                usize::try_from(sent).ok(),
                Some(frame.len()),
                "{}",
                std::io::Error::last_os_error()
            );
        }

        /// The next frame that came in from the wire.
        pub fn receive(&self, length: usize) -> Vec<u8> {
            let mut frame = vec![0; length + 100];
            // SAFETY: the call writes at most `frame.len()` bytes to it.
            let got = unsafe {
                libc::recv(
                    self.0.as_raw_fd(),
                    frame.as_mut_ptr().cast(),
                    frame.len(),
                    0,
                )
            };
            let got = usize::try_from(got)
                .unwrap_or_else(|_| panic!("no frame came: {}", std::io::Error::last_os_error()));
            frame.truncate(got);
            frame
        }
    }
}

#[test]
fn the_user_network_is_described_and_ends_with_the_image() {
    let attacker = Attacker::build();
    let image = attacker.path(Mode::Strict);
    let lines = told(&["--net", "user,dns=192.0.2.53,search=a.test"], &image);
    let offloads = flags::CHECKSUM | flags::SEGMENTATION;
    assert_has(
        &lines,
        &[
            "interface eth0",
            "handle 3",
            "mac 02000a00020f",
            "mtu 1500",
            &format!("flags {offloads}"),
            &format!("address {}/24", v4([10, 0, 2, 15])),
            &format!("destination {}/0", v4([0, 0, 0, 0])),
            &format!("gateway {}/32", v4([10, 0, 2, 2])),
            &format!("dns {}/32", v4([192, 0, 2, 53])),
            "search a.test",
        ],
    );
    let lines = told(&["--net", "user", "--net", "user,dhcp,slaac"], &image);
    assert_has(
        &lines,
        &[
            "interface eth1",
            "mac 02000a00030f",
            &format!("dns {}/32", v4([10, 0, 3, 3])),
        ],
    );
    let learnt = format!("flags {}", offloads | flags::DHCP | flags::SLAAC);
    assert_has(&lines, &[&learnt]);
    let own = lines.iter().filter(|line| line.starts_with("address 4"));
    assert_eq!(
        own.count(),
        1,
        "the second network's address is leased: {lines:?}"
    );
}

/// The processes whose parent is `parent`.
fn children_of(parent: u32) -> Vec<u32> {
    let list = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    list.unwrap_or_default()
        .split_ascii_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

/// Whether the process is there and no zombie.
fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit(')')
        .next()
        .and_then(|rest| rest.split_ascii_whitespace().next());
    state.is_some_and(|state| state != "Z" && state != "X")
}

fn kill(helper: u32) {
    // SAFETY: kill sends a signal to the helper that a child of this test has just started.
    let answer = unsafe { libc::kill(helper.cast_signed(), libc::SIGKILL) };
    assert_eq!(answer, 0, "{}", std::io::Error::last_os_error());
}

fn eventually(what: &str, condition: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < std::time::Duration::from_secs(10),
            "never: {what}"
        );
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn the_helper_ends_with_the_image_however_that_ends() {
    let attacker = Attacker::build();
    let mut echo = Echo::start(&["--net", "user"], &attacker.path(Mode::Strict));
    let pid = echo.child.id();
    let helpers = children_of(pid);
    assert_eq!(
        helpers.len(),
        1,
        "the image's process keeps its number, the helper is its only child"
    );
    echo.child.kill().expect("a child");
    echo.child.wait().expect("a child");
    eventually("the helper ends", || !lives(helpers[0]));
}

#[test]
fn the_image_sees_the_end_of_the_channel_if_the_helper_ends() {
    let attacker = Attacker::build();
    let mut echo = Echo::start(&["--net", "user"], &attacker.path(Mode::Strict));
    let pid = echo.child.id();
    let helper = children_of(pid)[0];
    kill(helper);
    let mut rest = String::new();
    echo.stdout.read_to_string(&mut rest).expect("readable");
    assert_eq!(rest, "end\n", "read(2) on the handle says 0");
    assert_eq!(echo.child.wait().expect("a child").code(), Some(0));
}

#[test]
fn a_helper_that_ended_leaves_no_zombie() {
    let attacker = Attacker::build();
    let mut command = Command::new(attacker::tender());
    command
        .arg("run")
        .args(["--net", "user"])
        .arg(attacker.path(Mode::Strict))
        .arg("forever");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the tender starts");
    let mut greeting = [0; 8];
    child
        .stdout
        .take()
        .expect("a pipe")
        .read_exact(&mut greeting)
        .expect("the image greets");
    let helper = children_of(child.id())[0];
    kill(helper);
    eventually("the kernel forgets the helper", || {
        !Path::new(&format!("/proc/{helper}")).exists()
    });
    assert!(lives(child.id()), "the image goes on");
    child.kill().expect("a child");
    child.wait().expect("a child");
}

#[test]
fn a_port_in_use_is_refused_and_a_free_one_is_published() {
    let attacker = Attacker::build();
    let image = attacker.path(Mode::Strict);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port();
    let error = refused(&["-p", &format!("127.0.0.1:{port}:80")], &image);
    assert!(error.contains(&format!("127.0.0.1:{port}/tcp")), "{error}");
    assert!(error.contains("ss -lntup"), "{error}");
    let output = attacker::run(&["-p", "127.0.0.1::80"], &image, &["net"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(
        text(&output.stdout).contains("interface eth0"),
        "-p alone asks for a network"
    );
    let said = text(&output.stderr);
    assert!(
        said.contains("127.0.0.1:") && said.contains("is the guest's port 80/tcp"),
        "{said}"
    );
    let error = refused(&["--net", "user,ip=10.0.2.15/31"], &image);
    assert!(error.contains("prefix"), "{error}");
    let error = refused(&["--net", "user,mtu=1000"], &image);
    assert!(error.contains("1280"), "{error}");
}

#[test]
fn passt_is_asked_for_by_name_and_its_absence_is_said() {
    let attacker = Attacker::build();
    let output = Command::new(attacker::tender())
        .args(["run", "--net", "passt"])
        .arg(attacker.path(Mode::Strict))
        .arg("net")
        .env("PATH", "/nonexistent")
        .output()
        .expect("the tender starts");
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    let error = text(&output.stderr);
    assert!(
        error.contains("no program passt") && error.contains("--net user"),
        "{error}"
    );
}

/// A script in passt's place, which keeps the descriptor that it is given, and reads from it.
#[test]
fn passt_is_given_one_end_of_a_stream_and_what_the_options_say() {
    use std::os::unix::fs::PermissionsExt;
    let attacker = Attacker::build();
    let program = attacker.directory().join("passt");
    let script = "#!/bin/sh\necho \"$@\" > \"$0.args\"\ncase \"$*\" in *fail*|*9999*) echo 'no way' >&2; exit 3;; esac\n";
    std::fs::write(&program, script).expect("writable");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("ours");
    let run = |options: &[&str]| {
        let path = format!("{}:/usr/bin:/bin", attacker.directory().display());
        Command::new(attacker::tender())
            .arg("run")
            .args(options)
            .arg(attacker.path(Mode::Strict))
            .arg("net")
            .env("PATH", path)
            .output()
            .expect("the tender starts")
    };
    let output = run(&["--net", "passt", "-p", "8080:80"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let lines: Vec<String> = text(&output.stdout).lines().map(Into::into).collect();
    assert_has(
        &lines,
        &[
            &format!("framing {}", Framing::Stream as u32),
            &format!("flags {}", flags::DHCP | flags::SLAAC),
            "handle 3",
        ],
    );
    let args = std::fs::read_to_string(program.with_added_extension("args")).expect("written");
    assert!(
        args.contains("--fd ") && args.contains("--tcp-ports 8080:80"),
        "{args}"
    );
    let output = run(&["--net", "passt", "-p", "9999:80"]);
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert!(text(&output.stderr).contains("no way"), "{output:?}");
}

#[test]
fn without_the_privilege_the_refusal_says_what_helps() {
    let name = "without_the_privilege_the_refusal_says_what_helps";
    in_a_network_namespace(name, || {
        let attacker = Attacker::build();
        let without = |capability: &str, option: &str| {
            let output = Command::new("setpriv")
                .arg(format!("--bounding-set=-{capability}"))
                .arg(format!("--inh-caps=-{capability}"))
                .arg(attacker::tender())
                .args(["run", "--net", option])
                .arg(attacker.path(Mode::Strict))
                .arg("net")
                .output()
                .expect("setpriv(1) of util-linux is needed for this test");
            assert_eq!(output.status.code(), Some(125), "{output:?}");
            text(&output.stderr)
        };
        ip("link add veth0 type veth peer name veth1");
        let error = without("net_raw", "packet=veth0");
        assert!(
            error.contains("cap_net_raw") && error.contains("--net user"),
            "{error}"
        );
        ip("address add 10.0.0.2/24 dev veth0");
        let error = without("net_admin", "packet=veth0,take");
        assert!(error.contains("RTM_DELADDR"), "{error}");
        let owned = "tuntap add dev tap0 mode tap user 12345";
        let made = Command::new("ip")
            .args(owned.split(' '))
            .output()
            .expect("ip(8)");
        if !made.status.success() {
            eprintln!("SKIPPED in part {name}: no tap of another user is permitted here");
        } else {
            let error = without("net_admin", "tap=tap0");
            assert!(
                error.contains("to attach to the tap") && error.contains("user $USER"),
                "{error}"
            );
        }
    });
}
