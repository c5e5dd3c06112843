/* Reservations of many GiB without access, as Go and allocators make them, and use of parts of them. */
#include "check.h"
#include <sys/mman.h>

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE };

int main(void) {
    const size_t gib = (size_t)1 << 30;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    char *big[4];
    for (int i = 0; i < 4; i++) {
        big[i] = mmap(NULL, 64 * gib, PROT_NONE, flags, -1, 0);
        NEED(big[i] == MAP_FAILED ? -1 : 0);
    }
    /* Both ways to make a part usable: mprotect, and a fixed map over it. */
    char *first = big[0] + 5 * gib, *second = big[1] + 60 * gib;
    CHECK_OK(mprotect(first, 16 * PAGE, RW));
    CHECK_EQ(first[0], 0);
    memset(first, 1, 16 * PAGE);
    CHECK(mmap(second, 1 << 20, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == second);
    CHECK_EQ(second[0], 0);
    memset(second, 2, 1 << 20);
    CHECK_EQ(first[16 * PAGE - 1], 1);
    /* A system call cannot use what is reserved only. */
    int ends[2];
    NEED(pipe(ends));
    CHECK_ERR(write(ends[1], big[2], 1), EFAULT);
    CHECK_ERR(write(ends[1], first + 16 * PAGE, 1), EFAULT);
    /* Giving back: dropped pages read as zeroes when used again. */
    CHECK(mmap(first, 16 * PAGE, PROT_NONE, flags | MAP_FIXED, -1, 0) == first);
    CHECK_OK(mprotect(first, 16 * PAGE, RW));
    CHECK_EQ(first[0], 0);
    CHECK_EQ(first[16 * PAGE - 1], 0);
    for (int i = 0; i < 4; i++)
        CHECK_OK(munmap(big[i], 64 * gib));
    return VERDICT();
}
