/* timerfd: one shot, periodic, absolute, gettime, disarming, polling, refusals. */
#include "check.h"
#include <poll.h>
#include <sys/timerfd.h>

static struct itimerspec ms(long first, long period) {
    return (struct itimerspec){{period / 1000, period % 1000 * 1000000},
                               {first / 1000, first % 1000 * 1000000}};
}

int main(void) {
    uint64_t ticks = 0;
    int fd = (int)NEED(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
    struct itimerspec value = ms(20, 0), left;
    struct pollfd ready = {fd, POLLIN, 0};
    CHECK_EQ(poll(&ready, 1, 0), 0);
    long long start = now_ns(CLOCK_MONOTONIC);
    CHECK_OK(timerfd_settime(fd, 0, &value, NULL));
    CHECK_OK(timerfd_gettime(fd, &left));
    CHECK(left.it_value.tv_nsec > 0 && left.it_value.tv_nsec <= 20000000);
    CHECK_EQ(read(fd, &ticks, sizeof ticks), 8);
    CHECK_EQ(ticks, 1);
    CHECK(now_ns(CLOCK_MONOTONIC) - start >= 20000000);
    CHECK_OK(timerfd_gettime(fd, &left));
    CHECK_EQ(left.it_value.tv_sec + left.it_value.tv_nsec, 0);

    value = ms(5, 5);
    CHECK_OK(timerfd_settime(fd, 0, &value, NULL));
    sleep_ms(32);
    CHECK_EQ(poll(&ready, 1, 1000), 1);
    CHECK_EQ(read(fd, &ticks, sizeof ticks), 8);
    CHECK(ticks >= 6);
    struct itimerspec old;
    value = ms(0, 0);
    CHECK_OK(timerfd_settime(fd, 0, &value, &old));
    CHECK_EQ(old.it_interval.tv_nsec, 5000000);
    CHECK_EQ(poll(&ready, 1, 15), 0);

    long long target = now_ns(CLOCK_MONOTONIC) + 20000000;
    struct itimerspec at = {{0, 0}, {target / 1000000000, target % 1000000000}};
    CHECK_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &at, NULL));
    CHECK_EQ(read(fd, &ticks, sizeof ticks), 8);
    CHECK(now_ns(CLOCK_MONOTONIC) >= target);
    /* An absolute time in the past fires at once. */
    at.it_value.tv_sec = 0;
    at.it_value.tv_nsec = 1;
    CHECK_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &at, NULL));
    CHECK_EQ(read(fd, &ticks, sizeof ticks), 8);
    CHECK_EQ(ticks, 1);

    int quick = (int)NEED(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK));
    CHECK_ERR(read(quick, &ticks, sizeof ticks), EAGAIN);
    CHECK_ERR(read(quick, &ticks, 4), EINVAL);
    CHECK_ERR(write(quick, &ticks, 8), EINVAL);
    CHECK_ERR(timerfd_create(99, 0), EINVAL);
    CHECK_ERR(timerfd_create(CLOCK_MONOTONIC, 0x7), EINVAL);
    CHECK_ERR(timerfd_settime(-1, 0, &value, NULL), EBADF);
    CHECK_ERR(timerfd_settime(1, 0, &value, NULL), EINVAL);
    CHECK_ERR(timerfd_settime(quick, 0x100, &value, NULL), EINVAL);
    value.it_value.tv_nsec = 1000000000;
    CHECK_ERR(timerfd_settime(quick, 0, &value, NULL), EINVAL);
    return VERDICT();
}
