//! `cargo libos mkdisk`: disks beside the host's own tools, which check, mount and read them.

mod common;

use common::{Place, Said};
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether e2fsck finds nothing to mend; passes where there is none.
#[track_caller]
fn assert_clean(disk: &Path) {
    match Command::new("e2fsck").arg("-fn").arg(disk).output() {
        Ok(output) => {
            let said = Said::from(output);
            assert_eq!(said.status, 0, "{}{}", said.stdout, said.stderr);
        }
        Err(_) => eprintln!("skipped: e2fsck is missing"),
    }
}

/// What a shell script printed; none if its first command says that it cannot be done here.
fn sh(script: &str, args: &[&Path]) -> Option<String> {
    let output = Command::new("timeout")
        .args(["60", "sh", "-euc", script, "sh"])
        .args(args)
        .output();
    let said = Said::from(output.expect("a shell"));
    match said.status {
        0 => Some(said.stdout),
        77 => None,
        _ => panic!("{script}\n{}{}", said.stdout, said.stderr),
    }
}

/// Runs `script` in a private mount namespace where the disk `$1` is mounted at `$2`; `$3` is free.
fn mounted(script: &str, disk: &Path, other: &Path) -> Option<String> {
    let place = tempfile::tempdir().expect("a directory");
    let whole = format!(
        "unshare -m sh -euc 'mount -o ro,loop \"$1\" \"$2\" || exit 77
        {script}' sh \"$1\" \"$2\" \"$3\""
    );
    let said = sh(&whole, &[disk, place.path(), other]);
    if said.is_none() {
        eprintln!("skipped: loop devices cannot be mounted here");
    }
    said
}

/// Lists a tree with all that mkdisk keeps, one line a file, without what the disk adds.
const LIST: &str = r#"
        find . -path ./lost+found -prune -o ! -type s -printf "%P %y %m %U %G %l %T@ " \
            \( -type f -printf "%n %s " -o -printf "- " \) -printf "\n" | sort
        find . -path ./lost+found -prune -o -type f -size -90M -print0 | sort -z | xargs -0 sha256sum
        head -c 22M sparse | sha256sum
        find . -path ./lost+found -prune -o \( -type c -o -type b \) -exec stat -c "%n %t:%T" {} + | sort
        if command -v getfattr >/dev/null; then
            find . -path ./lost+found -prune -o -print0 | sort -z | xargs -0 getfattr -hdm- -e hex
        fi
"#;

/// A tree with one of each.
fn rich(place: &Place) -> PathBuf {
    let tree = place.path("tree");
    place.write("tree/sub/deep/file", "content");
    place.write("tree/empty", "");
    place.write("tree/big", &"0123456789abcdef".repeat(200_000));
    let long = place.write(&format!("tree/{}", "n".repeat(255)), "long");
    std::fs::hard_link(tree.join("big"), tree.join("sub/same")).expect("one file system");
    symlink("sub/deep", tree.join("short")).expect("writable");
    symlink("x/".repeat(150), tree.join("long link")).expect("writable");
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("own file");
    };
    mode(&long, 0o4711);
    mode(&tree.join("sub"), 0o2775);
    mode(&tree.join("sub/deep"), 0o1777);
    mode(&tree.join("empty"), 0);
    let sparse = File::create(tree.join("sparse")).expect("writable");
    sparse.write_all_at(b"begin", 0).expect("room");
    sparse.write_all_at(b"middle", 20 << 20).expect("room");
    sparse.set_len(3 << 30).expect("room");
    std::os::unix::net::UnixListener::bind(tree.join("socket")).expect("writable");
    let script = r#"cd "$1"
        mkfifo fifo
        touch -hd "2001-02-03 04:05:06.123456789" short
        touch -d "1965-01-01 00:00:00.5 UTC" empty
        touch -d "2100-01-01 00:00:00.000000001 UTC" sub/deep/file
        if [ "$(id -u)" = 0 ]; then
            mknod null c 1 3; mknod block b 259 70000
            chown 1000:100000 sub/deep/file sub; chmod 2775 sub
            chown -h 7:8 short
        fi
        if command -v setfattr >/dev/null; then
            setfattr -n user.colour -v blue empty && setfattr -n user.long -v "$(printf %03000d 7)" sub/deep &&
            setfattr -n user.empty sub/deep || echo "skipped: no attributes here" >&2
            [ "$(id -u)" != 0 ] || setfattr -hn trusted.link -v x short || true
            # u::rw-,u:1234:rw-,g::r--,m::rw-,o::r--, and a default of the same kind.
            list=0x0200000001000600ffffffff02000600d204000004000400ffffffff10000600ffffffff20000400ffffffff
            setfattr -n system.posix_acl_access -v $list sub/deep/file && setfattr -n system.posix_acl_default -v $list sub ||
                echo "skipped: no access lists here" >&2
        fi
        touch -d "2011-01-01 01:01:01.987654321" sub/deep sub .
    "#;
    sh(script, &[&tree]).expect("coreutils");
    tree
}

#[test]
fn a_tree_is_copied_with_all_that_it_has() {
    let place = Place::new();
    let tree = rich(&place);
    let said = place
        .libos(&[
            "mkdisk", "d.img", "--size", "64M", "--from", "tree", "--label", "a label",
        ])
        .ended_with(0)
        .complaining(&["1 sockets were left out"]);
    assert_eq!(said.stdout, "d.img\n");
    let disk = place.path("d.img");
    assert_eq!(disk.metadata().expect("made").len(), 64 << 20);
    assert_clean(&disk);
    let list = format!("cd \"$2\"; {LIST}");
    let Some(copied) = mounted(&list, &disk, &tree) else {
        return;
    };
    let original = sh(&format!("cd \"$1\"; {LIST}"), &[&tree]).expect("find");
    assert!(original.contains("sub/deep/file f 6"), "{original}");
    let differing: Vec<_> = original
        .lines()
        .zip(copied.lines())
        .filter(|(a, b)| a != b)
        .collect();
    assert_eq!(copied, original, "{differing:#?}");
    let blocks = mounted("stat -c %b \"$2\"/sparse", &disk, &tree).expect("as before");
    assert_eq!(blocks.trim(), "16", "holes stay holes");
    let label = sh("blkid -po value -s LABEL \"$1\" || exit 77", &[&disk]);
    assert_eq!(label.as_deref().unwrap_or("a label\n"), "a label\n");
}

#[test]
fn an_archive_is_copied_as_well() {
    let place = Place::new();
    let tree = rich(&place);
    std::fs::remove_file(tree.join("sparse")).expect("there");
    let archive = place.path("t.tar");
    let pack = r#"tar --format=pax --xattrs --xattrs-include="*" --exclude=socket -cf "$2" -C "$1" . || exit 77"#;
    sh("touch -d @1234567890 \"$1\"", &[&tree]).expect("coreutils");
    if sh(pack, &[&tree, &archive]).is_none() {
        eprintln!("skipped: no GNU tar here");
        return;
    }
    place
        .libos(&["mkdisk", "d.img", "--size", "64M", "--from", "t.tar"])
        .ended_with(0);
    assert_clean(&place.path("d.img"));
    let list = "cd \"$2\"; find . -path ./lost+found -prune -o ! -type s -printf \"%P %y %m %U %G %l %T@\\n\" | sort";
    let Some(copied) = mounted(list, &place.path("d.img"), &tree) else {
        return;
    };
    let original = sh(&list.replace("\"$2\"", "\"$1\""), &[&tree]).expect("find");
    assert_eq!(copied, original);
}

#[test]
fn what_does_not_fit_is_refused_with_a_size_that_does() {
    let place = Place::new();
    for number in 0..40 {
        let text = format!("{number}").repeat(500_000);
        place.write(&format!("large/{number}"), &text);
    }
    for number in 0..9000 {
        place.write(&format!("many/directory {}/{number}", number % 7), "");
    }
    for (tree, size) in [("large", "32M"), ("many", "19M")] {
        let make = |size: &str| place.libos(&["mkdisk", "d.img", "--size", size, "--from", tree]);
        let said = make(size)
            .ended_with(125)
            .complaining(&["--size: expected room for"]);
        let names = std::fs::read_dir(place.path(""))
            .expect("there")
            .map(|entry| entry.expect("there").file_name());
        let left: Vec<_> = names
            .filter(|name| name != "large" && name != "many")
            .collect();
        assert!(left.is_empty(), "{left:?}");
        let enough = said
            .stderr
            .split("give --size ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        make(enough.expect("a size")).ended_with(0);
        assert_clean(&place.path("d.img"));
        std::fs::remove_file(place.path("d.img")).expect("just made");
    }
}

#[test]
fn what_is_there_is_not_overwritten() {
    let place = Place::new();
    let file = place.write("d.img", "precious");
    let make = |args: &[&str]| place.libos(&[&["mkdisk", "--size", "19M"], args].concat());
    make(&["d.img"])
        .ended_with(125)
        .complaining(&["d.img", "found a file at d.img", "--force"]);
    make(&["."]).ended_with(125).complaining(&["a directory"]);
    make(&["--force", "/dev/null"])
        .ended_with(125)
        .complaining(&["a device"]);
    make(&["no/d.img"])
        .ended_with(125)
        .complaining(&["could not write into no"]);
    assert_eq!(std::fs::read(&file).expect("there"), b"precious");
    make(&["--force", "d.img"]).ended_with(0);
    assert_clean(&file);
    symlink("d.img", place.path("link")).expect("writable");
    let before = file.metadata().expect("there").ino();
    make(&["--force", "link"]).ended_with(0);
    assert!(place.path("link").is_symlink());
    assert_ne!(file.metadata().expect("there").ino(), before);
}

#[test]
fn sizes_are_exact() {
    let place = Place::new();
    let make = |size: &str| place.libos(&["mkdisk", "--force", "d.img", "--size", size]);
    make("19922943")
        .ended_with(125)
        .complaining(&["at least 19922944 (19 MiB)"]);
    make("67108865")
        .ended_with(125)
        .complaining(&["67108864 and 67112960"]);
    make("1M").ended_with(125);
    make("x").ended_with(125).complaining(&["--size", "1GiB"]);
    assert!(!place.path("d.img").exists());
    let group = 128 << 20;
    for size in [
        19_922_944,
        group,
        group + 4096,
        group + (4 << 20),
        3 * group - 4096,
        30 << 30,
    ] {
        make(&size.to_string()).ended_with(0);
        let metadata = place.path("d.img").metadata().expect("just made");
        assert_eq!(metadata.len(), size);
        assert!(
            metadata.blocks() * 512 < 24 << 20,
            "sparse: {} sectors",
            metadata.blocks()
        );
        assert_clean(&place.path("d.img"));
    }
    place
        .libos(&[
            "mkdisk",
            "e.img",
            "--size",
            "19M",
            "--label",
            "seventeen letters",
        ])
        .ended_with(125)
        .complaining(&["--label", "at most 16 bytes"]);
}

#[test]
fn a_set_date_makes_the_same_bytes_and_none_makes_other_uuids() {
    let place = Place::new();
    rich(&place);
    let make = |name: &str, env: &[(&str, &str)]| {
        let args = ["mkdisk", name, "--size", "40M", "--from", "tree"];
        place.libos_with(&args, env).ended_with(0);
        std::fs::read(place.path(name)).expect("just made")
    };
    let date = [("SOURCE_DATE_EPOCH", "1700000000")];
    assert!(make("1", &date) == make("2", &date));
    let uuid = |disk: &[u8]| disk[1024 + 0x68..1024 + 0x78].to_vec();
    assert_ne!(uuid(&make("3", &[])), uuid(&make("4", &[])));
    let args = ["mkdisk", "5", "--size", "40M"];
    place
        .libos_with(&args, &[("SOURCE_DATE_EPOCH", "today")])
        .ended_with(125)
        .complaining(&["SOURCE_DATE_EPOCH", "today"]);
}

#[test]
fn what_cannot_be_copied_is_named() {
    let place = Place::new();
    place
        .libos(&["mkdisk", "d.img", "--size", "19M"])
        .ended_with(0);
    let make = |from: &str| place.libos(&["mkdisk", "e.img", "--size", "64M", "--from", from]);
    make("d.img")
        .ended_with(125)
        .complaining(&["d.img", "a TAR", "begins with zeroes"]);
    make("none").ended_with(125).complaining(&["--from: none"]);
    // ext4 itself would refuse so large attributes.
    let Ok(memory) = tempfile::tempdir_in("/dev/shm") else {
        eprintln!("skipped: no tmpfs at /dev/shm");
        return;
    };
    let file = memory.path().join("file");
    std::fs::write(&file, "x").expect("writable");
    let script = "setfattr -n user.large -v \"$(printf %05000d 1)\" \"$1\" || exit 77";
    if sh(script, &[&file]).is_none() {
        eprintln!("skipped: no attributes on tmpfs");
        return;
    }
    make(memory.path().to_str().expect("ASCII"))
        .ended_with(125)
        .complaining(&["copying /file", "at most 4000 bytes of extended attributes"]);
    assert!(!place.path("e.img").exists());
}
