/* sigaltstack: handlers run on it, its state is reported, it cannot be changed while in use. */
#include "check.h"

enum { SIZE = 65536 };

static char memory[SIZE];

static void on_signal(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info;
    char here;
    stack_t now, other = {.ss_sp = memory, .ss_size = SIZE};
    CHECK(&here >= memory && &here < memory + SIZE);
    CHECK_OK(sigaltstack(NULL, &now));
    CHECK_EQ(now.ss_flags, SS_ONSTACK);
    CHECK_ERR(sigaltstack(&other, NULL), EPERM);
    ucontext_t *user = context;
    CHECK(user->uc_stack.ss_sp == memory);
    CHECK_EQ(user->uc_stack.ss_size, SIZE);
}

static void on_own_stack(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
    char here;
    CHECK(&here < memory || &here >= memory + SIZE);
}

int main(void) {
    stack_t stack = {.ss_sp = memory, .ss_size = SIZE}, old;
    CHECK_OK(sigaltstack(NULL, &old));
    CHECK_EQ(old.ss_flags, SS_DISABLE);
    CHECK_OK(sigaltstack(&stack, &old));
    set_handler(SIGUSR1, on_signal, SA_ONSTACK);
    set_handler(SIGUSR2, on_own_stack, 0);
    CHECK_OK(raise(SIGUSR1));
    CHECK_OK(raise(SIGUSR2));
    CHECK_OK(sigaltstack(NULL, &old));
    CHECK(old.ss_sp == memory);
    CHECK_EQ(old.ss_flags, 0);
    stack.ss_flags = SS_DISABLE;
    CHECK_OK(sigaltstack(&stack, NULL));
    set_handler(SIGUSR1, on_own_stack, SA_ONSTACK);
    CHECK_OK(raise(SIGUSR1));
    stack = (stack_t){.ss_sp = memory, .ss_size = 100};
    CHECK_ERR(sigaltstack(&stack, NULL), ENOMEM);
    stack = (stack_t){.ss_sp = memory, .ss_size = SIZE, .ss_flags = 0x40};
    CHECK_ERR(sigaltstack(&stack, NULL), EINVAL);
    CHECK_ERR(sigaltstack((stack_t *)16, NULL), EFAULT);
    return VERDICT();
}
