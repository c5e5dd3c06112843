/* madvise: DONTNEED really zeroes, file maps come back from the file, advice and refusals. */
#include "check.h"
#include <sys/mman.h>

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE };

int main(void) {
    scratch();
    char *at = mmap(NULL, 16 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(at == MAP_FAILED ? -1 : 0);
    memset(at, 'x', 16 * PAGE);
    CHECK_OK(madvise(at + 4 * PAGE, 4 * PAGE, MADV_DONTNEED));
    CHECK_EQ(at[4 * PAGE - 1], 'x');
    CHECK_EQ(at[4 * PAGE], 0);
    CHECK_EQ(at[8 * PAGE - 1], 0);
    CHECK_EQ(at[8 * PAGE], 'x');
    at[5 * PAGE] = 'y';
    CHECK_EQ(at[5 * PAGE], 'y');
    CHECK_OK(madvise(at, PAGE + 1, MADV_DONTNEED));
    CHECK_EQ(at[PAGE], 0);

    int fd = (int)NEED(open(make_file("f", "file text"), O_RDWR));
    char *map = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
    NEED(map == MAP_FAILED ? -1 : 0);
    map[0] = 'F';
    CHECK_OK(madvise(map, PAGE, MADV_DONTNEED));
    CHECK_EQ(map[0], 'f');
    char *shared = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
    NEED(shared == MAP_FAILED ? -1 : 0);
    shared[0] = 'S';
    CHECK_OK(madvise(shared, PAGE, MADV_DONTNEED));
    CHECK_EQ(shared[0], 'S');

    const int harmless[] = {MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED,
                            MADV_DONTDUMP, MADV_DODUMP, MADV_DONTFORK, MADV_DOFORK};
    for (size_t i = 0; i < COUNT(harmless); i++)
        CHECK_OK(madvise(at, 16 * PAGE, harmless[i]));
    CHECK_OK(madvise(at, 16 * PAGE, MADV_FREE));
    CHECK_ERR(madvise(at + 1, PAGE, MADV_DONTNEED), EINVAL);
    CHECK_ERR(madvise(at, PAGE, 999), EINVAL);
    CHECK_OK(madvise(at, 0, MADV_DONTNEED));
    CHECK_OK(munmap(at + PAGE, PAGE));
    CHECK_ERR(madvise(at, 3 * PAGE, MADV_DONTNEED), ENOMEM);
    return VERDICT();
}
