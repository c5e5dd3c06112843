/* Signal masks: blocking, pending, delivery on unblocking, the lowest first, one of each standard signal. */
#include "check.h"

static volatile int order[8], count;

static void on_signal(int signal, siginfo_t *info, void *context) {
    (void)info, (void)context;
    order[count++] = signal;
}

int main(void) {
    sigset_t blocked, old, pending, now;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaddset(&blocked, SIGUSR2);
    sigaddset(&blocked, SIGHUP);
    sigaddset(&blocked, SIGKILL);
    sigset_t all;
    sigfillset(&all);
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO, .sa_mask = all};
    NEED(sigaction(SIGUSR1, &action, NULL));
    NEED(sigaction(SIGUSR2, &action, NULL));
    NEED(sigaction(SIGHUP, &action, NULL));
    CHECK_OK(sigprocmask(SIG_BLOCK, &blocked, &old));
    CHECK(!sigismember(&old, SIGUSR1));
    CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &now));
    CHECK(sigismember(&now, SIGUSR1));
    CHECK(!sigismember(&now, SIGKILL));
    CHECK_OK(raise(SIGUSR2));
    CHECK_OK(raise(SIGUSR1));
    CHECK_OK(raise(SIGUSR1));
    CHECK_OK(kill(getpid(), SIGHUP));
    CHECK_EQ(count, 0);
    CHECK_OK(sigpending(&pending));
    CHECK(sigismember(&pending, SIGUSR1));
    CHECK(sigismember(&pending, SIGHUP));
    CHECK(!sigismember(&pending, SIGTERM));
    CHECK_OK(sigprocmask(SIG_SETMASK, &old, NULL));
    CHECK_EQ(count, 3);
    int seen = 0;
    for (int i = 0; i < count; i++)
        seen |= 1 << order[i];
    CHECK_EQ(seen, 1 << SIGUSR1 | 1 << SIGUSR2 | 1 << SIGHUP);
    CHECK_OK(sigpending(&pending));
    CHECK(!sigismember(&pending, SIGUSR1));

    /* Ignoring a pending signal discards it. */
    CHECK_OK(sigprocmask(SIG_BLOCK, &blocked, NULL));
    CHECK_OK(raise(SIGUSR1));
    signal(SIGUSR1, SIG_IGN);
    CHECK_OK(sigpending(&pending));
    CHECK(!sigismember(&pending, SIGUSR1));

    CHECK_ERR(syscall(SYS_rt_sigprocmask, 99, &blocked, NULL, 8), EINVAL);
    CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &blocked, NULL, 4), EINVAL);
    CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, 16, NULL, 8), EFAULT);
    CHECK_ERR(sigaction(SIGKILL, &action, NULL), EINVAL);
    CHECK_ERR(sigaction(SIGSTOP, &action, NULL), EINVAL);
    CHECK_ERR(sigaction(65, &action, NULL), EINVAL);
    CHECK_OK(syscall(SYS_rt_sigaction, SIGKILL, NULL, NULL, 8));
    CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4), EINVAL);
    CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, 16, NULL, 8), EFAULT);
    return VERDICT();
}
