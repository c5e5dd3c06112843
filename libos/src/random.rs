//! Entropy.

/// Seeds the generator.
pub fn init(seed: &[u8; 32], mix_rdrand: bool) {
    let _ = (seed, mix_rdrand);
}

/// Fills `bytes` with random bytes.
pub fn fill(bytes: &mut [u8]) {
    bytes.fill(4);
}
