# The last code of the tender: a page of its own, because it unmaps all the rest.
#
# libos_tender_trampoline(rdi = struct Departure *) -> !
#   on entry   signals blocked; everything that `Departure` points to lies outside of what is unmapped;
#              the stack is about to be unmapped and is not used
#   on exit    rsp = Departure.stack, rdi = Departure.boot, all other registers, the FS base and the SSE
#              state 0, x87 and MXCSR at their start values; the filter is in force
# If the kernel refuses the filter: a message on standard error, exit status 125.

    .section .text.libos_tender_trampoline, "ax", @progbits
    .balign 4096
    .globl libos_tender_trampoline
    .type libos_tender_trampoline, @function
libos_tender_trampoline:
    mov r15, rdi
    mov rbx, [r15 + {regions}]

1:  # rbx = next region; a length of 0 ends the list. What is not mapped any more needs no unmapping:
    # errors do not matter.
    mov rdi, [rbx]
    mov rsi, [rbx + 8]
    add rbx, 16
    test rsi, rsi
    jz 2f
    mov eax, {munmap}
    syscall
    jmp 1b

2:  # Nothing of the tender is left but this page and `Departure`. A signal that is delivered from here on
    # finds the libOS's handler.
    mov edi, {set_mask}
    lea rsi, [r15 + {empty_mask}]
    xor edx, edx
    mov r10d, 8
    mov eax, {sigprocmask}
    syscall
    mov edi, {set_filter}
    xor esi, esi
    lea rdx, [r15 + {filter}]
    mov eax, {seccomp}
    syscall
    test rax, rax
    jnz 3f

    # The filter is in force: no system call from here on.
    mov rsp, [r15 + {stack}]
    mov rdi, [r15 + {boot}]
    mov rax, [r15 + {entry}]
    fninit
    ldmxcsr [rip + 5f]
    pxor xmm0, xmm0
    pxor xmm1, xmm1
    pxor xmm2, xmm2
    pxor xmm3, xmm3
    pxor xmm4, xmm4
    pxor xmm5, xmm5
    pxor xmm6, xmm6
    pxor xmm7, xmm7
    pxor xmm8, xmm8
    pxor xmm9, xmm9
    pxor xmm10, xmm10
    pxor xmm11, xmm11
    pxor xmm12, xmm12
    pxor xmm13, xmm13
    pxor xmm14, xmm14
    pxor xmm15, xmm15
    xor ebx, ebx
    xor ecx, ecx
    xor edx, edx
    xor esi, esi
    xor ebp, ebp
    xor r8d, r8d
    xor r9d, r9d
    xor r10d, r10d
    xor r11d, r11d
    xor r12d, r12d
    xor r13d, r13d
    xor r14d, r14d
    xor r15d, r15d
    wrfsbase rbx
    cld
    # rax = entry point
    jmp rax

3:  # rax = -errno. There is nothing left with which to tell more.
    mov edi, 2
    lea rsi, [rip + 4f]
    lea rdx, [rip + 5f]
    sub rdx, rsi
    mov eax, {write}
    syscall
    mov edi, {refused}
    mov eax, {exit_group}
    syscall
    ud2

4:  .ascii "libos-tender: install the filter: expected seccomp(2) to succeed, found that the kernel refused it\n"
    .ascii "  try: a kernel with CONFIG_SECCOMP_FILTER, and a container that lets seccomp(2) through\n"
5:  .long 0x1f80    # MXCSR at start: all exceptions masked, round to nearest

    # To the end of the page: nothing else shares it.
    .balign 4096, 0xcc
    .size libos_tender_trampoline, . - libos_tender_trampoline
    .text
