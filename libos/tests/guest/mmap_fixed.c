/* MAP_FIXED replaces what is there, MAP_FIXED_NOREPLACE refuses; holes in the middle; split maps. */
#include "check.h"
#include <sys/mman.h>

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE, ANON = MAP_PRIVATE | MAP_ANONYMOUS };

int main(void) {
    char *base = mmap(NULL, 8 * PAGE, RW, ANON, -1, 0);
    NEED(base == MAP_FAILED ? -1 : 0);
    memset(base, 'a', 8 * PAGE);
    CHECK(mmap(base + 2 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0) == base + 2 * PAGE);
    CHECK_EQ(base[2 * PAGE - 1], 'a');
    CHECK_EQ(base[2 * PAGE], 0);
    CHECK_EQ(base[3 * PAGE], 'a');
    CHECK_ERR(mmap(base + PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
    CHECK_EQ(base[PAGE], 'a');

    CHECK_OK(munmap(base + 4 * PAGE, 2 * PAGE));
    CHECK_EQ(base[4 * PAGE - 1], 'a');
    CHECK_EQ(base[6 * PAGE], 'a');
    unsigned char seen[8];
    CHECK_ERR(mincore(base, 8 * PAGE, seen), ENOMEM);
    CHECK_ERR(msync(base, 8 * PAGE, MS_ASYNC), ENOMEM);
    CHECK_ERR(mprotect(base, 8 * PAGE, PROT_READ), ENOMEM);
    CHECK_OK(mprotect(base, 4 * PAGE, RW));
    CHECK(mmap(base + 4 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == base + 4 * PAGE);
    CHECK_EQ(base[4 * PAGE], 0);
    CHECK_ERR(mmap(base + 4 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
    /* A hint that is free is taken. */
    CHECK(mmap(base + 5 * PAGE, PAGE, RW, ANON, -1, 0) == base + 5 * PAGE);
    /* One munmap over several maps and holes. */
    CHECK_OK(munmap(base + PAGE, PAGE));
    CHECK_OK(munmap(base, 8 * PAGE));
    CHECK(mmap(base, 8 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == base);
    CHECK_EQ(base[7 * PAGE], 0);
    return VERDICT();
}
