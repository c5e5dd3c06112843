/* futex timeouts: relative for WAIT, absolute for WAIT_BITSET, both clocks, EINTR, EINVAL. */
#include "check.h"
#include <linux/futex.h>

static uint32_t word;

static long wait_for(int op, struct timespec *timeout) {
    return syscall(SYS_futex, &word, op | FUTEX_PRIVATE_FLAG, 0, timeout, NULL, ~0U);
}

static void on_alarm(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
}

static struct timespec in_ms(clockid_t clock, long ms) {
    long long target = now_ns(clock) + ms * 1000000;
    return (struct timespec){target / 1000000000, target % 1000000000};
}

int main(void) {
    struct timespec relative = {0, 20000000};
    long long start = now_ns(CLOCK_MONOTONIC);
    CHECK_ERR(wait_for(FUTEX_WAIT, &relative), ETIMEDOUT);
    CHECK(now_ns(CLOCK_MONOTONIC) - start >= 20000000);

    struct timespec until = in_ms(CLOCK_MONOTONIC, 20);
    CHECK_ERR(wait_for(FUTEX_WAIT_BITSET, &until), ETIMEDOUT);
    CHECK(now_ns(CLOCK_MONOTONIC) >= until.tv_sec * 1000000000LL + until.tv_nsec);
    until = in_ms(CLOCK_REALTIME, 20);
    CHECK_ERR(wait_for(FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, &until), ETIMEDOUT);
    CHECK(now_ns(CLOCK_REALTIME) >= until.tv_sec * 1000000000LL + until.tv_nsec);
    until.tv_sec = 1;
    CHECK_ERR(wait_for(FUTEX_WAIT_BITSET, &until), ETIMEDOUT);
    relative = (struct timespec){0, 0};
    CHECK_ERR(wait_for(FUTEX_WAIT, &relative), ETIMEDOUT);
    relative.tv_nsec = 1000000000;
    CHECK_ERR(wait_for(FUTEX_WAIT, &relative), EINVAL);
    relative = (struct timespec){-1, 0};
    CHECK_ERR(wait_for(FUTEX_WAIT, &relative), EINVAL);
    CHECK_ERR(wait_for(FUTEX_WAIT, (struct timespec *)16), EFAULT);
    relative = (struct timespec){5, 0};
    word = 1;
    CHECK_ERR(wait_for(FUTEX_WAIT, &relative), EAGAIN);
    word = 0;

    set_handler(SIGALRM, on_alarm, 0);
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    NEED(timer_create(CLOCK_MONOTONIC, &event, &timer));
    NEED(timer_settime(timer, 0, &(struct itimerspec){{0, 0}, {0, 20000000}}, NULL));
    CHECK_ERR(wait_for(FUTEX_WAIT, NULL), EINTR);
    return VERDICT();
}
