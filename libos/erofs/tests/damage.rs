//! A damaged image is an error or another tree, never a panic.

mod common;

use common::{small, walk};
use libos_erofs::Image;

fn look_at(bytes: &[u8]) {
    let Ok(image) = Image::open(bytes) else {
        return;
    };
    let Ok(root) = image.root() else { return };
    let _ = root.lookup(b"file");
    let _ = walk(&image, &root, "", &mut Vec::new());
}

#[test]
fn every_byte_may_be_wrong() {
    let good = small().write();
    // Data of files mean nothing to the reader.
    let end = good.len().min(8192);
    for at in 1024..end {
        for value in [
            0,
            1,
            0x7f,
            0x80,
            0xff,
            good[at] ^ 1,
            good[at] ^ 0x10,
            good[at].wrapping_add(1),
        ] {
            let mut bad = good.clone();
            bad[at] = value;
            look_at(&bad);
        }
    }
}

#[test]
fn it_may_end_anywhere() {
    let good = small().write();
    for end in 0..good.len() {
        look_at(&good[..end]);
    }
}

#[test]
fn what_is_not_understood_is_refused() {
    let good = small().write();
    let refused = |at: usize, value: u8| {
        let mut bad = good.clone();
        bad[at] = value;
        Image::open(&bad).map(|_| ()).expect_err("refused").0
    };
    assert!(refused(1024, 0).contains("magic"));
    assert!(refused(1036, 30).contains("blocks of"));
    assert!(refused(1024 + 80, 2).contains("no compression"));
    assert!(refused(1024 + 84, 1).contains("LZ4"));
}
