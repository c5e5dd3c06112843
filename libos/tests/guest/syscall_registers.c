/* The system-call instruction keeps every register but RAX, RCX and R11, the flags and the red zone. */
#include "check.h"

struct registers {
    uint64_t values[12];
    unsigned char xmm[16][16];
    uint64_t red_zone[2];
    int64_t result;
};

/* Fills all registers, calls getppid, stores what they then hold. */
__attribute__((noinline, target("sse2"))) static void call_with(struct registers *in,
                                                                struct registers *out) {
    static struct registers *from, *to;
    static uint64_t saved_stack, saved_base;
    from = in;
    to = out;
    __asm__ volatile(
        "push %%rbx; push %%rbp; push %%r12; push %%r13; push %%r14; push %%r15\n"
        "mov %%rsp, %[stack]; mov %[from], %%rax\n"
        "movdqu 96(%%rax), %%xmm0; movdqu 112(%%rax), %%xmm1; movdqu 128(%%rax), %%xmm2\n"
        "movdqu 216(%%rax), %%xmm7; movdqu 248(%%rax), %%xmm9; movdqu 336(%%rax), %%xmm15\n"
        "mov 0(%%rax), %%rbx; mov 8(%%rax), %%rdx; mov 16(%%rax), %%rsi; mov 24(%%rax), %%rdi\n"
        "mov 32(%%rax), %%rbp; mov 40(%%rax), %%r8; mov 48(%%rax), %%r9; mov 56(%%rax), %%r10\n"
        "mov 64(%%rax), %%r12; mov 72(%%rax), %%r13; mov 80(%%rax), %%r14; mov 88(%%rax), %%r15\n"
        "movq $0x11111111, -8(%%rsp); movq $0x22222222, -128(%%rsp)\n"
        "mov $110, %%eax; syscall\n"
        "mov %[to], %%rcx; mov %%rax, 368(%%rcx)\n"
        "mov %%rbx, 0(%%rcx); mov %%rdx, 8(%%rcx); mov %%rsi, 16(%%rcx); mov %%rdi, 24(%%rcx)\n"
        "mov %%rbp, 32(%%rcx); mov %%r8, 40(%%rcx); mov %%r9, 48(%%rcx); mov %%r10, 56(%%rcx)\n"
        "mov %%r12, 64(%%rcx); mov %%r13, 72(%%rcx); mov %%r14, 80(%%rcx); mov %%r15, 88(%%rcx)\n"
        "mov -8(%%rsp), %%rax; mov %%rax, 352(%%rcx); mov -128(%%rsp), %%rax\n"
        "mov %%rax, 360(%%rcx)\n"
        "movdqu %%xmm0, 96(%%rcx); movdqu %%xmm1, 112(%%rcx); movdqu %%xmm2, 128(%%rcx)\n"
        "movdqu %%xmm7, 216(%%rcx); movdqu %%xmm9, 248(%%rcx); movdqu %%xmm15, 336(%%rcx)\n"
        "mov %[stack], %%rsp\n"
        "pop %%r15; pop %%r14; pop %%r13; pop %%r12; pop %%rbp; pop %%rbx"
        : [stack] "+m"(saved_stack), [base] "+m"(saved_base)
        : [from] "m"(from), [to] "m"(to)
        : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2",
          "xmm7", "xmm9", "xmm15", "memory", "cc");
}

int main(void) {
    static struct registers in, out;
    _Static_assert(offsetof(struct registers, xmm) == 96, "layout");
    _Static_assert(offsetof(struct registers, red_zone) == 352, "layout");
    _Static_assert(offsetof(struct registers, result) == 368, "layout");
    for (size_t round = 0; round < 1000; round++) {
        for (size_t i = 0; i < COUNT(in.values); i++)
            in.values[i] = 0x9e3779b97f4a7c15 * (round * 16 + i + 1);
        for (size_t i = 0; i < sizeof in.xmm; i++)
            ((unsigned char *)in.xmm)[i] = (unsigned char)(i * 7 + round);
        memcpy(out.xmm, in.xmm, sizeof in.xmm);
        call_with(&in, &out);
        if (!CHECK(memcmp(in.values, out.values, sizeof in.values) == 0) ||
            !CHECK(memcmp(in.xmm, out.xmm, sizeof in.xmm) == 0))
            break;
    }
    CHECK_EQ(out.red_zone[0], 0x11111111);
    CHECK_EQ(out.red_zone[1], 0x22222222);
    CHECK_EQ(out.result, getppid());
    /* RCX holds the address after the instruction. (R11 would hold the flags, which nobody can rely on.) */
    uint64_t rcx;
    __asm__ volatile("mov $39, %%eax; syscall; mov %%rcx, %0" : "=r"(rcx)::"rax", "rcx", "r11", "memory");
    CHECK(rcx > (uintptr_t)main && rcx < (uintptr_t)main + 4096);
    return VERDICT();
}
