/* sched_getaffinity, sched_setaffinity, getcpu, schedulers and priorities as programs ask for them. */
#include "check.h"
#include <sched.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

int main(void) {
    cpu_set_t set;
    unsigned cpu = 9999, node = 9999;
    CHECK_OK(sched_getaffinity(0, sizeof set, &set));
    int count = CPU_COUNT(&set);
    CHECK(count >= 1);
    CHECK(sysconf(_SC_NPROCESSORS_ONLN) >= 1);
    CHECK(get_nprocs_conf() >= 1);
    long bytes = CHECK_OK(syscall(SYS_sched_getaffinity, 0, sizeof set, &set));
    CHECK(bytes > 0 && bytes % 8 == 0);
    CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 1, &set), EINVAL);
    CHECK_ERR(sched_getaffinity(9999999, sizeof set, &set), ESRCH);
    CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 128, 16), EFAULT);
    CHECK_OK(syscall(SYS_getcpu, &cpu, &node, NULL));
    CHECK(CPU_ISSET(cpu, &set));
    CHECK(sched_getcpu() >= 0);
    CHECK_OK(sched_setaffinity(0, sizeof set, &set));
    cpu_set_t one;
    CPU_ZERO(&one);
    CHECK_ERR(sched_setaffinity(0, sizeof one, &one), EINVAL);
    CPU_SET(cpu, &one);
    CHECK_OK(sched_setaffinity(0, sizeof one, &one));
    CHECK_OK(sched_getaffinity(0, sizeof set, &set));
    CHECK_EQ(CPU_COUNT(&set), 1);

    struct sched_param parameters = {.sched_priority = 0};
    CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
    CHECK_OK(sched_getparam(0, &parameters));
    CHECK_EQ(parameters.sched_priority, 0);
    CHECK_OK(sched_setscheduler(0, SCHED_OTHER, &parameters));
    CHECK_EQ(sched_get_priority_max(SCHED_FIFO), 99);
    CHECK_EQ(sched_get_priority_min(SCHED_FIFO), 1);
    CHECK_EQ(sched_get_priority_max(SCHED_OTHER), 0);
    CHECK_ERR(sched_get_priority_max(99), EINVAL);
    CHECK_ERR(sched_setscheduler(0, 99, &parameters), EINVAL);
    parameters.sched_priority = 5;
    CHECK_ERR(sched_setscheduler(0, SCHED_OTHER, &parameters), EINVAL);
    CHECK_OK(sched_yield());
    errno = 0;
    int nice_value = getpriority(PRIO_PROCESS, 0);
    CHECK_EQ(errno, 0);
    CHECK_OK(setpriority(PRIO_PROCESS, 0, nice_value + 1));
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), nice_value + 1);
    CHECK_ERR(getpriority(99, 0), EINVAL);
    CHECK_ERR(getpriority(PRIO_PROCESS, 9999999), ESRCH);
    return VERDICT();
}
