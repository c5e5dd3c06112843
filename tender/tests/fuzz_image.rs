//! Fuzzing of image validation: whatever the bytes are, it answers; and what it admits is sound.
//!
//! Runs for two seconds under `cargo test`. For longer, here ten minutes on each target:
//!
//!     BOLERO_RANDOM_TEST_TIME_MS=600000 cargo test --release -p libos-tender --test fuzz_image
//!
//! Inputs that once failed, and seeds, are kept in `__fuzz__/` beside this file and run first.

mod common;

use common::builder::ImageBuilder;
use libos_tender::image::{Image, USER_END};
use std::time::Duration;

/// One change of a valid image: where, which of the interesting values, and a value for the others.
type Mutation = (u8, u16, u8, u64);

const TIME: Duration = Duration::from_secs(2);

#[test]
fn any_bytes_are_answered() {
    bolero::check!()
        .with_test_time(TIME)
        .for_each(|bytes: &[u8]| {
            if let Ok(image) = Image::parse(bytes) {
                check_soundness(bytes, &image);
            }
        });
}

#[test]
fn mutations_of_a_valid_image_are_sound_or_refused() {
    let (mut tried, mut admitted) = (0u64, 0u64);
    let valid = ImageBuilder::valid();
    bolero::check!()
        .with_type::<Vec<Mutation>>()
        .with_test_time(TIME)
        .for_each(|mutations| {
            let file = mutate(&valid, mutations);
            tried += 1;
            if let Ok(image) = Image::parse(&file) {
                admitted += 1;
                check_soundness(&file, &image);
            }
        });
    println!("{tried} images, {admitted} of them admitted");
    // Were none admitted, the properties above would say nothing.
    assert!(tried < 1000 || admitted > 0);
}

/// At most four changes, so that images with one fault and no other are common.
fn mutate(valid: &ImageBuilder, mutations: &[Mutation]) -> Vec<u8> {
    let mut image = valid.clone();
    let mut bytes = Vec::new();
    for &(kind, place, pick, value) in mutations.iter().take(4) {
        match kind % 8 {
            0 => {
                image.headers[usize::from(place) % valid.headers.len()].offset =
                    pick_value(pick, value)
            }
            1 => {
                image.headers[usize::from(place) % valid.headers.len()].vaddr =
                    pick_value(pick, value)
            }
            2 => {
                image.headers[usize::from(place) % valid.headers.len()].filesz =
                    pick_value(pick, value)
            }
            3 => {
                image.headers[usize::from(place) % valid.headers.len()].memsz =
                    pick_value(pick, value)
            }
            4 => mutate_layout(&mut image, place, pick_value(pick, value)),
            5 => image.entry = pick_value(pick, value),
            6 => image.len = Some(usize::from(place)),
            _ => bytes.push((usize::from(place), pick)),
        }
    }
    let mut file = image.build();
    for (place, byte) in bytes {
        // The headers are the interesting part; the rest of the places fall into the note.
        let len = file.len();
        let place = if place % 2 == 0 {
            place % 512
        } else {
            len.saturating_sub(place % 1200)
        };
        if let Some(target) = file.get_mut(place) {
            *target = byte;
        }
    }
    file
}

fn mutate_layout(image: &mut ImageBuilder, place: u16, value: u64) {
    let layout = &mut image.manifest.layout;
    let fields = [
        &mut layout.app.start,
        &mut layout.app.len,
        &mut layout.libos.start,
        &mut layout.libos.len,
        &mut layout.hypercall.start,
        &mut layout.hypercall.len,
        &mut layout.signal_entry,
        &mut layout.gate,
        &mut layout.stubs.start,
        &mut layout.stubs.len,
        &mut layout.sites.start,
        &mut layout.sites.len,
        &mut layout.app_file.start,
        &mut layout.app_file.len,
        &mut layout.rootfs.start,
        &mut layout.rootfs.len,
        &mut image.manifest.app.entry,
        &mut image.manifest.app.phdr,
        &mut image.manifest.app.phnum,
    ];
    let count = fields.len();
    if let Some(field) = fields.into_iter().nth(usize::from(place) % count) {
        *field = value;
    }
}

fn pick_value(pick: u8, value: u64) -> u64 {
    const INTERESTING: [u64; 14] = [
        0,
        1,
        0xfff,
        0x1000,
        0x1_0000,
        0x1_1000,
        0x2_0000,
        0x2_3000,
        0x2_4000,
        1 << 31,
        1 << 47,
        1 << 63,
        u64::MAX - 0xfff,
        u64::MAX,
    ];
    let near = INTERESTING[usize::from(pick) % INTERESTING.len()];
    match pick / 16 % 4 {
        0 => near,
        1 => near.wrapping_add(value % 0x2000),
        2 => near.wrapping_sub(value % 0x2000),
        _ => value,
    }
}

/// What the rest of the tender relies on, said a second time and in another way.
fn check_soundness(file: &[u8], image: &Image) {
    let len = u128::try_from(file.len()).expect("a usize");
    let mut end = 0u128;
    for segment in &image.segments {
        let (vaddr, memsz) = (u128::from(segment.vaddr), u128::from(segment.memsz));
        let (offset, filesz) = (u128::from(segment.offset), u128::from(segment.filesz));
        assert!(offset + filesz <= len && filesz <= memsz && memsz > 0);
        assert!(vaddr % 4096 == offset % 4096);
        assert!(vaddr / 4096 * 4096 >= end, "segments share a page");
        assert!(!(segment.permissions.write && segment.permissions.execute));
        assert!(filesz == memsz || segment.permissions.write);
        end = (vaddr + memsz).div_ceil(4096) * 4096;
        assert!(vaddr + memsz <= u128::from(USER_END));
    }
    let layout = &image.manifest.layout;
    let code = |start: u64, len: u64| {
        let (start, end) = (u128::from(start), u128::from(start) + u128::from(len));
        image.segments.iter().any(|segment| {
            let first = u128::from(segment.vaddr);
            segment.permissions.execute
                && start >= first
                && end <= first + u128::from(segment.filesz)
        })
    };
    assert!(code(image.entry, 1) && code(layout.signal_entry, 1) && code(layout.gate, 1));
    assert!(layout.hypercall.len > 0 && code(layout.hypercall.start, layout.hypercall.len));
    assert!(code(image.manifest.app.entry, 1));
}
