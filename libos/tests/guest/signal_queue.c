/* sigqueue: real-time signals are queued in order with their values; siginfo of kill, tgkill, sigqueue. */
#include "check.h"

static volatile int values[16], count;
static volatile siginfo_t last;

static void on_queued(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    values[count++] = info->si_value.sival_int;
    last = *info;
}

int main(void) {
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGRTMIN);
    sigaddset(&blocked, SIGRTMIN + 1);
    set_handler(SIGRTMIN, on_queued, 0);
    set_handler(SIGRTMIN + 1, on_queued, 0);
    set_handler(SIGUSR1, on_queued, 0);
    NEED(sigprocmask(SIG_BLOCK, &blocked, NULL));
    for (int i = 0; i < 3; i++)
        CHECK_OK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 20 + i}));
    for (int i = 0; i < 3; i++)
        CHECK_OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 10 + i}));
    NEED(sigprocmask(SIG_UNBLOCK, &blocked, NULL));
    CHECK_EQ(count, 6);
    int sorted[2][3] = {{0}}, tens = 0, twenties = 0;
    for (int i = 0; i < count; i++)
        if (values[i] < 20 && tens < 3)
            sorted[0][tens++] = values[i];
        else if (twenties < 3)
            sorted[1][twenties++] = values[i];
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(sorted[0][i], 10 + i);
        CHECK_EQ(sorted[1][i], 20 + i);
    }
    CHECK_EQ(last.si_code, SI_QUEUE);
    CHECK_EQ(last.si_pid, getpid());
    CHECK_EQ(last.si_uid, getuid());

    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_EQ(last.si_signo, SIGUSR1);
    CHECK_EQ(last.si_code, SI_USER);
    CHECK_EQ(last.si_pid, getpid());
    CHECK_OK(raise(SIGUSR1));
    CHECK_EQ(last.si_code, SI_TKILL);
    CHECK_EQ(last.si_pid, getpid());
    CHECK_ERR(sigqueue(getpid(), 65, (union sigval){0}), EINVAL);
    CHECK_ERR(sigqueue(9999999, SIGUSR1, (union sigval){0}), ESRCH);
    siginfo_t forged = {.si_code = SI_QUEUE, .si_value.sival_int = 77};
    CHECK_OK(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGRTMIN, &forged));
    CHECK_EQ(values[count - 1], 77);
    return VERDICT();
}
