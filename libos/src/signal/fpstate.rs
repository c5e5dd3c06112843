//! The extended state in a signal frame: an XSAVE image in the standard format, with the software
//! bytes by which programs find its extent (kernel: `struct _fpx_sw_bytes`).

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::arch::xstate;
use crate::errno::{Errno, Result};

/// `FP_XSTATE_MAGIC1`, in the software bytes.
const MAGIC1: u32 = 0x4650_5853;
/// `FP_XSTATE_MAGIC2`, behind the image.
const MAGIC2: u32 = 0x4650_5845;
/// Legacy part of an image.
pub const LEGACY: usize = 512;
/// Legacy part and header.
pub const SMALLEST: usize = 576;
/// Largest image that is handled.
pub const LARGEST: usize = 8192;
/// Length of MAGIC2.
const TAIL: usize = 4;

const MXCSR: usize = 24;
const XMM: usize = 160;
const SOFTWARE: usize = 464;
const XSTATE_BV: usize = 512;
const XCOMP_BV: usize = 520;

const X87: u64 = 1;
const SSE: u64 = 2;
/// AMX tiles (bits 17 and 18): an image gets no permission for them from the host.
const TILES: u64 = 0b11 << 17;
const DEFAULT_MXCSR: u32 = 0x1f80;
/// What XRSTOR admits on every CPU that has XSAVEC.
const MXCSR_MASK: u32 = 0xffff;

/// The components of an image and its size in bytes, the trailing magic not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// `XFEATURE_*` bits.
    pub features: u64,
    /// Size in bytes.
    pub size: usize,
}

static FEATURES: AtomicU64 = AtomicU64::new(0);
static SIZE: AtomicUsize = AtomicUsize::new(0);

/// The shape on this CPU. CPUID traps in a virtual machine, so it is asked once.
pub fn shape() -> Shape {
    if FEATURES.load(Ordering::Relaxed) == 0 {
        let shape = measure();
        SIZE.store(shape.size, Ordering::Relaxed);
        FEATURES.store(shape.features, Ordering::Relaxed);
    }
    Shape {
        features: FEATURES.load(Ordering::Relaxed),
        size: SIZE.load(Ordering::Relaxed),
    }
}

fn measure() -> Shape {
    let features = xstate::enabled() & !TILES;
    let end_of = |component: u32| {
        let leaf = core::arch::x86_64::__cpuid_count(0xd, component);
        usize::try_from(leaf.eax + leaf.ebx).unwrap_or(SMALLEST)
    };
    let size = (2..63)
        .filter(|component| features & (1 << component) != 0)
        .map(end_of)
        .fold(SMALLEST, usize::max)
        .min(LARGEST);
    Shape { features, size }
}

/// Bytes that an image takes in a frame, the trailing magic included.
pub fn frame_size(shape: Shape) -> usize {
    shape.size + TAIL
}

fn put(image: &mut [u8], at: usize, bytes: &[u8]) {
    image[at..at + bytes.len()].copy_from_slice(bytes);
}

fn word(image: &[u8], at: usize) -> u32 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&image[at..at + 4]);
    u32::from_ne_bytes(bytes)
}

fn long(image: &[u8], at: usize) -> u64 {
    u64::from(word(image, at)) | (u64::from(word(image, at + 4)) << 32)
}

/// Puts XMM0–XMM15, which the gate saved, into an image.
pub fn put_xmm(image: &mut [u8], xmm: &[[u8; 16]; 16]) {
    for (index, register) in xmm.iter().enumerate() {
        put(image, XMM + 16 * index, register);
    }
    let present = long(image, XSTATE_BV) | SSE;
    put(image, XSTATE_BV, &present.to_ne_bytes());
}

/// Writes the software bytes into an image.
pub fn mark(image: &mut [u8], shape: Shape) {
    let size = u32::try_from(shape.size).unwrap_or(0);
    image[SOFTWARE..LEGACY].fill(0);
    put(image, SOFTWARE, &MAGIC1.to_ne_bytes());
    put(image, SOFTWARE + 4, &(size + 4).to_ne_bytes());
    put(image, SOFTWARE + 8, &shape.features.to_ne_bytes());
    put(image, SOFTWARE + 16, &size.to_ne_bytes());
}

/// The word behind the image.
pub const fn tail() -> [u8; TAIL] {
    MAGIC2.to_ne_bytes()
}

/// Whether the legacy part says that an extended image of at least `shape` follows.
pub fn is_extended(legacy: &[u8], shape: Shape) -> bool {
    word(legacy, SOFTWARE) == MAGIC1
        && usize::try_from(word(legacy, SOFTWARE + 16)).is_ok_and(|size| size == shape.size)
}

/// Whether `bytes` are the word behind the image.
pub fn is_tail(bytes: [u8; TAIL]) -> bool {
    u32::from_ne_bytes(bytes) == MAGIC2
}

/// Makes an image that the application returned safe for XRSTOR, which faults on reserved bits.
/// An image without an extended part gets a header for its legacy part.
///
/// # Errors
/// EFAULT for a header that no XSAVE writes.
pub fn sanitize(image: &mut [u8], shape: Shape, extended: bool) -> Result<()> {
    if extended {
        if image[XCOMP_BV..SMALLEST].iter().any(|&byte| byte != 0) {
            return Err(Errno::EFAULT);
        }
        let present = long(image, XSTATE_BV) & shape.features;
        put(image, XSTATE_BV, &present.to_ne_bytes());
    } else {
        image[LEGACY..].fill(0);
        put(image, XSTATE_BV, &(X87 | SSE).to_ne_bytes());
    }
    let mxcsr = word(image, MXCSR) & MXCSR_MASK;
    put(image, MXCSR, &mxcsr.to_ne_bytes());
    Ok(())
}

/// The state in which a handler starts: an image that restores everything to its initial value.
#[repr(C, align(64))]
pub struct InitialImage([u8; SMALLEST]);

impl InitialImage {
    /// Its bytes.
    pub const fn bytes(&self) -> &[u8; SMALLEST] {
        &self.0
    }
}

/// See [`InitialImage`]. A header without components makes XRSTOR read no further.
pub static INITIAL: InitialImage = {
    let mut bytes = [0; SMALLEST];
    let mxcsr = DEFAULT_MXCSR.to_ne_bytes();
    (bytes[MXCSR], bytes[MXCSR + 1]) = (mxcsr[0], mxcsr[1]);
    InitialImage(bytes)
};

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape {
        features: 7,
        size: 832,
    };

    #[test]
    fn this_cpus_shape_is_sane() {
        let shape = shape();
        assert_eq!(shape.features & 3, 3);
        assert!((SMALLEST..=LARGEST).contains(&shape.size), "{shape:?}");
    }

    #[test]
    fn software_bytes_stand_where_programs_look() {
        let mut image = vec![0xee; SHAPE.size];
        mark(&mut image, SHAPE);
        assert_eq!(image[464..468], 0x4650_5853_u32.to_ne_bytes());
        assert_eq!(image[468..472], 836_u32.to_ne_bytes());
        assert_eq!(image[472..480], 7_u64.to_ne_bytes());
        assert_eq!(image[480..484], 832_u32.to_ne_bytes());
        assert!(is_extended(&image, SHAPE));
        assert!(!is_extended(&vec![0; 512], SHAPE));
        assert!(is_tail(tail()));
    }

    #[test]
    fn xmm_registers_land_in_the_legacy_part() {
        let mut image = vec![0; SHAPE.size];
        let mut xmm = [[0; 16]; 16];
        xmm[15] = [9; 16];
        put_xmm(&mut image, &xmm);
        assert_eq!(image[400..416], [9; 16]);
        assert_eq!(image[512], 2);
    }

    #[test]
    fn an_image_from_the_application_cannot_fault() {
        let mut image = vec![0; SHAPE.size];
        put(&mut image, MXCSR, &u32::MAX.to_ne_bytes());
        put(&mut image, XSTATE_BV, &u64::MAX.to_ne_bytes());
        assert_eq!(sanitize(&mut image, SHAPE, true), Ok(()));
        assert_eq!(long(&image, XSTATE_BV), 7);
        assert_eq!(word(&image, MXCSR), MXCSR_MASK);
        image[XCOMP_BV] = 1;
        assert_eq!(sanitize(&mut image, SHAPE, true), Err(Errno::EFAULT));
        assert_eq!(sanitize(&mut image, SHAPE, false), Ok(()));
        assert_eq!(long(&image, XSTATE_BV), 3);
    }
}
