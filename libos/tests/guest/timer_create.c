/* timer_create: SIGEV_SIGNAL, SIGEV_THREAD_ID, SIGEV_NONE, SIGEV_THREAD; overrun; absolute; refusals. */
#include "check.h"

static volatile int ticks, value, code, tick_tid;

static void on_tick(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    ticks++;
    value = info->si_value.sival_int;
    code = info->si_code;
    tick_tid = gettid();
}

static void in_thread(union sigval argument) {
    __atomic_add_fetch((int *)argument.sival_ptr, 1, __ATOMIC_SEQ_CST);
}

static void wait_for(volatile int *counter, int wanted) {
    for (int i = 0; i < 3000 && *counter < wanted; i++)
        sleep_ms(1);
    CHECK(*counter >= wanted);
}

int main(void) {
    timer_t timer;
    struct itimerspec left, once = {{0, 0}, {0, 20000000}}, often = {{0, 5000000}, {0, 5000000}};
    struct itimerspec never = {{0, 0}, {0, 0}};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1,
                             .sigev_value.sival_int = 55};
    set_handler(SIGUSR1, on_tick, 0);
    NEED(timer_create(CLOCK_MONOTONIC, &event, &timer));
    CHECK_OK(timer_gettime(timer, &left));
    CHECK_EQ(left.it_value.tv_nsec, 0);
    CHECK_OK(timer_settime(timer, 0, &once, NULL));
    CHECK_OK(timer_gettime(timer, &left));
    CHECK(left.it_value.tv_nsec > 0 && left.it_value.tv_nsec <= 20000000);
    wait_for(&ticks, 1);
    CHECK_EQ(value, 55);
    CHECK_EQ(code, SI_TIMER);
    CHECK_OK(timer_settime(timer, 0, &often, NULL));
    wait_for(&ticks, 4);
    CHECK_OK(timer_settime(timer, 0, &never, &left));
    CHECK_EQ(left.it_interval.tv_nsec, 5000000);

    /* Missed expirations are counted, not queued. */
    sigset_t blocked, pending;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    NEED(sigprocmask(SIG_BLOCK, &blocked, NULL));
    ticks = 0;
    NEED(timer_settime(timer, 0, &often, NULL));
    sleep_ms(60);
    NEED(timer_settime(timer, 0, &never, NULL));
    CHECK_OK(sigpending(&pending));
    CHECK(sigismember(&pending, SIGUSR1) || ticks == 0);
    NEED(sigprocmask(SIG_UNBLOCK, &blocked, NULL));
    CHECK(ticks <= 1);
    CHECK_OK(timer_delete(timer));
    CHECK_ERR(timer_delete(timer), EINVAL);
    CHECK_ERR(timer_settime(timer, 0, &once, NULL), EINVAL);

    event.sigev_notify = SIGEV_THREAD_ID;
    event._sigev_un._tid = gettid();
    NEED(timer_create(CLOCK_REALTIME, &event, &timer));
    ticks = 0;
    long long target = now_ns(CLOCK_REALTIME) + 10000000;
    struct itimerspec at = {{0, 0}, {target / 1000000000, target % 1000000000}};
    CHECK_OK(timer_settime(timer, TIMER_ABSTIME, &at, NULL));
    wait_for(&ticks, 1);
    CHECK_EQ(tick_tid, gettid());
    CHECK_OK(timer_delete(timer));

    event = (struct sigevent){.sigev_notify = SIGEV_NONE};
    NEED(timer_create(CLOCK_MONOTONIC, &event, &timer));
    CHECK_OK(timer_settime(timer, 0, &once, NULL));
    CHECK_OK(timer_delete(timer));

    static int calls;
    event = (struct sigevent){.sigev_notify = SIGEV_THREAD,
                              .sigev_notify_function = in_thread,
                              .sigev_value.sival_ptr = &calls};
    NEED(timer_create(CLOCK_MONOTONIC, &event, &timer));
    NEED(timer_settime(timer, 0, &often, NULL));
    wait_for(&calls, 3);
    CHECK_OK(timer_delete(timer));

    event = (struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 99};
    CHECK_ERR(timer_create(CLOCK_MONOTONIC, &event, &timer), EINVAL);
    CHECK_ERR(timer_create(99, NULL, &timer), EINVAL);
    NEED(timer_create(CLOCK_MONOTONIC, NULL, &timer));
    once.it_value.tv_nsec = 1000000000;
    CHECK_ERR(timer_settime(timer, 0, &once, NULL), EINVAL);
    return VERDICT();
}
