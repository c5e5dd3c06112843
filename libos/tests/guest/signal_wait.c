/* sigsuspend, sigwait, sigwaitinfo, sigtimedwait, pause. */
#include "check.h"

static volatile int handled;

static void on_signal(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
    handled++;
}

static void *send_later(void *main_thread) {
    sleep_ms(20);
    CHECK_EQ(pthread_kill(*(pthread_t *)main_thread, SIGUSR1), 0);
    return NULL;
}

int main(void) {
    pthread_t self = pthread_self();
    sigset_t blocked, none, now;
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaddset(&blocked, SIGUSR2);
    set_handler(SIGUSR1, on_signal, SA_RESTART);
    NEED(pthread_sigmask(SIG_BLOCK, &blocked, NULL));
    CHECK_OK(raise(SIGUSR1));
    CHECK_ERR(sigsuspend(&none), EINTR);
    CHECK_EQ(handled, 1);
    NEED(pthread_sigmask(SIG_BLOCK, NULL, &now));
    CHECK(sigismember(&now, SIGUSR1));
    pthread_t sender = start_thread(send_later, &self);
    CHECK_ERR(sigsuspend(&none), EINTR);
    pthread_join(sender, NULL);
    CHECK_EQ(handled, 2);

    /* Waiting takes the signal without its handler. */
    int number = 0;
    siginfo_t info;
    struct timespec timeout = {0, 20000000};
    sender = start_thread(send_later, &self);
    CHECK_EQ(sigwait(&blocked, &number), 0);
    CHECK_EQ(number, SIGUSR1);
    pthread_join(sender, NULL);
    CHECK_OK(sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = 9}));
    CHECK_EQ(sigwaitinfo(&blocked, &info), SIGUSR2);
    CHECK_EQ(info.si_value.sival_int, 9);
    CHECK_EQ(handled, 2);
    long long start = now_ns(CLOCK_MONOTONIC);
    CHECK_ERR(sigtimedwait(&blocked, &info, &timeout), EAGAIN);
    CHECK(now_ns(CLOCK_MONOTONIC) - start >= 20000000);
    timeout.tv_nsec = 0;
    CHECK_ERR(sigtimedwait(&blocked, &info, &timeout), EAGAIN);
    timeout.tv_nsec = -1;
    CHECK_ERR(sigtimedwait(&blocked, &info, &timeout), EINVAL);
    CHECK_ERR(syscall(SYS_rt_sigtimedwait, 16, NULL, NULL, 8), EFAULT);

    NEED(pthread_sigmask(SIG_UNBLOCK, &blocked, NULL));
    sender = start_thread(send_later, &self);
    CHECK_ERR(pause(), EINTR);
    pthread_join(sender, NULL);
    /* A handled signal that is not waited for interrupts the wait. */
    sigdelset(&blocked, SIGUSR1);
    sender = start_thread(send_later, &self);
    CHECK_ERR(sigwaitinfo(&blocked, &info), EINTR);
    pthread_join(sender, NULL);
    return VERDICT();
}
