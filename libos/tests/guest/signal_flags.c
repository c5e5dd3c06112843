/* SA_NODEFER, SA_RESETHAND, sa_mask, nested handlers, and what sigaction reports. */
#include "check.h"

/* Volatile: raise is declared as a leaf function, which handlers make untrue. */
static volatile int depth, deepest, calls;
static volatile int events[8], event_count;

static void on_nested(int signal, siginfo_t *info, void *context) {
    (void)info, (void)context;
    calls++;
    if (++depth > deepest)
        deepest = depth;
    if (calls < 3)
        raise(signal);
    depth--;
}

static void on_second(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
    events[event_count++] = 2;
}

static void on_first(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
    events[event_count++] = 1;
    raise(SIGUSR2);
    events[event_count++] = 3;
}

int main(void) {
    struct sigaction action;
    set_handler(SIGUSR1, on_nested, SA_NODEFER);
    raise(SIGUSR1);
    CHECK_EQ(calls, 3);
    CHECK_EQ(deepest, 3);
    calls = deepest = 0;
    set_handler(SIGUSR1, on_nested, 0);
    raise(SIGUSR1);
    CHECK_EQ(calls, 3);
    CHECK_EQ(deepest, 1);

    calls = 5;
    set_handler(SIGUSR1, on_nested, (int)SA_RESETHAND);
    raise(SIGUSR1);
    CHECK_EQ(calls, 6);
    CHECK_OK(sigaction(SIGUSR1, NULL, &action));
    CHECK(action.sa_handler == SIG_DFL);

    /* Another signal interrupts a handler; with sa_mask it waits until the handler returns. */
    set_handler(SIGUSR2, on_second, 0);
    set_handler(SIGUSR1, on_first, 0);
    raise(SIGUSR1);
    CHECK_EQ(event_count, 3);
    CHECK(events[0] == 1 && events[1] == 2 && events[2] == 3);
    event_count = 0;
    action = (struct sigaction){.sa_sigaction = on_first, .sa_flags = SA_SIGINFO};
    sigaddset(&action.sa_mask, SIGUSR2);
    NEED(sigaction(SIGUSR1, &action, NULL));
    raise(SIGUSR1);
    CHECK_EQ(event_count, 3);
    CHECK(events[0] == 1 && events[1] == 3 && events[2] == 2);

    CHECK_OK(sigaction(SIGUSR1, NULL, &action));
    CHECK(action.sa_sigaction == on_first);
    CHECK(sigismember(&action.sa_mask, SIGUSR2));
    CHECK(action.sa_flags & SA_SIGINFO);
    /* SIGCHLD, SIGURG and SIGWINCH are ignored by default. */
    raise(SIGCHLD);
    raise(SIGURG);
    raise(SIGWINCH);
    return VERDICT();
}
