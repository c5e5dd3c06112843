/* A handler may change the ucontext: skip the faulting instruction, set a register, or mend the page. */
#include "check.h"
#include <sys/mman.h>
#include <ucontext.h>

enum { PAGE = 4096 };

static volatile int faults;
static char *guarded;

/* ud2 is two bytes long; the answer goes to RAX. */
static void on_illegal(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    registers[REG_RIP] += 2;
    registers[REG_RAX] = 4242;
    registers[REG_R12] ^= 0xff;
    faults++;
}

static void on_segv(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    CHECK(info->si_addr == guarded);
    CHECK_OK(mprotect(guarded, PAGE, PROT_READ | PROT_WRITE));
    faults++;
}

int main(void) {
    set_handler(SIGILL, on_illegal, 0);
    long answer = 1;
    register long kept __asm__("r12") = 0x5500;
    __asm__ volatile("ud2" : "+a"(answer), "+r"(kept));
    CHECK_EQ(answer, 4242);
    CHECK_EQ(kept, 0x55ff);
    for (int i = 0; i < 1000; i++)
        __asm__ volatile("ud2" : "+a"(answer)::"r12");
    CHECK_EQ(faults, 1001);

    /* As a garbage collector's write barrier does: the store is repeated and succeeds. */
    guarded = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(guarded == MAP_FAILED ? -1 : 0);
    set_handler(SIGSEGV, on_segv, 0);
    *(volatile char *)guarded = 'w';
    CHECK_EQ(guarded[0], 'w');
    CHECK_EQ(faults, 1002);
    return VERDICT();
}
