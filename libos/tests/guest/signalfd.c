/* signalfd: blocked signals are read with their details, and no longer pending. */
#include "check.h"
#include <poll.h>
#include <sys/signalfd.h>

int main(void) {
    sigset_t set, pending;
    struct signalfd_siginfo info[4];
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN);
    NEED(sigprocmask(SIG_BLOCK, &set, NULL));
    int fd = (int)NEED(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    struct pollfd ready = {fd, POLLIN, 0};
    CHECK_EQ(poll(&ready, 1, 0), 0);
    CHECK_ERR(read(fd, info, sizeof info), EAGAIN);
    CHECK_OK(raise(SIGUSR1));
    CHECK_OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 41}));
    CHECK_OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 42}));
    CHECK_EQ(poll(&ready, 1, 0), 1);
    CHECK_EQ(read(fd, info, sizeof info), 3 * sizeof *info);
    CHECK_EQ(info[0].ssi_signo, SIGUSR1);
    CHECK_EQ(info[0].ssi_pid, getpid());
    CHECK_EQ(info[1].ssi_signo, SIGRTMIN);
    CHECK_EQ(info[1].ssi_int, 41);
    CHECK_EQ(info[1].ssi_code, SI_QUEUE);
    CHECK_EQ(info[2].ssi_int, 42);
    CHECK_OK(sigpending(&pending));
    CHECK(!sigismember(&pending, SIGUSR1));
    /* The set can be changed. */
    sigdelset(&set, SIGRTMIN);
    CHECK_EQ(signalfd(fd, &set, 0), fd);
    CHECK_OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 43}));
    CHECK_ERR(read(fd, info, sizeof info), EAGAIN);
    CHECK_ERR(read(fd, info, 8), EINVAL);
    CHECK_ERR(signalfd(1, &set, 0), EINVAL);
    CHECK_ERR(signalfd(999, &set, 0), EBADF);
    CHECK_ERR(signalfd(-1, &set, 0x7), EINVAL);
    return VERDICT();
}
