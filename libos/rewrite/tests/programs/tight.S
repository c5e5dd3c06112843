# Sites that are hard to redirect, each followed by a message when it worked. Exit status 9.
        .intel_syntax noprefix
        .text
        .globl _start
        .type _start, @function
_start: mov     r12d, 2
        call    windowless
        call    chained
        call    conditional
        call    relative
        call    red_zone
        call    table
        call    prefixed
        call    stacked
        mov     edi, 9
        mov     eax, 231
        syscall
        .size _start, . - _start

# A branch leads to the syscall and another one right behind it: an island in the padding is needed.
        .p2align 4, 0xcc
        .type windowless, @function
windowless:
        lea     rsi, [rip + m1]
        mov     edx, 11
        mov     edi, 1
        mov     eax, 1
        jmp     1f
        mov     eax, 39
1:      syscall
2:      cmp     rax, 11
        jne     2b
        ret
        .size windowless, . - windowless
        .p2align 5, 0xcc

# As before, but five free bytes are farther than a short jump reaches: two bytes relay.
        .type filler, @function
filler: .rept   30
        mov     r8d, 77
        .endr
        ret
        .size filler, . - filler
        .type chained, @function
chained:
        lea     rsi, [rip + m2]
        mov     edx, 8
        mov     edi, 1
        mov     eax, 1
        jmp     1f
        mov     eax, 39
1:      syscall
2:      cmp     rax, 8
        jne     2b
        jmp     3f
        int3
        int3
3:      .rept   20
        mov     r8d, 77
        .endr
        ret
        .size chained, . - chained
        .p2align 5, 0xcc
        .skip   32, 0xcc

# Conditional jumps before and behind the syscall. getppid is never negative, close(-1) always is.
        .type conditional, @function
conditional:
        mov     eax, 110
        jmp     1f
        nop
1:      syscall
        test    rax, rax
        js      4f
        mov     edi, -1
        xor     eax, eax
        jne     4f
        mov     al, 3
        jmp     2f
        nop
2:      syscall
        cmp     eax, -9
        jne     4f
        lea     rsi, [rip + m3]
        mov     edx, 12
        jmp     say
4:      ud2
        .size conditional, . - conditional

# Displaced instructions that address memory relative to %rip, before and behind, with an immediate.
        .type relative, @function
relative:
        mov     rsi, [rip + pointer]
        lea     rsi, [rip + m4]
        mov     edx, 9
        mov     edi, 1
        mov     eax, [rip + one]
        syscall
        jmp     1f
        nop
1:      mov     eax, [rip + thirty_nine]
        jmp     2f
        nop
2:      syscall
        add     dword ptr [rip + counter], 0x1234567
        cmp     dword ptr [rip + counter], 0x1234568
        jne     3f
        ret
3:      ud2
        .size relative, . - relative

# Data below the stack pointer outlives a system call.
        .type red_zone, @function
red_zone:
        mov     qword ptr [rsp - 8], 0x11
        mov     qword ptr [rsp - 128], 0x22
        mov     eax, 39
        syscall
        cmp     qword ptr [rsp - 8], 0x11
        jne     1f
        cmp     qword ptr [rsp - 128], 0x22
        jne     1f
        lea     rsi, [rip + m5]
        mov     edx, 9
        jmp     say
1:      ud2
        .size red_zone, . - red_zone

# A jump table of distances leads between `mov` and syscall.
        .type table, @function
table:  lea     rcx, [rip + entries]
        movsxd  rax, dword ptr [rcx + 4 * r12]
        add     rax, rcx
        lea     rsi, [rip + m6]
        mov     edx, 6
        mov     edi, 1
        mov     ebx, 1
        jmp     rax
first:  mov     ebx, 39
second: mov     eax, ebx
third:  syscall
        ret
        .size table, . - table

# A syscall with a prefix, and one that follows another directly.
        .type prefixed, @function
prefixed:
        lea     rsi, [rip + m7]
        mov     edx, 9
        mov     edi, 1
        mov     eax, 1
        rex.W   syscall
        mov     eax, 39
        syscall
        mov     eax, 110
        syscall
        ret
        .size prefixed, . - prefixed

# push and pop within windows.
        .type stacked, @function
stacked:
        push    rbp
        mov     ebp, 39
        jmp     1f
        nop
1:      push    rbp
        push    rbx
        pop     rbx
        pop     rax
        syscall
        pop     rbp
        lea     rsi, [rip + m8]
        mov     edx, 8
        jmp     say
        .size stacked, . - stacked

        .type say, @function
say:    mov     edi, 1
        mov     eax, 1
        syscall
        ret
        .size say, . - say

# Data in the code, as its invalid last byte shows: neither a syscall nor to be changed.
        .p2align 4, 0xcc
decoy:  .byte   0xb8, 0x01, 0x00, 0x00, 0x00, 0x0f, 0x05, 0x06

        .section .rodata
        .p2align 2
entries: .long  first - entries, second - entries, second - entries
m1:     .ascii  "windowless\n"
m2:     .ascii  "chained\n"
m3:     .ascii  "conditional\n"
m4:     .ascii  "relative\n"
m5:     .ascii  "red zone\n"
m6:     .ascii  "table\n"
m7:     .ascii  "prefixed\n"
m8:     .ascii  "stacked\n"
        .data
        .p2align 3
pointer: .quad  0
one:    .long   1
thirty_nine: .long 39
counter: .long  1
        .section .note.GNU-stack, "", @progbits
