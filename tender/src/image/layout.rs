//! The manifest against the segments: every range where its use needs it, every field possible.

use super::error::ImageError;
use super::segment::Segment;
use super::{Image, PAGE, Placement};
use crate::net::publish;
use libos_abi::image::Site;
use libos_abi::manifest::{Manifest, Range};

/// What a range's segment must permit.
#[derive(Clone, Copy)]
enum Use {
    Code,
    Data,
}

/// Checks all of the manifest that later steps rely on.
pub fn check(image: &Image) -> Result<(), ImageError> {
    check_fields(&image.manifest)?;
    check_code(image)?;
    check_data(image)?;
    check_parts(image)?;
    check_app(image)
}

fn check_fields(manifest: &Manifest) -> Result<(), ImageError> {
    let field = |field, expected, found: &str| {
        Err(ImageError::Field {
            field,
            expected,
            found: format!("{found:?}"),
        })
    };
    if !manifest.cwd.starts_with('/') {
        return field("cwd", "an absolute path", &manifest.cwd);
    }
    if !manifest.exe_path.starts_with('/') {
        return field("exe_path", "an absolute path", &manifest.exe_path);
    }
    if manifest.hostname.len() > 64 {
        return field("hostname", "at most 64 bytes", &manifest.hostname);
    }
    if let Some(device) = manifest.devices.first() {
        return field("devices", "no devices beyond the console", &device.kind);
    }
    if let Some(text) = manifest
        .publish
        .iter()
        .find(|text| publish::parse(text).is_err())
    {
        return field("publish", "published ports such as 8080:80/tcp", text);
    }
    let strings = [&manifest.cwd, &manifest.exe_path, &manifest.hostname];
    let environment = manifest.env.iter().flat_map(|(name, value)| [name, value]);
    let mut all = strings.into_iter().chain(&manifest.args).chain(environment);
    match all.find(|text| text.contains('\0')) {
        Some(text) => field("strings", "no NUL byte", text),
        None => Ok(()),
    }
}

fn check_code(image: &Image) -> Result<(), ImageError> {
    let layout = &image.manifest.layout;
    let point = |start| Range { start, len: 1 };
    for (name, range) in [
        ("entry", point(image.entry)),
        ("hypercall", layout.hypercall),
        ("signal_entry", point(layout.signal_entry)),
        ("gate", point(layout.gate)),
    ] {
        if range.len == 0 {
            return Err(refusal(name, range, Use::Code));
        }
        require(image, name, range, Use::Code)?;
        if !within(range, layout.libos) {
            return Err(refusal(name, range, Use::Code));
        }
    }
    require(image, "stubs", layout.stubs, Use::Code)
}

fn check_data(image: &Image) -> Result<(), ImageError> {
    let layout = &image.manifest.layout;
    for (name, range) in [
        ("sites", layout.sites),
        ("app_file", layout.app_file),
        ("rootfs", layout.rootfs),
    ] {
        require(image, name, range, Use::Data)?;
    }
    let size = size_of::<Site>() as u64;
    if !layout.sites.len.is_multiple_of(size) || !layout.sites.start.is_multiple_of(8) {
        return Err(ImageError::Field {
            field: "layout.sites",
            expected: "whole records of 32 bytes at a multiple of 8",
            found: format!("{:#x} bytes at {:#x}", layout.sites.len, layout.sites.start),
        });
    }
    Ok(())
}

/// The libOS and the application: whole segments, and no page of both.
fn check_parts(image: &Image) -> Result<(), ImageError> {
    let layout = &image.manifest.layout;
    for (name, range) in [("app", layout.app), ("libos", layout.libos)] {
        let extent = image.extent();
        let whole = Range {
            start: extent.start,
            len: extent.end - extent.start,
        };
        if range.len == 0 || !within(range, whole) {
            return Err(refusal(name, range, Use::Data));
        }
    }
    let pages = |range: Range| {
        let first = range.start & !(PAGE - 1);
        first..(range.start + range.len).next_multiple_of(PAGE)
    };
    let (app, libos) = (pages(layout.app), pages(layout.libos));
    if app.start < libos.end && libos.start < app.end {
        return Err(ImageError::Field {
            field: "layout",
            expected: "application and libOS on different pages",
            found: format!("{app:#x?} and {libos:#x?}"),
        });
    }
    Ok(())
}

fn check_app(image: &Image) -> Result<(), ImageError> {
    let app = &image.manifest.app;
    if image.placement == Placement::Anywhere && !app.relocatable {
        return Err(ImageError::Field {
            field: "app.relocatable",
            expected: "true in an image that may be moved",
            found: "false".into(),
        });
    }
    let entry = Range {
        start: app.entry,
        len: 1,
    };
    require(image, "app.entry", entry, Use::Code)?;
    if !within(entry, image.manifest.layout.app) {
        return Err(refusal("app.entry", entry, Use::Code));
    }
    let headers = Range {
        start: app.phdr,
        len: if app.phdr == 0 {
            0
        } else {
            app.phnum.saturating_mul(56)
        },
    };
    require(image, "app.phdr", headers, Use::Data)
}

/// Accepts an empty range, or one in a single segment with the right permissions, from the file.
fn require(image: &Image, name: &'static str, range: Range, needed: Use) -> Result<(), ImageError> {
    let fits = |segment: &Segment| {
        let permissions = segment.permissions;
        let permitted = match needed {
            Use::Code => permissions.execute,
            Use::Data => permissions.read,
        };
        permitted && segment.holds_in_file(range.start, range.len)
    };
    if range.len == 0 || image.segments.iter().any(fits) {
        return Ok(());
    }
    Err(refusal(name, range, needed))
}

fn within(inner: Range, outer: Range) -> bool {
    let ends = inner
        .start
        .checked_add(inner.len)
        .zip(outer.start.checked_add(outer.len));
    inner.start >= outer.start && ends.is_some_and(|(inner, outer)| inner <= outer)
}

fn refusal(field: &'static str, range: Range, needed: Use) -> ImageError {
    ImageError::Layout {
        field,
        expected: match needed {
            Use::Code => "executable and of the right part",
            Use::Data => "readable and of the right part",
        },
        start: range.start,
        len: range.len,
    }
}
