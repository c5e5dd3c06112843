/* clock_gettime and clock_getres of every clock: order, lower bounds, agreement, refusals. */
#include "check.h"
#include <sys/time.h>

static void spin_ms(long ms) {
    long long start = now_ns(CLOCK_MONOTONIC);
    while (now_ns(CLOCK_MONOTONIC) - start < ms * 1000000) {
    }
}

int main(void) {
    const clockid_t clocks[] = {CLOCK_REALTIME,           CLOCK_MONOTONIC,
                                CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
                                CLOCK_MONOTONIC_RAW,      CLOCK_REALTIME_COARSE,
                                CLOCK_MONOTONIC_COARSE,   CLOCK_BOOTTIME,
                                CLOCK_TAI};
    struct timespec resolution;
    for (size_t i = 0; i < COUNT(clocks); i++) {
        long long first = now_ns(clocks[i]);
        spin_ms(12);
        long long second = now_ns(clocks[i]);
        if (second <= first) {
            printf("clock %d: expected to move on, found %lld then %lld\n", clocks[i], first,
                   second);
            check_failed();
        }
        CHECK_OK(clock_getres(clocks[i], &resolution));
        CHECK(resolution.tv_sec == 0 && resolution.tv_nsec > 0);
    }
    long long last = 0;
    int backwards = 0;
    for (int i = 0; i < 100000; i++) {
        long long now = now_ns(CLOCK_MONOTONIC);
        backwards += now < last;
        last = now;
    }
    CHECK_EQ(backwards, 0);
    /* The plain calls and the real-time clock tell the same time. */
    struct timeval day;
    CHECK_OK(gettimeofday(&day, NULL));
    CHECK(llabs(day.tv_sec - time(NULL)) <= 1);
    CHECK(llabs(now_ns(CLOCK_REALTIME) / 1000000000 - time(NULL)) <= 1);
    CHECK(time(NULL) > 1600000000);
    CHECK_EQ(syscall(SYS_time, NULL) / 10, time(NULL) / 10);
    long long process = now_ns(CLOCK_PROCESS_CPUTIME_ID), thread = now_ns(CLOCK_THREAD_CPUTIME_ID);
    CHECK(thread > 0 && process > 0);
    CHECK(clock() >= 0);
    /* Sleeping takes (nearly) no processor time. */
    long long before = now_ns(CLOCK_THREAD_CPUTIME_ID);
    sleep_ms(100);
    CHECK(now_ns(CLOCK_THREAD_CPUTIME_ID) - before < 50000000);
    CHECK_ERR(clock_gettime(99, &resolution), EINVAL);
    CHECK_ERR(clock_getres(99, &resolution), EINVAL);
    CHECK_OK(clock_getres(CLOCK_MONOTONIC, NULL));
    CHECK_ERR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, 16), EFAULT);
    CHECK_ERR(clock_settime(CLOCK_MONOTONIC, &resolution), EINVAL);
    return VERDICT();
}
