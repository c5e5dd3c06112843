/* A handler may change the ucontext: skip the faulting instruction, set a register. */
#include "check.h"
#include <ucontext.h>

static volatile int faults;

/* ud2 is two bytes long; the answer goes to RAX. */
static void on_illegal(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    registers[REG_RIP] += 2;
    registers[REG_RAX] = 4242;
    registers[REG_R12] ^= 0xff;
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
    return VERDICT();
}
