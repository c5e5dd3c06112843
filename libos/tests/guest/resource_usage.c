/* getrusage and times: processor time grows with work and not with sleep. */
#include "check.h"
#include <sys/resource.h>
#include <sys/times.h>

static long long used_us(int who) {
    struct rusage usage;
    NEED(getrusage(who, &usage));
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000LL + usage.ru_utime.tv_usec +
           usage.ru_stime.tv_usec;
}

static void *work(void *unused) {
    long long start = now_ns(CLOCK_THREAD_CPUTIME_ID);
    while (now_ns(CLOCK_THREAD_CPUTIME_ID) - start < 100000000) {
    }
    CHECK(used_us(RUSAGE_THREAD) >= 80000);
    return unused;
}

int main(void) {
    struct rusage usage;
    struct tms before, after;
    long long start = used_us(RUSAGE_SELF);
    clock_t real_before = times(&before);
    pthread_join(start_thread(work, NULL), NULL);
    CHECK(used_us(RUSAGE_SELF) - start >= 80000);
    CHECK(used_us(RUSAGE_THREAD) < used_us(RUSAGE_SELF));
    clock_t real_after = times(&after);
    CHECK(real_after > real_before);
    CHECK(after.tms_utime + after.tms_stime > before.tms_utime + before.tms_stime);
    CHECK_EQ(sysconf(_SC_CLK_TCK), 100);
    CHECK_OK(getrusage(RUSAGE_SELF, &usage));
    CHECK(usage.ru_maxrss > 0);
    CHECK_EQ(used_us(RUSAGE_CHILDREN), 0);
    CHECK_ERR(getrusage(99, &usage), EINVAL);
    CHECK_ERR(syscall(SYS_getrusage, RUSAGE_SELF, 16), EFAULT);
    return VERDICT();
}
