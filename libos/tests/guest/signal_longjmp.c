/* Leaving handlers by siglongjmp, ten thousand times: the mask comes back, nothing is used up. */
#include "check.h"
#include <setjmp.h>

static sigjmp_buf landing;

static void on_signal(int signal, siginfo_t *info, void *context) {
    (void)info, (void)context;
    siglongjmp(landing, signal);
}

int main(void) {
    static char memory[65536];
    sigset_t now;
    stack_t stack = {.ss_sp = memory, .ss_size = sizeof memory};
    NEED(sigaltstack(&stack, NULL));
    set_handler(SIGUSR1, on_signal, SA_ONSTACK);
    set_handler(SIGSEGV, on_signal, SA_ONSTACK);
    volatile int returns = 0;
    for (volatile int i = 0; i < 5000; i++)
        if (sigsetjmp(landing, 1) == 0)
            raise(SIGUSR1);
        else
            returns++;
    for (volatile int i = 0; i < 5000; i++)
        if (sigsetjmp(landing, 1) == 0)
            *(volatile char *)8 = 1;
        else
            returns++;
    CHECK_EQ(returns, 10000);
    NEED(sigprocmask(SIG_BLOCK, NULL, &now));
    CHECK(!sigismember(&now, SIGUSR1));
    CHECK(!sigismember(&now, SIGSEGV));
    return VERDICT();
}
