//! Any bytes behind a superblock: an error or a tree, never a panic.

mod common;

use bolero::check;
use common::{small, walk};
use libos_erofs::Image;

#[test]
fn fuzz_patched_images() {
    let good = small().write();
    check!().with_type::<Vec<(u16, u8)>>().for_each(|patches| {
        let mut bytes = good.clone();
        for (at, value) in patches {
            let at = 1024 + usize::from(*at) % (bytes.len() - 1024);
            bytes[at] = *value;
        }
        let Ok(image) = Image::open(&bytes) else {
            return;
        };
        if let Ok(root) = image.root() {
            let _ = walk(&image, &root, "", &mut Vec::new());
        }
    });
}
