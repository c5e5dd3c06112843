/* mprotect: system calls respect it (EFAULT), rights can be given back, and bad arguments are refused. */
#include "check.h"
#include <sys/mman.h>

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE };

int main(void) {
    int ends[2];
    NEED(pipe(ends));
    char *at = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(at == MAP_FAILED ? -1 : 0);
    memset(at, 'm', 4 * PAGE);
    CHECK_OK(mprotect(at + PAGE, PAGE, PROT_READ));
    CHECK_OK(mprotect(at + 2 * PAGE, PAGE, PROT_NONE));

    CHECK_EQ(write(ends[1], at + PAGE, 4), 4);
    CHECK_ERR(read(ends[0], at + PAGE, 4), EFAULT);
    CHECK_ERR(write(ends[1], at + 2 * PAGE, 4), EFAULT);
    CHECK_ERR(pipe((int *)(at + PAGE)), EFAULT);
    CHECK_ERR(open(at + 2 * PAGE, O_RDONLY), EFAULT);
    struct timespec *time = (struct timespec *)(at + 2 * PAGE);
    CHECK_ERR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, time), EFAULT);
    CHECK_ERR(syscall(SYS_nanosleep, time, NULL), EFAULT);

    CHECK_OK(mprotect(at + PAGE, 2 * PAGE, RW));
    CHECK_EQ(write(ends[1], at + 2 * PAGE, 4), 4);
    CHECK_EQ(read(ends[0], at + PAGE, 4), 4);
    CHECK_OK(munmap(at + 3 * PAGE, PAGE));
    CHECK_ERR(write(ends[1], at + 3 * PAGE, 1), EFAULT);

    CHECK_ERR(mprotect(at + 1, PAGE, RW), EINVAL);
    CHECK_ERR(mprotect(at, PAGE, 0x1000), EINVAL);
    CHECK_OK(mprotect(at, 0, RW));
    CHECK_ERR(mprotect(at + 3 * PAGE, PAGE, RW), ENOMEM);
    return VERDICT();
}
