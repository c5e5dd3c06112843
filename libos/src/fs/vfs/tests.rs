//! Walks, names and opening over a small tree, and the writable layer against a model.

use alloc::sync::Arc;
use std::collections::BTreeMap;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use crate::errno::{Errno, Result};
use crate::fs::file::{Io, OpenFile, OpenFlags};
use crate::fs::inode::{FileType, NewNode, Ownership};
use crate::fs::testing::{Random, Writer};
use crate::fs::tmpfs::TmpFs;
use crate::fs::vfs::names::{self, Target};
use crate::fs::vfs::open::{self, HowToOpen};
use crate::fs::vfs::walk::{Follow, Resolve, Walker};
use crate::fs::vfs::{Credentials, Dentry, Mount, MountFlags, Path, show};
use crate::user::{Dest, Source};
use crate::views::tree::{Plan, build};

/// A tree over a root image, and whose it is.
struct World {
    root: Path,
    credentials: Credentials,
}

impl World {
    fn new() -> Self {
        Self::over(
            Writer::default()
                .add("dir", 0o040_755, b"")
                .add("dir/file", 0o100_644, b"lower")
                .add("dir/sub/deep", 0o100_644, b"deep")
                .add("private", 0o040_700, b"")
                .add("private/secret", 0o100_644, b"")
                .add("link", 0o120_777, b"dir/file")
                .add("dirlink", 0o120_777, b"/dir/")
                .add("dangling", 0o120_777, b"dir/absent")
                .add("loop", 0o120_777, b"loop")
                .add("up", 0o120_777, b"dir/sub/../../link")
                .finish(),
        )
    }

    fn over(root_image: &'static [u8]) -> Self {
        let root = build(&Plan {
            root_image,
            program: (b"/usr/bin/program", b"program".as_slice().into()),
            hostname: b"host",
            ids: (1000, 1000),
            limit: 1 << 30,
            cwd: b"/",
        })
        .expect("a well-formed image");
        Self {
            root,
            credentials: Credentials::default(),
        }
    }

    fn owned_by(mut self, uid: u32) -> Self {
        self.credentials.uid = uid;
        self.credentials.gid = uid;
        self
    }

    fn walker(&self) -> Walker {
        Walker::new(self.root.clone(), self.credentials.clone())
    }

    fn find(&self, name: &str) -> Result<Path> {
        self.walker()
            .resolve(&self.root, name.as_bytes(), Follow::Yes)
    }

    fn show(&self, place: &Path) -> String {
        String::from_utf8(show::show(place, &self.root)).expect("ASCII")
    }

    fn open(&self, name: &str, flags: OpenFlags) -> Result<Arc<OpenFile>> {
        let how = HowToOpen::new(flags, 0o644, 0)?;
        open::open(&mut self.walker(), &self.root, name.as_bytes(), how)
    }

    fn at(
        &self,
        name: &str,
        act: impl FnOnce(&Walker, &crate::fs::vfs::walk::Position<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut walker = self.walker();
        let position = walker.locate(&self.root, name.as_bytes())?;
        act(&walker, &position)
    }

    fn mkdir(&self, name: &str) -> Result<()> {
        self.at(name, |walker, position| {
            names::make(walker, position, NewNode::Directory, 0o755).map(drop)
        })
    }

    fn unlink(&self, name: &str) -> Result<()> {
        self.at(name, names::unlink)
    }

    fn rmdir(&self, name: &str) -> Result<()> {
        self.at(name, names::rmdir)
    }

    fn symlink(&self, target: &str, name: &str) -> Result<()> {
        self.at(name, |walker, position| {
            names::make(walker, position, NewNode::Symlink(target.as_bytes()), 0o777).map(drop)
        })
    }

    fn link(&self, old: &str, new: &str) -> Result<()> {
        let old = self
            .walker()
            .resolve(&self.root, old.as_bytes(), Follow::No)?;
        self.at(new, |walker, position| names::link(walker, &old, position))
    }

    fn rename(&self, old: &str, new: &str, target: Target) -> Result<()> {
        let mut walker = self.walker();
        let old = walker.locate(&self.root, old.as_bytes())?;
        let new = walker.locate(&self.root, new.as_bytes())?;
        names::rename(&walker, &old, &new, target)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let flags = OpenFlags::CREAT | OpenFlags::TRUNC | OpenFlags::WRONLY;
        let file = self.open(name, flags)?;
        let io = Io { offset: 0, flags };
        file.file().write(io, &mut Source::kernel(bytes)).map(drop)
    }

    fn read(&self, name: &str) -> Result<Vec<u8>> {
        let flags = OpenFlags::empty();
        let file = self.open(name, flags)?;
        let mut bytes = vec![0; 4096];
        let io = Io { offset: 0, flags };
        let count = file.file().read(io, &mut Dest::kernel(&mut bytes))?;
        bytes.truncate(count);
        Ok(bytes)
    }

    fn list(&self, name: &str) -> Vec<String> {
        let place = self.find(name).expect("a directory");
        let mut names = Vec::new();
        place
            .inode()
            .read_dir(0, &mut |entry| {
                names.push(String::from_utf8_lossy(entry.name).into_owned());
                true
            })
            .expect("a directory");
        names
    }
}

#[test]
fn paths_lead_where_path_resolution_says() {
    let world = World::new();
    let long_name = "/".to_string() + &"x".repeat(256);
    let long_path = "/.".repeat(2048);
    let cases: &[(&str, core::result::Result<&str, Errno>)] = &[
        ("/", Ok("/")),
        ("//", Ok("/")),
        ("/..", Ok("/")),
        ("/../../dir", Ok("/dir")),
        ("dir/./sub//deep", Ok("/dir/sub/deep")),
        ("dir/sub/..", Ok("/dir")),
        ("dir/", Ok("/dir")),
        ("link", Ok("/dir/file")),
        ("up", Ok("/dir/file")),
        ("dirlink", Ok("/dir")),
        ("dirlink/file", Ok("/dir/file")),
        ("dirlink/..", Ok("/")),
        ("/dev/shm/..", Ok("/dev")),
        ("/dev/..", Ok("/")),
        ("", Err(Errno::ENOENT)),
        ("absent", Err(Errno::ENOENT)),
        ("absent/x", Err(Errno::ENOENT)),
        ("dir/file/", Err(Errno::ENOTDIR)),
        ("dir/file/x", Err(Errno::ENOTDIR)),
        ("dir/file/..", Err(Errno::ENOTDIR)),
        ("link/", Err(Errno::ENOTDIR)),
        ("dangling", Err(Errno::ENOENT)),
        ("loop", Err(Errno::ELOOP)),
        ("loop/x", Err(Errno::ELOOP)),
        (&long_name, Err(Errno::ENAMETOOLONG)),
        (&long_path, Err(Errno::ENAMETOOLONG)),
    ];
    for (name, expected) in cases {
        let found = world.find(name).map(|place| world.show(&place));
        assert_eq!(found.as_deref().map_err(|e| *e), *expected, "{name:.40}");
    }
}

#[test]
fn forty_links_are_followed_and_no_more() {
    let world = World::new();
    for number in 0..45 {
        let target = match number {
            0 => "dir/file".to_string(),
            number => std::format!("l{}", number - 1),
        };
        world
            .symlink(&target, &std::format!("l{number}"))
            .expect("new");
    }
    assert!(world.find("l39").is_ok());
    assert_eq!(world.find("l40").map(drop), Err(Errno::ELOOP));
}

#[test]
fn restricted_walks_stay_inside() {
    let world = World::new();
    let dir = world.find("dir").expect("there");
    world.symlink("/dir/file", "dir/absolute").expect("new");
    world.symlink("../link", "dir/outside").expect("new");
    let resolve = |resolve: Resolve, name: &str| {
        let mut walker = world.walker();
        walker.restrict(resolve, &dir);
        walker
            .resolve(&dir, name.as_bytes(), Follow::Yes)
            .map(|place| world.show(&place))
    };
    let deep = || Ok("/dir/sub/deep".to_string());
    assert_eq!(resolve(Resolve::BENEATH, "sub/deep"), deep());
    assert_eq!(resolve(Resolve::BENEATH, "sub/../sub/deep"), deep());
    for name in ["..", "../dir/file", "/dir/file", "absolute", "outside"] {
        assert_eq!(resolve(Resolve::BENEATH, name), Err(Errno::EXDEV), "{name}");
    }
    assert_eq!(resolve(Resolve::IN_ROOT, "/sub/deep"), deep());
    assert_eq!(resolve(Resolve::IN_ROOT, "../../sub/deep"), deep());
    assert_eq!(resolve(Resolve::IN_ROOT, "absolute"), Err(Errno::ENOENT));
    assert_eq!(resolve(Resolve::NO_SYMLINKS, "absolute"), Err(Errno::ELOOP));
    assert_eq!(resolve(Resolve::NO_XDEV, "../dev/null"), Err(Errno::EXDEV));
}

#[test]
fn opening_follows_the_flags() {
    let world = World::new();
    let none = OpenFlags::empty();
    let creat = OpenFlags::CREAT | OpenFlags::RDWR;
    let excl = creat | OpenFlags::EXCL;
    let nofollow = OpenFlags::NOFOLLOW;
    let cases = [
        ("dir/file", none, Ok(())),
        ("dir/file", OpenFlags::DIRECTORY, Err(Errno::ENOTDIR)),
        ("dir", OpenFlags::DIRECTORY, Ok(())),
        ("dir", OpenFlags::WRONLY, Err(Errno::EISDIR)),
        ("dir", creat, Err(Errno::EISDIR)),
        ("dir/new/", creat, Err(Errno::EISDIR)),
        ("dir/..", creat, Err(Errno::EISDIR)),
        ("link", nofollow, Err(Errno::ELOOP)),
        ("link", nofollow | OpenFlags::PATH, Ok(())),
        ("link", nofollow | OpenFlags::DIRECTORY, Err(Errno::ENOTDIR)),
        ("dir/file", excl, Err(Errno::EEXIST)),
        ("dangling", excl, Err(Errno::EEXIST)),
        ("dangling", creat, Ok(())),
        ("dir/absent", none, Ok(())),
        ("absent/new", creat, Err(Errno::ENOENT)),
        ("dir/file/new", creat, Err(Errno::ENOTDIR)),
        ("dir", OpenFlags::TMPFILE | OpenFlags::RDWR, Ok(())),
        ("dir", OpenFlags::TMPFILE, Err(Errno::EINVAL)),
        (
            "dir/file",
            OpenFlags::TMPFILE | OpenFlags::RDWR,
            Err(Errno::ENOTDIR),
        ),
        ("dir/x", creat | OpenFlags::DIRECTORY, Err(Errno::EINVAL)),
    ];
    for (name, flags, expected) in cases {
        assert_eq!(
            world.open(name, flags).map(drop),
            expected,
            "{name} {flags:?}"
        );
    }
}

#[test]
fn permissions_are_checked_for_users() {
    let world = World::new().owned_by(1000);
    let creat = OpenFlags::CREAT | OpenFlags::WRONLY;
    assert_eq!(world.find("private/secret").map(drop), Err(Errno::EACCES));
    assert_eq!(world.find("private").map(drop), Ok(()));
    assert_eq!(
        world.open("dir/file", OpenFlags::WRONLY).map(drop),
        Err(Errno::EACCES)
    );
    assert_eq!(world.open("dir/new", creat).map(drop), Err(Errno::EACCES));
    assert_eq!(world.open("tmp/mine", creat).map(drop), Ok(()));
    assert_eq!(world.unlink("dir/file"), Err(Errno::EACCES));
    let other = World {
        root: world.root.clone(),
        credentials: Credentials {
            uid: 1001,
            gid: 1001,
            ..Credentials::default()
        },
    };
    assert_eq!(other.unlink("tmp/mine"), Err(Errno::EPERM), "sticky");
    assert_eq!(
        other.rename("tmp/mine", "tmp/yours", Target::Replace),
        Err(Errno::EPERM)
    );
    assert_eq!(world.unlink("tmp/mine"), Ok(()));
}

#[test]
fn a_read_only_mount_refuses_changes() {
    let mut world = World::new();
    let fs = TmpFs::new(1 << 20);
    let owner = Ownership {
        mode: 0o755,
        uid: 0,
        gid: 0,
    };
    let root = Dentry::root(fs.root(owner));
    let mount = Mount::detached(Arc::clone(&root), "tmpfs", MountFlags::READ_ONLY);
    world.root = Path {
        mount,
        dentry: root,
    };
    let creat = OpenFlags::CREAT | OpenFlags::WRONLY;
    assert_eq!(world.open("new", creat).map(drop), Err(Errno::EROFS));
    assert_eq!(world.mkdir("new"), Err(Errno::EROFS));
    assert_eq!(world.unlink("absent"), Err(Errno::ENOENT));
}

#[test]
fn names_show_where_things_are_now() {
    let world = World::new();
    let deep = world.find("dir/sub/deep").expect("there");
    let sub = world.find("dir/sub").expect("there");
    world.rename("dir", "moved", Target::Replace).expect("free");
    assert_eq!(world.show(&deep), "/moved/sub/deep");
    world.unlink("moved/sub/deep").expect("there");
    assert_eq!(world.show(&deep), "/moved/sub/deep (deleted)");
    world.rmdir("moved/sub").expect("empty");
    assert_eq!(world.show(&sub), "/moved/sub (deleted)");
    assert_eq!(
        show::working_directory(&sub, &world.root),
        Err(Errno::ENOENT)
    );
    assert_eq!(
        world.show(&world.find("/dev/shm").expect("mounted")),
        "/dev/shm"
    );
}

#[test]
fn rename_refuses_what_makes_no_sense() {
    let world = World::new();
    world.mkdir("empty").expect("new");
    world.mkdir("full").expect("new");
    world.mkdir("full/x").expect("new");
    world.write("f", b"f").expect("new");
    let replace = Target::Replace;
    let cases = [
        ("dir", "dir/sub/x", replace, Err(Errno::EINVAL)),
        ("dir/sub", "dir", replace, Err(Errno::ENOTEMPTY)),
        ("dir/sub", "dir", Target::Exchange, Err(Errno::EINVAL)),
        ("f", "empty", replace, Err(Errno::EISDIR)),
        ("empty", "f", replace, Err(Errno::ENOTDIR)),
        ("empty", "full", replace, Err(Errno::ENOTEMPTY)),
        ("f", "g/", replace, Err(Errno::ENOTDIR)),
        ("f/", "g", replace, Err(Errno::ENOTDIR)),
        ("absent", "g", replace, Err(Errno::ENOENT)),
        ("f", "dir/file", Target::Keep, Err(Errno::EEXIST)),
        ("f", "absent", Target::Exchange, Err(Errno::ENOENT)),
        ("f", ".", replace, Err(Errno::EBUSY)),
        ("dir/.", "g", replace, Err(Errno::EBUSY)),
        ("f", "/dev/shm/f", replace, Err(Errno::EXDEV)),
        ("dev", "g", replace, Err(Errno::EBUSY)),
        ("f", "f", replace, Ok(())),
        ("empty", "full/x", replace, Ok(())),
        ("f", "full", Target::Exchange, Ok(())),
    ];
    for (old, new, target, expected) in cases {
        let found = world.rename(old, new, target);
        assert_eq!(found, expected, "{old} to {new}, {target:?}");
    }
    assert_eq!(world.read("full"), Ok(b"f".to_vec()));
    assert_eq!(world.list("f"), ["x"]);
}

#[test]
fn removal_refuses_what_makes_no_sense() {
    let world = World::new();
    assert_eq!(world.unlink("dir"), Err(Errno::EISDIR));
    assert_eq!(world.unlink("dir/file/"), Err(Errno::ENOTDIR));
    assert_eq!(world.unlink("dir/"), Err(Errno::EISDIR));
    assert_eq!(world.unlink("dir/.."), Err(Errno::EISDIR));
    assert_eq!(world.rmdir("dir"), Err(Errno::ENOTEMPTY));
    assert_eq!(world.rmdir("dir/file"), Err(Errno::ENOTDIR));
    assert_eq!(world.rmdir("dir/."), Err(Errno::EINVAL));
    assert_eq!(world.rmdir("dir/sub/.."), Err(Errno::ENOTEMPTY));
    assert_eq!(world.rmdir("/"), Err(Errno::EBUSY));
    assert_eq!(world.rmdir("dev"), Err(Errno::EBUSY));
    assert_eq!(world.mkdir("dir"), Err(Errno::EEXIST));
    assert_eq!(world.mkdir("/"), Err(Errno::EEXIST));
    assert_eq!(world.mkdir("made/"), Ok(()));
    assert_eq!(world.symlink("x", "made2/"), Err(Errno::ENOENT));
    assert_eq!(world.link("dir", "d2"), Err(Errno::EPERM));
    let unlinked = world.find("made").expect("made");
    world.rmdir("made").expect("empty");
    let mut walker = world.walker();
    let position = walker
        .locate(&unlinked, b"inside")
        .expect("a directory still");
    let made = names::make(&walker, &position, NewNode::Regular, 0o644);
    assert_eq!(made.map(drop), Err(Errno::ENOENT));
}

#[test]
fn lower_files_keep_their_identity_when_copied_up() {
    let world = World::new();
    let before = world.find("dir/file").expect("there").inode().metadata();
    assert_eq!(before.mtime.sec, 1_600_000_000);
    world.write("dir/file", b"changed").expect("copied up");
    let after = world.find("dir/file").expect("there").inode().metadata();
    assert_eq!((before.ino, before.dev), (after.ino, after.dev));
    assert_eq!((after.size, after.mode), (7, 0o644));
    world.link("dir/file", "second").expect("free");
    assert_eq!(
        world
            .find("second")
            .expect("there")
            .inode()
            .metadata()
            .nlink,
        2
    );
    assert_eq!(world.read("second"), Ok(b"changed".to_vec()));
}

#[test]
fn listing_survives_changes_between_reads() {
    let world = World::new();
    world.mkdir("many").expect("new");
    for number in 0..100 {
        world
            .write(&std::format!("many/{number}"), b"")
            .expect("new");
    }
    let directory = world.find("many").expect("made");
    let mut seen = Vec::new();
    let mut cookie = 0;
    loop {
        let mut batch = Vec::new();
        directory
            .inode()
            .read_dir(cookie, &mut |entry| {
                if batch.len() == 7 {
                    return false;
                }
                batch.push(String::from_utf8_lossy(entry.name).into_owned());
                cookie = entry.next;
                true
            })
            .expect("a directory");
        if batch.is_empty() {
            break;
        }
        // Remove what was seen, as `rm -r` does, and add names that may or may not be seen.
        for name in &batch {
            world.unlink(&std::format!("many/{name}")).expect("there");
        }
        seen.extend(batch);
        assert!(seen.len() <= 100);
    }
    assert_eq!(seen.len(), 100);
    assert!(world.list("many").is_empty());
}

/// What the model knows of a name.
#[derive(Clone, Debug, PartialEq)]
enum Model {
    File(Vec<u8>),
    Directory,
}

/// Random operations on a tree over a root image, each compared with a map from paths.
#[test]
fn the_writable_layer_agrees_with_a_model() {
    for seed in 1..=12 {
        run_model(seed, 600);
    }
}

fn run_model(seed: u64, steps: u32) {
    let mut random = Random::new(seed);
    let mut writer = Writer::default();
    let mut model = BTreeMap::new();
    for top in ["t/a", "t/b", "t/c"] {
        writer = writer.add(top, 0o040_755, b"");
        model.insert(top.to_string(), Model::Directory);
        for name in ["x", "y"] {
            let path = std::format!("{top}/{name}");
            writer = writer.add(&path, 0o100_644, path.as_bytes());
            model.insert(path.clone(), Model::File(path.into_bytes()));
        }
    }
    let world = World::over(writer.finish());
    for step in 0..steps {
        let first = random_path(&mut random);
        let second = random_path(&mut random);
        let context = std::format!("seed {seed}, step {step}: {first} {second}");
        match random.below(6) {
            0 => {
                let bytes = std::format!("{step}").into_bytes();
                let expected = model_write(&mut model, &first, &bytes);
                assert_eq!(world.write(&first, &bytes), expected, "write {context}");
            }
            1 => {
                let expected = model_remove(&mut model, &first, FileType::Regular);
                assert_eq!(world.unlink(&first), expected, "unlink {context}");
            }
            2 => {
                let expected = model_remove(&mut model, &first, FileType::Directory);
                assert_eq!(world.rmdir(&first), expected, "rmdir {context}");
            }
            3 => {
                let expected = model_mkdir(&mut model, &first);
                assert_eq!(world.mkdir(&first), expected, "mkdir {context}");
            }
            _ => {
                let expected = model_rename(&mut model, &first, &second);
                let found = world.rename(&first, &second, Target::Replace);
                assert_eq!(found, expected, "rename {context}");
            }
        }
        let mut found = BTreeMap::new();
        collect(&world, "t", &mut found);
        assert_eq!(found, model, "{context}");
    }
}

fn random_path(random: &mut Random) -> String {
    let mut path = String::from("t");
    for _ in 0..=random.below(3) {
        let names = ["a", "b", "c", "x", "y", "z"];
        path.push('/');
        path.push_str(names[usize::try_from(random.below(6)).expect("small")]);
    }
    path
}

fn above(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(above, _)| above)
}

/// Whether the directories above `path` are there.
fn model_reach(model: &BTreeMap<String, Model>, path: &str) -> Result<()> {
    let mut at = String::from("t");
    for name in above(path).split('/').skip(1) {
        at.push('/');
        at.push_str(name);
        match model.get(&at) {
            Some(Model::Directory) => {}
            Some(Model::File(_)) => return Err(Errno::ENOTDIR),
            None => return Err(Errno::ENOENT),
        }
    }
    Ok(())
}

fn model_write(model: &mut BTreeMap<String, Model>, path: &str, bytes: &[u8]) -> Result<()> {
    model_reach(model, path)?;
    if model.get(path) == Some(&Model::Directory) {
        return Err(Errno::EISDIR);
    }
    model.insert(path.to_string(), Model::File(bytes.to_vec()));
    Ok(())
}

fn is_empty(model: &BTreeMap<String, Model>, path: &str) -> bool {
    let prefix = std::format!("{path}/");
    !model.keys().any(|name| name.starts_with(&prefix))
}

fn model_remove(
    model: &mut BTreeMap<String, Model>,
    path: &str,
    file_type: FileType,
) -> Result<()> {
    model_reach(model, path)?;
    match (model.get(path), file_type) {
        (None, _) => return Err(Errno::ENOENT),
        (Some(Model::Directory), FileType::Regular) => return Err(Errno::EISDIR),
        (Some(Model::File(_)), FileType::Directory) => return Err(Errno::ENOTDIR),
        (Some(Model::Directory), _) if !is_empty(model, path) => return Err(Errno::ENOTEMPTY),
        _ => {}
    }
    model.remove(path);
    Ok(())
}

fn model_mkdir(model: &mut BTreeMap<String, Model>, path: &str) -> Result<()> {
    model_reach(model, path)?;
    if model.contains_key(path) {
        return Err(Errno::EEXIST);
    }
    model.insert(path.to_string(), Model::Directory);
    Ok(())
}

fn model_rename(model: &mut BTreeMap<String, Model>, old: &str, new: &str) -> Result<()> {
    model_reach(model, old)?;
    model_reach(model, new)?;
    let source = model.get(old).cloned().ok_or(Errno::ENOENT)?;
    if new.starts_with(&std::format!("{old}/")) {
        return Err(match source {
            Model::Directory => Errno::EINVAL,
            Model::File(_) => Errno::ENOTDIR,
        });
    }
    if old.starts_with(&std::format!("{new}/")) {
        return Err(Errno::ENOTEMPTY);
    }
    if old == new {
        return Ok(());
    }
    match (&source, model.get(new)) {
        (Model::Directory, Some(Model::File(_))) => return Err(Errno::ENOTDIR),
        (Model::File(_), Some(Model::Directory)) => return Err(Errno::EISDIR),
        (_, Some(Model::Directory)) if !is_empty(model, new) => return Err(Errno::ENOTEMPTY),
        _ => {}
    }
    let prefix = std::format!("{old}/");
    let below: Vec<String> = model
        .keys()
        .filter(|name| name.starts_with(&prefix))
        .cloned()
        .collect();
    for name in below {
        let moved = model.remove(&name).expect("just listed");
        model.insert(std::format!("{new}/{}", &name[prefix.len()..]), moved);
    }
    model.remove(old);
    model.insert(new.to_string(), source);
    Ok(())
}

fn collect(world: &World, path: &str, found: &mut BTreeMap<String, Model>) {
    for name in world.list(path) {
        let path = std::format!("{path}/{name}");
        let place = world.find(&path).expect("just listed");
        if place.inode().is_directory() {
            found.insert(path.clone(), Model::Directory);
            collect(world, &path, found);
        } else {
            let bytes = world.read(&path).expect("a file");
            found.insert(path, Model::File(bytes));
        }
    }
}
