/* SIGSEGV, SIGFPE, SIGILL, SIGTRAP of real faults: number, code, address, and the program counter. */
#include "check.h"
#include <setjmp.h>
#include <ucontext.h>

static sigjmp_buf landing;
static volatile siginfo_t seen;
static volatile uintptr_t counter;

static void on_fault(int signal, siginfo_t *info, void *context) {
    seen = *info;
    counter = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    siglongjmp(landing, signal);
}

__attribute__((noinline)) static void divide(void) {
    __asm__ volatile("xor %%edx, %%edx; mov $1, %%eax; xor %%ecx, %%ecx; div %%ecx" ::
                         : "eax", "ecx", "edx");
}

__attribute__((noinline)) static void undefined(void) {
    __asm__ volatile("ud2");
}

__attribute__((noinline)) static void breakpoint(void) {
    __asm__ volatile("int3");
}

__attribute__((noinline)) static void privileged(void) {
    __asm__ volatile("hlt");
}

__attribute__((noinline)) static void non_canonical(void) {
    *(volatile char *)0x8000000000000000 = 1;
}

__attribute__((noinline)) static void unmapped(void) {
    *(volatile char *)0x123 = 1;
}

static void jump_to_zero(void) {
    void (*volatile nowhere)(void) = NULL;
    nowhere();
}

static void expect(void (*run)(void), int signal, int code) {
    seen = (siginfo_t){0};
    int found = sigsetjmp(landing, 1);
    if (!found)
        run();
    CHECK_EQ(found, signal);
    CHECK_EQ(seen.si_signo, signal);
    CHECK_EQ(seen.si_code, code);
}

static int near(void (*function)(void), uintptr_t address) {
    return address >= (uintptr_t)function && address < (uintptr_t)function + 64;
}

int main(void) {
    const int signals[] = {SIGSEGV, SIGFPE, SIGILL, SIGTRAP};
    for (size_t i = 0; i < COUNT(signals); i++)
        set_handler(signals[i], on_fault, 0);
    expect(divide, SIGFPE, FPE_INTDIV);
    CHECK(near(divide, (uintptr_t)seen.si_addr));
    expect(undefined, SIGILL, ILL_ILLOPN);
    CHECK(near(undefined, (uintptr_t)seen.si_addr));
    expect(breakpoint, SIGTRAP, SI_KERNEL);
    CHECK(near(breakpoint, counter));
    expect(privileged, SIGSEGV, SI_KERNEL);
    CHECK(near(privileged, counter));
    expect(non_canonical, SIGSEGV, SI_KERNEL);
    expect(unmapped, SIGSEGV, SEGV_MAPERR);
    CHECK_EQ((uintptr_t)seen.si_addr, 0x123);
    CHECK(near(unmapped, counter));
    expect(jump_to_zero, SIGSEGV, SEGV_MAPERR);
    CHECK_EQ((uintptr_t)seen.si_addr, 0);
    CHECK_EQ(counter, 0);
    return VERDICT();
}
