/* setitimer, getitimer and alarm: real and CPU-time timers. */
#include "check.h"
#include <sys/time.h>

static volatile int alarms, virtual, profiled;

static void on_signal(int signal, siginfo_t *info, void *context) {
    (void)info, (void)context;
    alarms += signal == SIGALRM;
    virtual += signal == SIGVTALRM;
    profiled += signal == SIGPROF;
}

int main(void) {
    struct itimerval often = {{0, 5000}, {0, 5000}}, never = {{0, 0}, {0, 0}}, left;
    set_handler(SIGALRM, on_signal, SA_RESTART);
    set_handler(SIGVTALRM, on_signal, 0);
    set_handler(SIGPROF, on_signal, 0);
    CHECK_OK(setitimer(ITIMER_REAL, &often, NULL));
    for (int i = 0; i < 3000 && alarms < 3; i++)
        sleep_ms(1);
    CHECK(alarms >= 3);
    CHECK_OK(getitimer(ITIMER_REAL, &left));
    CHECK_EQ(left.it_interval.tv_usec, 5000);
    CHECK_OK(setitimer(ITIMER_REAL, &never, &left));
    CHECK_EQ(left.it_interval.tv_usec, 5000);
    int before = alarms;
    sleep_ms(30);
    CHECK_EQ(alarms, before);

    CHECK_EQ(alarm(100), 0);
    CHECK(alarm(0) >= 99);
    CHECK_EQ(alarm(0), 0);

    CHECK_OK(setitimer(ITIMER_VIRTUAL, &often, NULL));
    CHECK_OK(setitimer(ITIMER_PROF, &often, NULL));
    long long start = now_ns(CLOCK_MONOTONIC);
    while ((virtual < 2 || profiled < 2) && now_ns(CLOCK_MONOTONIC) - start < 4000000000) {
    }
    CHECK(virtual >= 2);
    CHECK(profiled >= 2);
    CHECK_OK(setitimer(ITIMER_VIRTUAL, &never, NULL));
    CHECK_OK(setitimer(ITIMER_PROF, &never, NULL));
    CHECK_ERR(setitimer(99, &often, NULL), EINVAL);
    CHECK_ERR(getitimer(99, &left), EINVAL);
    often.it_value.tv_usec = 1000000;
    CHECK_ERR(setitimer(ITIMER_REAL, &often, NULL), EINVAL);
    return VERDICT();
}
