# Moves the words that hold addresses to where this ELF file lies: it is linked at address 0, and nobody else
# relocates it. Runs before any compiled code. Leaves the file's first address in rsi; changes rax, rcx, rdx and
# r8 to r11; needs no stack. Used by the libOS and by its drivers.
    lea rsi, [rip + __ehdr_start]
    lea rdx, [rip + _DYNAMIC]
    xor r8d, r8d
    xor r9d, r9d
    xor r10d, r10d
    xor r11d, r11d
# Walk the dynamic section (DT_RELA is 7, DT_RELASZ 8, DT_RELR 36, DT_RELRSZ 35): r8 = table of relocations, r9 = its size in bytes; r10, r11 = the same
# of the packed table.
2:
    mov rax, [rdx]
    test rax, rax
    jz 3f
    cmp rax, 7
    cmove r8, [rdx + 8]
    cmp rax, 8
    cmove r9, [rdx + 8]
    cmp rax, 36
    cmove r10, [rdx + 8]
    cmp rax, 35
    cmove r11, [rdx + 8]
    add rdx, 16
    jmp 2b
3:
    add r8, rsi
    add r9, r8
# Each entry: offset, info (always R_X86_64_RELATIVE: the libOS imports nothing), addend.
4:
    cmp r8, r9
    jae 5f
    mov rax, [r8 + 16]
    add rax, rsi
    mov rcx, [r8]
    mov [rsi + rcx], rax
    add r8, 24
    jmp 4b
# The packed table (gABI, "SHT_RELR"): an even entry is the offset of a word to move; an odd one is a
# bitmap of which of the 63 words behind the last place to move. rdx = the word at the next bit.
5:
    add r10, rsi
    add r11, r10
6:
    cmp r10, r11
    jae 9f
    mov rax, [r10]
    add r10, 8
    test al, 1
    jnz 7f
    lea rdx, [rsi + rax + 8]
    add [rsi + rax], rsi
    jmp 6b
7:
    lea rcx, [rdx + 63 * 8]
8:
    shr rax, 1
    jz 81f
    test al, 1
    jz 82f
    add [rdx], rsi
82:
    add rdx, 8
    jmp 8b
81:
    mov rdx, rcx
    jmp 6b
9:
