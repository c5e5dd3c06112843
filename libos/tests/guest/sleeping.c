/* nanosleep and clock_nanosleep: never early, absolute times, refusals; many sleepers in order. */
#include "check.h"

static int order[5], finished;

static void *sleep_in_turn(void *which) {
    sleep_ms(150 - 30 * (long)(intptr_t)which);
    order[__atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST)] = (int)(intptr_t)which;
    return NULL;
}

int main(void) {
    for (long us = 1; us <= 20000; us *= 10) {
        struct timespec pause = {0, us * 1000};
        long long start = now_ns(CLOCK_MONOTONIC);
        CHECK_OK(nanosleep(&pause, NULL));
        CHECK(now_ns(CLOCK_MONOTONIC) - start >= us * 1000);
    }
    const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME};
    for (size_t i = 0; i < COUNT(clocks); i++) {
        long long target = now_ns(clocks[i]) + 10000000;
        struct timespec at = {target / 1000000000, target % 1000000000};
        CHECK_EQ(clock_nanosleep(clocks[i], TIMER_ABSTIME, &at, NULL), 0);
        CHECK(now_ns(clocks[i]) >= target);
        at.tv_sec -= 10;
        CHECK_EQ(clock_nanosleep(clocks[i], TIMER_ABSTIME, &at, NULL), 0);
    }
    struct timespec bad = {0, 1000000000};
    CHECK_ERR(nanosleep(&bad, NULL), EINVAL);
    bad = (struct timespec){-1, 0};
    CHECK_ERR(nanosleep(&bad, NULL), EINVAL);
    CHECK_EQ(clock_nanosleep(99, 0, &bad, NULL), EINVAL);
    CHECK_EQ(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &bad, NULL), EINVAL);
    CHECK_ERR(syscall(SYS_nanosleep, 16, NULL), EFAULT);
    bad = (struct timespec){0, 0};
    CHECK_OK(nanosleep(&bad, NULL));

    pthread_t threads[5];
    for (intptr_t i = 0; i < 5; i++)
        threads[i] = start_thread(sleep_in_turn, (void *)i);
    for (int i = 0; i < 5; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(order[i], 4 - i);
    return VERDICT();
}
