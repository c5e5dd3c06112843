//! `cargo libos image` and `inspect`, on C programs, good and bad.

mod common;

use common::{HELLO, Place};
use libos_abi::image::PackedFile;
use serde_json::Value;

fn inspected(place: &Place, image: &str) -> Value {
    let said = place.libos(&["inspect", image, "--json"]).ended_with(0);
    serde_json::from_str(&said.stdout).expect("JSON")
}

#[test]
fn programs_of_both_kinds_become_images_that_run() {
    let place = Place::new();
    for (name, flag, placement) in [
        ("pie", "-static-pie", "ET_DYN"),
        ("fixed", "-static", "ET_EXEC"),
    ] {
        place.gcc(name, HELLO, &[flag]);
        let image = format!("{name}.libos");
        let said = place.libos(&["image", name, "-o", &image]).ended_with(0);
        assert_eq!(said.stdout, format!("{image}\n"));
        let report = inspected(&place, &image);
        assert_eq!(report["placement"], placement);
        let sites = &report["manifest"]["sites"];
        assert!(sites["found"].as_u64() > Some(10), "{sites}");
        assert_eq!(sites["trapped"], 0);
        let ran = place
            .tender(&["run", &image, "--", "a", "b c"])
            .ended_with(2);
        assert_eq!(ran.stdout, "hello\na\nb c\n");
    }
}

#[test]
fn inspect_shows_what_is_there() {
    let place = Place::new();
    let program = place.gcc("hello", HELLO, &["-static-pie"]);
    place.write("data/file", "content");
    place
        .libos(&[
            "image",
            "hello",
            "-o",
            "h.libos",
            "--name",
            "named",
            "--root-file",
            "data:/srv",
        ])
        .ended_with(0);
    let report = inspected(&place, "h.libos");
    let manifest = &report["manifest"];
    assert_eq!(manifest["name"], "named");
    assert_eq!(manifest["exe_path"], "/bin/named");
    assert_eq!(manifest["memory"], 256 << 20);
    let program_len = std::fs::metadata(program).expect("just built").len();
    assert_eq!(report["sizes"]["app_file"], program_len);
    let file = std::fs::read(place.path("h.libos")).expect("just made");
    assert_eq!(report["sizes"]["file"], file.len());
    assert!(file.windows(7).any(|window| window == b"content"));
    for segment in report["segments"].as_array().expect("a list") {
        assert_ne!(segment["part"], "?", "{segment}");
        let access = segment["access"].as_str().expect("a string");
        assert!(!(access.contains('w') && access.contains('x')), "{segment}");
    }
    let text = place.libos(&["inspect", "h.libos"]).ended_with(0).stdout;
    let digest = report["digest"].as_str().expect("a string");
    assert!(
        digest.starts_with("sha256:") && text.contains(digest),
        "{text}"
    );
    let summed = std::process::Command::new("sha256sum")
        .arg(place.path("h.libos"))
        .output()
        .expect("coreutils");
    assert!(String::from_utf8_lossy(&summed.stdout).starts_with(&digest[7..]));
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let place = Place::new();
    place.gcc("hello", HELLO, &["-static"]);
    for image in ["1.libos", "2.libos"] {
        place.libos(&["image", "hello", "-o", image]).ended_with(0);
    }
    let read = |name| std::fs::read(place.path(name)).expect("just made");
    assert!(read("1.libos") == read("2.libos"));
}

#[test]
fn the_program_is_embedded_whole_and_changed_at_its_sites_only() {
    let place = Place::new();
    let program = std::fs::read(place.gcc("hello", HELLO, &["-static-pie"])).expect("just built");
    place
        .libos(&["image", "hello", "-o", "h.libos"])
        .ended_with(0);
    let report = inspected(&place, "h.libos");
    let image = std::fs::read(place.path("h.libos")).expect("just made");
    let segments = report["segments"].as_array().expect("a list");
    let own = segments
        .iter()
        .find(|segment| segment["part"] == "app file")
        .expect("there");
    let offset = usize::try_from(own["offset"].as_u64().expect("a number")).expect("small");
    let len = usize::try_from(own["filesz"].as_u64().expect("a number")).expect("small");
    let part = &image[offset..offset + len];
    // Its symbols are compressed.
    let (record, packed) = PackedFile::of_part(part).expect("a packed file");
    let loaded = usize::try_from(record.loaded).expect("small");
    let rest = miniz_oxide::inflate::decompress_to_vec(packed).expect("DEFLATE");
    assert_eq!(report["sizes"]["app_packed"], packed.len());
    assert!(packed.len() < rest.len() / 2, "{} bytes", packed.len());
    let embedded = [&part[..loaded], &rest].concat();
    assert_eq!(embedded.len(), program.len());
    let changed = program
        .iter()
        .zip(&embedded)
        .filter(|(before, after)| before != after)
        .count();
    let sites = report["manifest"]["sites"]["found"]
        .as_u64()
        .expect("a number");
    let changed = u64::try_from(changed).expect("small");
    assert!(
        changed >= sites && changed < sites * 64,
        "{changed} bytes for {sites} sites"
    );
}

#[test]
fn a_dynamic_program_is_refused_with_the_way_out() {
    let place = Place::new();
    place.gcc("dynamic", HELLO, &[]);
    let said = place
        .libos(&["image", "dynamic", "-o", "d.libos"])
        .ended_with(125);
    said.complaining(&[
        "dynamic",
        "ld-linux",
        "-static",
        "crt-static",
        "CGO_ENABLED=0",
    ]);
    assert!(!place.path("d.libos").exists());
}

#[test]
fn writable_code_is_refused() {
    let place = Place::new();
    let section = r#"asm(".pushsection .both, \"awx\"; nop; .popsection");"#;
    place.gcc("wx", &format!("{HELLO}{section}"), &["-static"]);
    let said = place
        .libos(&["image", "wx", "-o", "wx.libos"])
        .ended_with(125);
    said.complaining(&["writable or executable", "0x"]);
}

#[test]
fn what_is_no_program_is_refused() {
    let place = Place::new();
    place.write("script", "#!/bin/sh\n");
    place.write("empty", "");
    place.write("directory/file", "");
    let refused = |program: &str, texts: &[&str]| {
        place
            .libos(&["image", program, "-o", "x.libos"])
            .ended_with(125)
            .complaining(texts);
    };
    refused("script", &["expected an ELF program", "script"]);
    refused("empty", &["expected an ELF program"]);
    refused(
        "directory",
        &["expected a file, found a directory", "directory"],
    );
    refused("missing", &["missing", "No such file"]);
    place.gcc("hello", HELLO, &["-static"]);
    let whole = std::fs::read(place.path("hello")).expect("just built");
    std::fs::write(place.path("cut"), &whole[..whole.len() / 2]).expect("writable");
    refused("cut", &["cut"]);
    place
        .libos(&["image", "hello", "-o", "directory"])
        .ended_with(125)
        .complaining(&["found a directory"]);
    place
        .libos(&["image", "hello", "-o", "no/x"])
        .ended_with(125)
        .complaining(&["could not write into no"]);
    place
        .libos(&["inspect", "hello"])
        .ended_with(125)
        .complaining(&["not an image", "manifest"]);
}

#[test]
fn a_configuration_is_followed_and_a_wrong_key_is_named() {
    let place = Place::new();
    place.gcc("hello", HELLO, &["-static"]);
    place.write("conf/libos.toml", "memory = \"64M\"\nargs = [\"x\"]\nmode = \"compat\"\nhostname = \"box\"\n[[files]]\nsource = \"f\"\ntarget = \"/f\"\nmode = \"600\"\n");
    place.write("conf/f", "bytes of f");
    place
        .libos(&[
            "image",
            "hello",
            "-o",
            "h.libos",
            "--config",
            "conf/libos.toml",
        ])
        .ended_with(0);
    let manifest = &inspected(&place, "h.libos")["manifest"];
    assert_eq!(manifest["memory"], 64 << 20);
    assert_eq!(manifest["mode"], "compat");
    assert_eq!(manifest["hostname"], "box");
    place
        .libos(&[
            "image",
            "hello",
            "-o",
            "h.libos",
            "--config",
            "conf/libos.toml",
            "--mode",
            "strict",
        ])
        .ended_with(0);
    assert_eq!(inspected(&place, "h.libos")["manifest"]["mode"], "strict");
    place.write("bad.toml", "memroy = \"64M\"\n");
    let said = place
        .libos(&["image", "hello", "-o", "h.libos", "--config", "bad.toml"])
        .ended_with(125);
    said.complaining(&["bad.toml:1", "`memroy`", "did you mean `memory`"]);
    let said = place
        .libos(&["image", "hello", "-o", "h.libos", "--colour"])
        .ended_with(125);
    said.complaining(&["--colour"]);
}
