//! Every rule of image validation: one image that passes, and for each rule one that breaks it alone.

mod common;

use common::builder::{
    ET_DYN, ET_EXEC, ImageBuilder, PAGE, PT_INTERP, PT_LOAD, ProgramHeader, R, W, X,
};
use libos_abi::manifest::{Device, Range};
use libos_tender::image::{Image, ImageError, Placement};

/// A change that breaks one rule.
type Break = fn(&mut ImageBuilder);

fn parse(builder: &ImageBuilder) -> Result<Image, ImageError> {
    Image::parse(&builder.build())
}

/// The refusal of a valid image with one change.
fn refusal(change: Break) -> ImageError {
    let mut builder = ImageBuilder::valid();
    change(&mut builder);
    parse(&builder).expect_err("an image that breaks a rule")
}

/// Checks that each change is refused in a message that has the words.
fn check(table: &[(&str, Break)]) {
    for (words, change) in table {
        let error = refusal(*change);
        let message = error.to_string();
        assert!(
            message.contains(words),
            "expected {words:?} in {message:?} ({error:?})"
        );
        assert!(!error.advice().is_empty());
    }
}

#[test]
fn a_valid_image_is_read_as_it_was_built() {
    let builder = ImageBuilder::valid();
    let image = parse(&builder).expect("valid");
    assert_eq!(image.placement, Placement::Anywhere);
    assert_eq!(image.entry, builder.entry);
    assert_eq!(image.manifest, builder.manifest);
    assert_eq!(image.segments.len(), 5);
    assert_eq!(image.extent(), 0x1_0000..0x2_4000);
    let data = image.segments[1];
    assert_eq!(
        (data.vaddr, data.filesz, data.memsz),
        (0x1_1000, 100, 3 * PAGE)
    );
    assert!(data.permissions.write && !data.permissions.execute);
}

#[test]
fn a_fixed_image_is_read() {
    let mut builder = ImageBuilder::valid();
    builder.kind = ET_EXEC;
    builder.manifest.app.relocatable = false;
    let image = parse(&builder).expect("valid");
    assert_eq!(image.placement, Placement::Fixed);
}

#[test]
fn optional_parts_may_be_empty() {
    let mut builder = ImageBuilder::valid();
    let layout = &mut builder.manifest.layout;
    layout.rootfs = Range::default();
    layout.sites = Range::default();
    layout.stubs = Range::default();
    parse(&builder).expect("valid");
}

#[test]
fn every_shorter_file_is_refused_without_harm() {
    let whole = ImageBuilder::valid().build();
    for len in 0..whole.len() {
        Image::parse(&whole[..len]).expect_err("a truncated image");
    }
    Image::parse(&whole).expect("the whole image");
}

#[test]
fn headers() {
    check(&[
        ("ELF file", |image| image.ident[0] = 0),
        ("class 1", |image| image.ident[4] = 1),
        ("byte order 2", |image| image.ident[5] = 2),
        ("e_machine 183", |image| image.machine = 183),
        ("e_type 1", |image| image.kind = 1),
        ("e_type 4", |image| image.kind = 4),
        ("e_phentsize", |image| image.header_size = 32),
        ("found none", |image| image.headers.clear()),
        ("e_phnum", |image| {
            let null = ProgramHeader {
                kind: 0,
                flags: 0,
                offset: 0,
                vaddr: 0,
                filesz: 0,
                memsz: 0,
                align: 0,
            };
            image.headers.extend(vec![null; 128]);
        }),
        ("found a file of", |image| image.len = Some(63)),
        ("program headers", |image| image.len = Some(64 + 56)),
    ]);
}

#[test]
fn a_dynamic_program_is_told_to_link_statically() {
    let error = refusal(|image| {
        let path = b"/lib64/ld-linux-x86-64.so.2\0".to_vec();
        let (offset, filesz) = (2048, path.len() as u64);
        image.contents.push((offset, path));
        image.headers.push(ProgramHeader {
            kind: PT_INTERP,
            flags: R,
            offset,
            vaddr: 0,
            filesz,
            memsz: filesz,
            align: 1,
        });
    });
    assert!(
        error.to_string().contains("/lib64/ld-linux-x86-64.so.2"),
        "{error}"
    );
    assert!(error.advice().contains("crt-static"), "{}", error.advice());
}

#[test]
fn segments() {
    check(&[
        ("a segment at bytes", |image| {
            image.headers[1].filesz = PAGE * 100
        }),
        ("a segment at bytes", |image| {
            image.headers[1].offset = u64::MAX - 4095
        }),
        ("p_memsz) above 0", |image| {
            image.headers[0].filesz = 0;
            image.headers[0].memsz = 0;
        }),
        ("p_filesz of at most p_memsz", |image| {
            image.headers[1].memsz = 99
        }),
        ("p_align", |image| image.headers[1].align = 0x1800),
        ("p_align", |image| image.headers[1].align = 8),
        ("p_align", |image| image.headers[1].align = 0),
        ("modulo the page size", |image| {
            image.headers[1].offset += 16
        }),
        ("47-bit", |image| image.headers[4].vaddr = 0x7fff_ffff_f000),
        ("47-bit", |image| image.headers[4].vaddr = u64::MAX - 4095),
        ("47-bit", |image| image.headers[1].memsz = u64::MAX),
        ("writable or executable", |image| {
            image.headers[1].flags = R | W | X
        }),
        ("R, W and X", |image| image.headers[1].flags = R | 8),
        ("zero-filled memory", |image| {
            image.headers[0].memsz = 2 * PAGE - 1
        }),
        ("behind the last page", |image| image.headers.swap(0, 1)),
        ("behind the last page", |image| {
            image.headers[1].vaddr = 0x1_0000
        }),
        // Not a byte in common, but a page.
        ("behind the last page", |image| {
            image.headers[4].vaddr = 0x2_2800;
            image.headers[4].offset -= 0x800;
        }),
        ("64 GiB", |image| image.headers[4].vaddr = 0x70_0000_0000),
    ]);
}

#[test]
fn a_fixed_image_stays_off_the_lowest_pages() {
    let mut builder = ImageBuilder::valid();
    builder.kind = ET_EXEC;
    builder.headers[0].vaddr = 0xf000;
    let message = parse(&builder).expect_err("too low").to_string();
    assert!(message.contains("0x10000"), "{message}");
}

#[test]
fn notes() {
    check(&[
        ("not a libOS image", |image| image.note_name = "GNU"),
        ("found: expected ident", |image| {
            image.note = Some(b"nonsense".to_vec())
        }),
        ("missing field", |image| {
            image.note = Some(br#"{"abi_version":1}"#.to_vec())
        }),
        ("colour", |image| {
            let json = String::from_utf8(image.manifest.to_json().expect("plain")).expect("JSON");
            image.note = Some(json.replacen('{', r#"{"colour":1,"#, 1).into_bytes());
        }),
        ("ABI version 1, found version 2", |image| {
            image.manifest.abi_version = 2
        }),
        ("found version 7", |image| {
            image.note = Some(br#"{"abi_version":7,"new":[]}"#.to_vec())
        }),
        ("one manifest, found two", |image| {
            let first = image.build();
            let size = usize::from(u16::from_le_bytes([first[56], first[57]]));
            let note = &first[64 + 56 * (size - 1)..][..56];
            let word = |at: usize| u64::from_le_bytes(note[at..at + 8].try_into().expect("8"));
            let (offset, filesz) = (word(8), word(32));
            let start = usize::try_from(offset).expect("small");
            let len = usize::try_from(filesz).expect("small");
            image
                .contents
                .push((offset, first[start..start + len].to_vec()));
            image.headers.push(ProgramHeader {
                kind: 4,
                flags: R,
                offset,
                vaddr: 0,
                filesz,
                memsz: filesz,
                align: 4,
            });
        }),
    ]);
}

#[test]
fn an_ordinary_program_is_told_how_to_become_an_image() {
    let error = refusal(|image| image.note_name = "GNU");
    assert!(
        error.advice().contains("cargo libos image"),
        "{}",
        error.advice()
    );
}

#[test]
fn manifest_fields() {
    check(&[
        ("cwd", |image| image.manifest.cwd = "tmp".into()),
        ("exe_path", |image| image.manifest.exe_path = "hello".into()),
        ("hostname", |image| image.manifest.hostname = "h".repeat(65)),
        ("NUL", |image| image.manifest.args = vec!["a\0b".into()]),
        ("NUL", |image| {
            image.manifest.env.insert("A".into(), "\0".into());
        }),
        ("devices", |image| {
            image.manifest.devices = vec![Device {
                name: "disk".into(),
                kind: "block".into(),
            }];
        }),
        ("app.relocatable", |image| {
            image.manifest.app.relocatable = false
        }),
        ("different pages", |image| {
            image.manifest.layout.app.len = 0x1_0001
        }),
    ]);
}

#[test]
fn ranges_lie_where_their_use_needs_them() {
    check(&[
        ("layout.entry", |image| image.entry = 0),
        ("layout.entry", |image| image.entry = 0x1_0000),
        ("layout.entry", |image| image.entry = 0x2_0200),
        ("layout.hypercall", |image| {
            image.manifest.layout.hypercall.len = 0
        }),
        ("layout.hypercall", |image| {
            image.manifest.layout.hypercall.start = 0x1_1000
        }),
        ("layout.hypercall", |image| {
            image.manifest.layout.hypercall.start = 0x1_0000
        }),
        ("layout.hypercall", |image| {
            image.manifest.layout.hypercall.len = 0x101
        }),
        ("layout.hypercall", |image| {
            image.manifest.layout.hypercall.len = u64::MAX
        }),
        ("layout.signal_entry", |image| {
            image.manifest.layout.signal_entry = 0x2_3000
        }),
        ("layout.gate", |image| image.manifest.layout.gate = 0x2_2000),
        ("layout.stubs", |image| {
            image.manifest.layout.stubs.start = 0x2_3000
        }),
        ("layout.sites", |image| {
            image.manifest.layout.sites.start = 0x30_0000
        }),
        ("layout.sites", |image| image.manifest.layout.sites.len = 33),
        ("layout.sites", |image| {
            image.manifest.layout.sites.start += 4
        }),
        ("layout.app_file", |image| {
            image.manifest.layout.app_file.len = PAGE
        }),
        ("layout.rootfs", |image| {
            image.manifest.layout.rootfs.start = u64::MAX - 8
        }),
        ("layout.app:", |image| {
            image.manifest.layout.app = Range::default()
        }),
        ("layout.app:", |image| {
            image.manifest.layout.app.len = 0x100_0000
        }),
        ("layout.libos", |image| {
            image.manifest.layout.libos = Range {
                start: 0x1000,
                len: 1 << 20,
            }
        }),
        ("layout.app.entry", |image| {
            image.manifest.app.entry = 0x1_1000
        }),
        ("layout.app.entry", |image| {
            image.manifest.app.entry = 0x2_0000
        }),
        ("layout.app.phdr", |image| {
            image.manifest.app.phdr = 0x1_0000;
            image.manifest.app.phnum = 2;
        }),
        ("layout.app.phdr", |image| {
            image.manifest.app.phdr = 0x1_0000;
            image.manifest.app.phnum = u64::MAX;
        }),
    ]);
}

#[test]
fn memory_that_only_the_file_holds_may_not_come_from_bss() {
    let error = refusal(|image| {
        image.headers[1].flags = R | W;
        image.manifest.layout.app_file = Range {
            start: 0x1_1000,
            len: 101,
        };
    });
    assert!(error.to_string().contains("app_file"), "{error}");
}

#[test]
fn an_image_without_segments_is_refused() {
    let builder = ImageBuilder::new(ET_DYN);
    assert!(matches!(parse(&builder), Err(ImageError::NoSegments)));
    assert_eq!(PT_LOAD, 1);
}

#[test]
fn the_tenders_own_refusals_have_status_125_and_three_parts() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).expect("writable");
        path
    };
    let mut greedy = ImageBuilder::valid();
    greedy.manifest.memory = 1 << 60;
    let mut small = ImageBuilder::valid();
    small.manifest.memory = 4096;
    let no_options: &[&str] = &[];
    for (path, options, words) in [
        (directory.path().join("absent"), no_options, "No such file"),
        (directory.path().to_owned(), no_options, "Is a directory"),
        (write("empty", b""), no_options, "ELF file"),
        (write("text", b"#!/bin/sh\n"), no_options, "ELF file"),
        (
            write("greedy", &greedy.build()),
            no_options,
            "what this host has",
        ),
        (
            write("small", &small.build()),
            no_options,
            "what this image needs",
        ),
        (
            write("valid", &ImageBuilder::valid().build()),
            &["--mem", "1"][..],
            "memory",
        ),
        (
            write("valid", &ImageBuilder::valid().build()),
            &["--memory", "1"][..],
            "--memory",
        ),
        (
            write("valid", &ImageBuilder::valid().build()),
            &["--report", "/absent/x"][..],
            "--report",
        ),
    ] {
        let output = common::attacker::run(options, &path, &[]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(125), "{message}");
        for part in ["libos-tender: ", "expected ", "found", "try: ", words] {
            assert!(message.contains(part), "expected {part:?} in {message}");
        }
        assert!(output.stdout.is_empty());
    }
}
