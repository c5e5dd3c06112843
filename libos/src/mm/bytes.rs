//! memcpy, memmove, memset, memcmp, bcmp, strlen: the functions that compiled code calls by name.
//!
//! The image is linked without a C library, so these are its own. They are whole functions in
//! assembly, because a compiler turns a loop that copies bytes into a call of memcpy, that is, of
//! the very function it stands in.
//!
//! Small sizes are moved by loads and stores that overlap in the middle, without a loop; long runs
//! by `rep movsb`/`rep stosb`, which the CPU's microcode moves by whole cache lines. Only XMM
//! registers are used: the gate saves no wider ones.

use core::arch::naked_asm;

/// Copies `rdx` bytes from `rsi` to `rdi`, which don't overlap, and returns: up to 64 bytes by loads and stores
/// that overlap in the middle, then blocks, then the CPU's own copy (`{rep}` says from how many bytes on). No
/// stack; changes rcx, rdx, rsi, rdi, r8, r9 and xmm0 to xmm7.
macro_rules! copy_and_return {
    () => {
        concat!(
            "cmp rdx, 16\n",
            "jb 20f\n",
            "movups xmm0, [rsi]\n",
            "movups xmm1, [rsi + rdx - 16]\n",
            "cmp rdx, 32\n",
            "ja 32f\n",
            "movups [rdi], xmm0\n",
            "movups [rdi + rdx - 16], xmm1\n",
            "ret\n",
            // 33 to 64 bytes
            "32:\n",
            "cmp rdx, 64\n",
            "ja 64f\n",
            "movups xmm2, [rsi + 16]\n",
            "movups xmm3, [rsi + rdx - 32]\n",
            "movups [rdi], xmm0\n",
            "movups [rdi + 16], xmm2\n",
            "movups [rdi + rdx - 32], xmm3\n",
            "movups [rdi + rdx - 16], xmm1\n",
            "ret\n",
            // 65 bytes up to REP_COPY: blocks of 64 from the front, then the last 64
            "64:\n",
            "cmp rdx, {rep}\n",
            "jae 50f\n",
            "lea rcx, [rdi + rdx - 64]\n",
            "movups xmm4, [rsi + rdx - 64]\n",
            "movups xmm5, [rsi + rdx - 48]\n",
            "movups xmm6, [rsi + rdx - 32]\n",
            "66:\n",
            "movups xmm0, [rsi]\n",
            "movups xmm2, [rsi + 16]\n",
            "movups xmm3, [rsi + 32]\n",
            "movups xmm7, [rsi + 48]\n",
            "movups [rdi], xmm0\n",
            "movups [rdi + 16], xmm2\n",
            "movups [rdi + 32], xmm3\n",
            "movups [rdi + 48], xmm7\n",
            "add rsi, 64\n",
            "add rdi, 64\n",
            "cmp rdi, rcx\n",
            "jb 66b\n",
            "movups [rcx], xmm4\n",
            "movups [rcx + 16], xmm5\n",
            "movups [rcx + 32], xmm6\n",
            "movups [rcx + 48], xmm1\n",
            "ret\n",
            "50:\n",
            "mov rcx, rdx\n",
            "rep movsb\n",
            "ret\n",
            // below 16 bytes: two loads that overlap, then two stores
            "20:\n",
            "cmp edx, 8\n",
            "jb 21f\n",
            "mov rcx, [rsi]\n",
            "mov r8, [rsi + rdx - 8]\n",
            "mov [rdi], rcx\n",
            "mov [rdi + rdx - 8], r8\n",
            "ret\n",
            "21:\n",
            "cmp edx, 4\n",
            "jb 22f\n",
            "mov ecx, [rsi]\n",
            "mov r8d, [rsi + rdx - 4]\n",
            "mov [rdi], ecx\n",
            "mov [rdi + rdx - 4], r8d\n",
            "ret\n",
            "22:\n",
            "test edx, edx\n",
            "jz 23f\n",
            "movzx ecx, byte ptr [rsi]\n",
            "movzx r8d, byte ptr [rsi + rdx - 1]\n",
            "shr edx, 1\n",
            "movzx r9d, byte ptr [rsi + rdx]\n",
            "mov [rdi + rdx], r9b\n",
            "mov [rdi], cl\n",
            "adc edx, edx\n",
            "mov [rdi + rdx - 1], r8b\n",
            "23:\n",
            "ret\n",
        )
    };
}
pub(crate) use copy_and_return;

/// Copies `len` bytes; the runs don't overlap. Returns `dest`.
///
/// # Safety
/// `dest` is valid for writes and `source` for reads of `len` bytes.
#[unsafe(naked)]
#[cfg_attr(all(feature = "image", not(test)), unsafe(no_mangle))]
pub unsafe extern "C" fn memcpy(dest: *mut u8, source: *const u8, len: usize) -> *mut u8 {
    naked_asm!(
        "mov rax, rdi",
        copy_and_return!(),
        rep = const REP_COPY,
    )
}

/// Copies `len` bytes; the runs may overlap. Returns `dest`.
///
/// # Safety
/// `dest` is valid for writes and `source` for reads of `len` bytes.
#[unsafe(naked)]
#[cfg_attr(all(feature = "image", not(test)), unsafe(no_mangle))]
pub unsafe extern "C" fn memmove(dest: *mut u8, source: *const u8, len: usize) -> *mut u8 {
    naked_asm!(
        // Up to 64 bytes memcpy loads everything before it stores anything. Above that it preloads
        // only the end, so it is right if the destination is not inside the source's run.
        "mov rax, rdi",
        "sub rax, rsi",
        "cmp rdx, 64",
        "jbe {memcpy}",
        "cmp rax, rdx",
        "jb 70f",
        // Destination below the source, with overlap: `rep movsb` would be right, but slow.
        "neg rax",
        "cmp rax, rdx",
        "jae {memcpy}",
        "mov rax, rdi",
        "lea rcx, [rdi + rdx - 64]",
        "movups xmm4, [rsi + rdx - 64]",
        "movups xmm5, [rsi + rdx - 48]",
        "movups xmm6, [rsi + rdx - 32]",
        "movups xmm1, [rsi + rdx - 16]",
        "66:",
        "movups xmm0, [rsi]",
        "movups xmm2, [rsi + 16]",
        "movups xmm3, [rsi + 32]",
        "movups xmm7, [rsi + 48]",
        "movups [rdi], xmm0",
        "movups [rdi + 16], xmm2",
        "movups [rdi + 32], xmm3",
        "movups [rdi + 48], xmm7",
        "add rsi, 64",
        "add rdi, 64",
        "cmp rdi, rcx",
        "jb 66b",
        "movups [rcx], xmm4",
        "movups [rcx + 16], xmm5",
        "movups [rcx + 32], xmm6",
        "movups [rcx + 48], xmm1",
        "ret",
        // Destination inside the source's run: blocks of 64 from the back, then the first 64.
        "70:",
        "mov rax, rdi",
        "movups xmm4, [rsi]",
        "movups xmm5, [rsi + 16]",
        "movups xmm6, [rsi + 32]",
        "movups xmm1, [rsi + 48]",
        "71:",
        "movups xmm0, [rsi + rdx - 16]",
        "movups xmm2, [rsi + rdx - 32]",
        "movups xmm3, [rsi + rdx - 48]",
        "movups xmm7, [rsi + rdx - 64]",
        "movups [rdi + rdx - 16], xmm0",
        "movups [rdi + rdx - 32], xmm2",
        "movups [rdi + rdx - 48], xmm3",
        "movups [rdi + rdx - 64], xmm7",
        "sub rdx, 64",
        "cmp rdx, 64",
        "ja 71b",
        "movups [rdi], xmm4",
        "movups [rdi + 16], xmm5",
        "movups [rdi + 32], xmm6",
        "movups [rdi + 48], xmm1",
        "ret",
        memcpy = sym memcpy,
    )
}

/// Sets `len` bytes to the low byte of `value`. Returns `dest`.
///
/// # Safety
/// `dest` is valid for writes of `len` bytes.
#[unsafe(naked)]
#[cfg_attr(all(feature = "image", not(test)), unsafe(no_mangle))]
pub unsafe extern "C" fn memset(dest: *mut u8, value: i32, len: usize) -> *mut u8 {
    naked_asm!(
        "mov rax, rdi",
        "movzx ecx, sil",
        "mov r8, 0x0101010101010101",
        "imul rcx, r8",
        "cmp rdx, 16",
        "jb 20f",
        "movq xmm0, rcx",
        "punpcklqdq xmm0, xmm0",
        "cmp rdx, 64",
        "ja 64f",
        // 16 to 64 bytes: at most four stores that overlap
        "movups [rdi], xmm0",
        "movups [rdi + rdx - 16], xmm0",
        "cmp rdx, 32",
        "jbe 33f",
        "movups [rdi + 16], xmm0",
        "movups [rdi + rdx - 32], xmm0",
        "33:",
        "ret",
        "64:",
        "cmp rdx, {rep}",
        "jae 50f",
        "lea rcx, [rdi + rdx - 64]",
        "66:",
        "movups [rdi], xmm0",
        "movups [rdi + 16], xmm0",
        "movups [rdi + 32], xmm0",
        "movups [rdi + 48], xmm0",
        "add rdi, 64",
        "cmp rdi, rcx",
        "jb 66b",
        "movups [rcx], xmm0",
        "movups [rcx + 16], xmm0",
        "movups [rcx + 32], xmm0",
        "movups [rcx + 48], xmm0",
        "ret",
        "50:",
        "mov r8, rax",
        "mov eax, esi",
        "mov rcx, rdx",
        "rep stosb",
        "mov rax, r8",
        "ret",
        "20:",
        "cmp edx, 8",
        "jb 21f",
        "mov [rdi], rcx",
        "mov [rdi + rdx - 8], rcx",
        "ret",
        "21:",
        "cmp edx, 4",
        "jb 22f",
        "mov [rdi], ecx",
        "mov [rdi + rdx - 4], ecx",
        "ret",
        "22:",
        "test edx, edx",
        "jz 23f",
        "mov [rdi], cl",
        "mov [rdi + rdx - 1], cl",
        "shr edx, 1",
        "mov [rdi + rdx], cl",
        "23:",
        "ret",
        rep = const REP_SET,
    )
}

/// Compares `len` bytes as unsigned numbers: negative, 0 or positive, as the first difference.
///
/// # Safety
/// Both are valid for reads of `len` bytes.
#[unsafe(naked)]
#[cfg_attr(all(feature = "image", not(test)), unsafe(no_mangle))]
pub unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, len: usize) -> i32 {
    naked_asm!(
        "cmp rdx, 16",
        "jb 20f",
        "lea r8, [rdx - 16]",
        "xor ecx, ecx",
        // %rcx: offset of the block; the last block ends at the run's end and may overlap
        "66:",
        "movdqu xmm0, [rdi + rcx]",
        "movdqu xmm1, [rsi + rcx]",
        "pcmpeqb xmm0, xmm1",
        "pmovmskb eax, xmm0",
        "sub eax, 0xffff",
        "jnz 67f",
        "add rcx, 16",
        "cmp rcx, r8",
        "jb 66b",
        "mov rcx, r8",
        "movdqu xmm0, [rdi + rcx]",
        "movdqu xmm1, [rsi + rcx]",
        "pcmpeqb xmm0, xmm1",
        "pmovmskb eax, xmm0",
        "sub eax, 0xffff",
        "jnz 67f",
        "ret",
        // %eax + 0xffff has a clear bit where a byte differs, so %eax has its lowest set bit there
        "67:",
        "bsf eax, eax",
        "add rcx, rax",
        "movzx eax, byte ptr [rdi + rcx]",
        "movzx ecx, byte ptr [rsi + rcx]",
        "sub eax, ecx",
        "ret",
        "20:",
        "cmp edx, 8",
        "jb 21f",
        "mov rax, [rdi]",
        "mov rcx, [rsi]",
        "cmp rax, rcx",
        "jne 30f",
        "mov rax, [rdi + rdx - 8]",
        "mov rcx, [rsi + rdx - 8]",
        "cmp rax, rcx",
        "jne 30f",
        "xor eax, eax",
        "ret",
        // the first byte in memory is the lowest; reversed, the numbers compare like the bytes
        "30:",
        "bswap rax",
        "bswap rcx",
        "cmp rax, rcx",
        "sbb eax, eax",
        "or eax, 1",
        "ret",
        "21:",
        "xor ecx, ecx",
        "22:",
        "cmp rcx, rdx",
        "je 23f",
        "movzx eax, byte ptr [rdi + rcx]",
        "movzx r8d, byte ptr [rsi + rcx]",
        "inc rcx",
        "sub eax, r8d",
        "jz 22b",
        "ret",
        "23:",
        "xor eax, eax",
        "ret",
    )
}

/// Compares `len` bytes: 0 if equal.
///
/// # Safety
/// Both are valid for reads of `len` bytes.
#[unsafe(naked)]
#[cfg_attr(all(feature = "image", not(test)), unsafe(no_mangle))]
pub unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, len: usize) -> i32 {
    naked_asm!("jmp {memcmp}", memcmp = sym memcmp)
}

/// Length of a NUL-terminated string.
///
/// # Safety
/// `text` is valid for reads up to its NUL. Bytes around it in the same 16-byte blocks are read too;
/// they lie in the same pages.
#[unsafe(naked)]
#[cfg_attr(all(feature = "image", not(test)), unsafe(no_mangle))]
pub unsafe extern "C" fn strlen(text: *const u8) -> usize {
    naked_asm!(
        "pxor xmm0, xmm0",
        "mov rax, rdi",
        "and rax, -16",
        "movdqa xmm1, [rax]",
        "pcmpeqb xmm1, xmm0",
        "pmovmskb edx, xmm1",
        // drop the bits of the bytes in front of the string
        "mov ecx, edi",
        "and ecx, 15",
        "shr edx, cl",
        "test edx, edx",
        "jnz 30f",
        "66:",
        "add rax, 16",
        "movdqa xmm1, [rax]",
        "pcmpeqb xmm1, xmm0",
        "pmovmskb edx, xmm1",
        "test edx, edx",
        "jz 66b",
        "bsf edx, edx",
        "add rax, rdx",
        "sub rax, rdi",
        "ret",
        "30:",
        "bsf eax, edx",
        "ret",
    )
}

/// From how many bytes on `rep movsb` is faster than blocks of 64.
pub const REP_COPY: usize = 1024;

/// From how many bytes on `rep stosb` is faster than blocks of 64.
const REP_SET: usize = 1024;

#[cfg(test)]
mod tests;
