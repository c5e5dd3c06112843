//! Linux's own client of FUSE mounts a share: what it asks for is what the protocol is.
//!
//! The messages between `/dev/fuse` and the server are carried as they are. It needs root, and runs in a mount namespace of
//! its own; where that is not to be had the test says so and checks nothing.

mod common;

use common::files::{Direct, Operation, random::Random, tree};
use common::{Client, Starter, is_root};
use libos_abi::fuse::messages::OutHeader;
use libos_abi::fuse::wire::Wire;
use rustix::mount::{MountFlags, UnmountFlags};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// Set in the copy of a test that runs inside the namespace.
const INSIDE: &str = "LIBOS_SHARE_INSIDE";

/// Longest message of the kernel's, in bytes.
const LONGEST: usize = (1 << 20) + 8192;

/// Runs `test` in a copy of this process in a mount namespace of its own, with the path of a mounted share, that of
/// what is shared, and one beside both.
fn with_mount(name: &str, options: &[&str], test: impl Fn(&Path, &Path, &Path)) {
    if std::env::var_os(INSIDE).is_none() {
        return run_inside(name);
    }
    rustix::process::umask(rustix::fs::Mode::empty());
    let folder = tempfile::tempdir().expect("a folder");
    let [mounted, shared, direct] = ["mounted", "shared", "direct"].map(|name| {
        let path = folder.path().join(name);
        std::fs::create_dir(&path).expect("a folder");
        path
    });
    let (_starter, client) = Starter::new(options, &shared);
    mount(client, &mounted);
    test(&mounted, &shared, &direct);
    rustix::mount::unmount(&mounted, UnmountFlags::empty()).expect("nothing is open");
}

fn run_inside(name: &str) {
    if !is_root() || !Path::new("/dev/fuse").exists() {
        eprintln!("SKIPPED {name}: it needs root and /dev/fuse");
        return;
    }
    let status = Command::new("unshare")
        .args(["--mount", "--propagation", "private"])
        .arg(std::env::current_exe().expect("a running test"))
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .expect("unshare(1) of util-linux");
    assert!(status.success(), "inside the namespace: {status}");
}

/// Mounts it, and carries messages from then on.
fn mount(client: Client, target: &Path) {
    let device = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/fuse");
    let device: OwnedFd = device.expect("root may").into();
    let data = format!(
        "fd={},rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other\0",
        device.as_raw_fd()
    );
    let data = std::ffi::CString::from_vec_with_nul(data.into_bytes()).expect("one NUL");
    let (device, client) = (Arc::new(device), Arc::new(client));
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount("share", target, "fuse", flags, Some(data.as_c_str())).expect("mounted");
    let (requests, server) = (Arc::clone(&device), Arc::clone(&client));
    std::thread::spawn(move || {
        let mut bytes = vec![0; LONGEST];
        while let Ok(len) = rustix::io::read(&requests, &mut bytes[..]) {
            server.send_raw(&bytes[..len]).expect("the server lives");
        }
    });
    std::thread::spawn(move || {
        while let Some(answer) = next_answer(&client) {
            // The request may have been interrupted.
            let _ = rustix::io::write(&device, &answer);
        }
    });
}

fn next_answer(client: &Client) -> Option<Vec<u8>> {
    let mut answer = vec![0; OutHeader::LEN];
    read_exactly(client, &mut answer)?;
    let len = usize::try_from(OutHeader::get(&answer)?.len).ok()?;
    answer.resize(len, 0);
    read_exactly(client, &mut answer[OutHeader::LEN..])?;
    Some(answer)
}

fn read_exactly(client: &Client, mut bytes: &mut [u8]) -> Option<()> {
    while !bytes.is_empty() {
        let len = rustix::io::read(&client.channel, &mut *bytes)
            .ok()
            .filter(|len| *len > 0)?;
        bytes = &mut bytes[len..];
    }
    Some(())
}

fn check(
    mounted: &Path,
    shared: &Path,
    direct: &Path,
    operations: impl Iterator<Item = Operation>,
) {
    let (one, other) = (Direct(mounted.into()), Direct(direct.into()));
    for operation in operations {
        let (found, expected) = (one.run(&operation), other.run(&operation));
        assert_eq!(found, expected, "{operation:?}");
    }
    assert_eq!(tree(mounted), tree(direct));
    rustix::fs::syncfs(std::fs::File::open(mounted).expect("a folder")).expect("written");
    assert_eq!(tree(shared), tree(direct));
}

#[test]
fn random_operations_through_linux() {
    let name = "random_operations_through_linux";
    with_mount(name, &[], |mounted, shared, direct| {
        let mut random = Random::new(7);
        check(
            mounted,
            shared,
            direct,
            (0..4000).map(|_| random.operation()),
        );
    });
}

#[test]
fn random_operations_through_linux_without_its_caches() {
    let name = "random_operations_through_linux_without_its_caches";
    with_mount(name, &["consistent"], |mounted, shared, direct| {
        let mut random = Random::new(8);
        check(
            mounted,
            shared,
            direct,
            (0..4000).map(|_| random.operation()),
        );
    });
}

#[test]
fn programs_work_in_a_mounted_share() {
    let name = "programs_work_in_a_mounted_share";
    with_mount(name, &[], |mounted, shared, _| {
        let script = r#"
            set -eu
            cd "$1"
            mkdir d && for i in $(seq 300); do echo "file $i" > d/f$i; done
            tar cf all.tar d && mkdir e && tar xf all.tar -C e && diff -r d e/d
            dd if=/dev/urandom of=big bs=64k count=100 status=none && cp big copy && cmp big copy
            truncate -s 1G sparse && test "$(stat -c %b sparse)" -lt 100
            mv d/f1 d/renamed && ln d/renamed hard && test "$(stat -c %h hard)" = 2
            flock big -c "flock -n big -c true && exit 1 || exit 0"
            chmod 640 big && touch -d '1999-12-31 23:59:59.123456789' big
            test "$(stat -c '%a %y' big | cut -c1-33)" = "640 1999-12-31 23:59:59.123456789"
            exec 9> gone && rm gone && echo kept >&9 && exec 9>&-
            ! mknod device c 1 3 2>/dev/null
            mkfifo fifo && (echo through > fifo & cat fifo | grep -q through)
            if command -v git >/dev/null; then
                git init -q repo && cd repo && git config user.email a@b && git config user.name a
                cp -r ../d . && git add . && git commit -qm one && git status --porcelain | wc -l | grep -qx 0
                git fsck --strict 2>/dev/null && cd ..
            fi
            rm -r d e && ls | sort | tr '\n' ' '
        "#;
        let output = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(mounted)
            .output()
            .expect("a shell");
        assert!(output.status.success(), "{output:?}");
        let big = std::fs::metadata(shared.join("big")).expect("it is on the host");
        assert_eq!(big.len(), 6_553_600);
    });
}
