//! The tree that a program finds: the image's files under a writable layer in memory, the standard
//! directories and files that these lack, and what is mounted in it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use libos_abi::boot::BootInfo;

use crate::errno::{Errno, Result};
use crate::fs::inode::{Inode, Ownership};
use crate::fs::packed::{FileBytes, span_bytes};
use crate::fs::tmpfs::{Node, TmpFs};
use crate::fs::vfs::{Dentry, Mount, MountFlags, Path};
use crate::fs::{devfs, root_image};
use crate::user::Timespec;
use crate::views::{procfs, sysfs};

/// Directories that every program finds, with their modes.
const DIRECTORIES: &[(&[u8], u32)] = &[
    (b"/bin", 0o755),
    (b"/dev", 0o755),
    (b"/etc", 0o755),
    (b"/home", 0o755),
    (b"/proc", 0o555),
    (b"/root", 0o700),
    (b"/run", 0o755),
    (b"/sys", 0o555),
    (b"/tmp", 0o1777),
    (b"/usr", 0o755),
    (b"/var", 0o755),
    (b"/var/tmp", 0o1777),
];

/// What the tree is made of.
pub struct Plan {
    /// The root image; empty if there is none.
    pub root_image: &'static [u8],
    /// The program's path and bytes.
    pub program: (&'static [u8], FileBytes),
    /// Host name.
    pub hostname: &'static [u8],
    /// The caller's user and group.
    pub ids: (u32, u32),
    /// How many bytes of file data may be held.
    pub limit: u64,
    /// Where the program starts.
    pub cwd: &'static [u8],
}

impl Plan {
    /// From the boot information.
    pub fn new(boot: &'static BootInfo) -> Self {
        let [_, uid, _, gid] = boot.ids;
        Self {
            root_image: span_bytes(boot.rootfs),
            // SAFETY: the tender's texts stay mapped and unchanged.
            program: (
                unsafe { boot.app.path.as_slice() },
                FileBytes::of_part(span_bytes(boot.app.file)),
            ),
            // SAFETY: as above.
            hostname: unsafe { boot.hostname.as_slice() },
            ids: (uid, gid),
            limit: boot.memory_limit,
            // SAFETY: as above.
            cwd: unsafe { boot.cwd.as_slice() },
        }
    }
}

/// Builds the tree; returns its root.
///
/// # Errors
/// EUCLEAN for a malformed root image; ENOTDIR if it has a file where a directory must be.
pub fn build(plan: &Plan) -> Result<Path> {
    let fs = TmpFs::new(plan.limit);
    let root = lower_root(&fs, plan)?;
    for &(path, mode) in DIRECTORIES {
        directory(&root, path, mode)?;
    }
    write_etc(&root, plan)?;
    add_program(&root, plan)?;
    let root = Dentry::root(root);
    let mount = Mount::detached(Arc::clone(&root), "tmpfs", MountFlags::empty());
    let root = Path {
        mount,
        dentry: root,
    };
    mount_all(&root, plan)?;
    Ok(root)
}

fn lower_root(fs: &Arc<TmpFs>, plan: &Plan) -> Result<Arc<Node>> {
    if plan.root_image.is_empty() {
        return Ok(fs.root(root_owned(0o755)));
    }
    let (lower, end) = root_image::open(plan.root_image)?;
    fs.number_from(end);
    Ok(Node::over(fs, lower))
}

fn mount_all(root: &Path, plan: &Plan) -> Result<()> {
    let nosuid = MountFlags::NOSUID | MountFlags::NOEXEC;
    let dev = devfs::build();
    mount_at(root, b"/dev", dev, "devtmpfs", MountFlags::NOSUID)?;
    let shm = TmpFs::new(plan.limit / 2).root(root_owned(0o1777));
    mount_at(root, b"/dev/shm", shm, "tmpfs", nosuid | MountFlags::NODEV)?;
    let nodev = nosuid | MountFlags::NODEV;
    mount_at(root, b"/proc", procfs::build(), "proc", nodev)?;
    mount_at(
        root,
        b"/sys",
        sysfs::build(),
        "sysfs",
        nodev | MountFlags::READ_ONLY,
    )
}

fn mount_at(
    root: &Path,
    path: &[u8],
    top: Arc<dyn Inode>,
    kind: &'static str,
    flags: MountFlags,
) -> Result<()> {
    let mut place = root.clone();
    for name in components(path) {
        place.dentry = place.dentry.child(name)?;
        place = place.uncovered();
    }
    Mount::over(&place, Dentry::root(top), kind, flags);
    Ok(())
}

fn root_owned(mode: u32) -> Ownership {
    Ownership {
        mode,
        uid: 0,
        gid: 0,
    }
}

fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/')
        .filter(|name| !matches!(*name, b"" | b"."))
}

/// The directory `path`, made (with those above it) if it is absent.
fn directory(root: &Arc<Node>, path: &[u8], mode: u32) -> Result<Arc<Node>> {
    let mut at = Arc::clone(root);
    let mut names = components(path).peekable();
    while let Some(name) = names.next() {
        let mode = if names.peek().is_none() { mode } else { 0o755 };
        at = match at.child(name) {
            Ok(child) => child,
            Err(Errno::ENOENT) => {
                let made = Node::directory(at.fs(), root_owned(mode));
                at.attach(name, Arc::clone(&made))?;
                made
            }
            Err(error) => return Err(error),
        };
    }
    Ok(at)
}

/// Puts a file at `path` unless something is there.
fn file(root: &Arc<Node>, path: &[u8], mode: u32, content: FileBytes) -> Result<()> {
    let slash = path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
    let name = path.get(slash + 1..).filter(|name| !name.is_empty());
    let name = name.ok_or(Errno::EISDIR)?;
    let above = directory(root, &path[..slash], 0o755)?;
    match above.child(name) {
        Err(Errno::ENOENT) => {}
        other => return other.map(drop),
    }
    let now = Timespec::from_ns(crate::time::realtime_ns());
    above.attach(
        name,
        Node::regular_over(above.fs(), root_owned(mode), content, now),
    )
}

fn add_program(root: &Arc<Node>, plan: &Plan) -> Result<()> {
    let (path, content) = plan.program;
    match path.first() {
        Some(b'/') => file(root, path, 0o755, content),
        _ => Ok(()),
    }
}

fn write_etc(root: &Arc<Node>, plan: &Plan) -> Result<()> {
    let text = |parts: &[&[u8]]| -> &'static [u8] { Vec::leak(parts.concat()) };
    let (uid, gid) = (number(plan.ids.0), number(plan.ids.1));
    let host = plan.hostname;
    let mut passwd = Vec::from(&b"root:x:0:0:root:/root:/bin/sh\n"[..]);
    if plan.ids.0 != 0 {
        passwd.extend([b"user:x:", &uid[..], b":", &gid, b":user:/home:/bin/sh\n"].concat());
    }
    passwd.extend_from_slice(b"nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n");
    let mut group = Vec::from(&b"root:x:0:\n"[..]);
    if plan.ids.1 != 0 {
        group.extend([b"user:x:", &gid[..], b":\n"].concat());
    }
    group.extend_from_slice(b"nogroup:x:65534:\n");
    let files: [(&[u8], &'static [u8]); 6] = [
        (b"/etc/hostname", text(&[host, b"\n"])),
        (
            b"/etc/hosts",
            text(&[
                b"127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.1.1\t",
                host,
                b"\n",
            ]),
        ),
        (b"/etc/resolv.conf", b""),
        (b"/etc/passwd", Vec::leak(passwd)),
        (b"/etc/group", Vec::leak(group)),
        (
            b"/etc/nsswitch.conf",
            b"passwd: files\ngroup: files\nhosts: files dns\n",
        ),
    ];
    for (path, content) in files {
        file(root, path, 0o644, content.into())?;
    }
    Ok(())
}

fn number(value: u32) -> Vec<u8> {
    alloc::format!("{value}").into_bytes()
}
