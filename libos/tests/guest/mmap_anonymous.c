/* mmap of anonymous memory: zeroed, page-aligned, hints, reuse after munmap, and refusals. */
#include "check.h"
#include <sys/mman.h>

enum { PAGE = 4096 };

static char *map(size_t length) {
    void *at = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(at == MAP_FAILED ? -1 : 0);
    return at;
}

static int all_zero(const char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (bytes[i])
            return 0;
    return 1;
}

int main(void) {
    char *at = map(64 * PAGE);
    CHECK_EQ((uintptr_t)at % PAGE, 0);
    CHECK(all_zero(at, 64 * PAGE));
    memset(at, 'x', 64 * PAGE);
    CHECK_OK(munmap(at, 64 * PAGE));
    /* Memory that is handed out again is zeroed. */
    for (int i = 0; i < 50; i++) {
        char *again = map(64 * PAGE);
        CHECK(all_zero(again, 64 * PAGE));
        memset(again, 'y', 64 * PAGE);
        CHECK_OK(munmap(again, 64 * PAGE));
    }
    /* Lengths are rounded up to pages. */
    at = map(100);
    at[PAGE - 1] = 1;
    CHECK_OK(munmap(at, 100));
    /* Shared anonymous memory is like private within one process. */
    at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED && all_zero(at, PAGE));
    CHECK_OK(munmap(at, PAGE));
    CHECK_OK(munmap(at, PAGE)); /* Nothing there: still no error. */

    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    CHECK_ERR(mmap(NULL, 0, PROT_READ, flags, -1, 0), EINVAL);
    CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
    CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
    CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 999, 0), EBADF);
    CHECK_ERR(mmap((void *)(PAGE + 1), PAGE, PROT_READ, flags | MAP_FIXED, -1, 0), EINVAL);
    CHECK_ERR(mmap(NULL, SIZE_MAX - PAGE, PROT_READ, flags, -1, 0), ENOMEM);
    CHECK_ERR(mmap(NULL, (size_t)1 << 62, PROT_READ, flags, -1, 0), ENOMEM);
    CHECK_ERR(munmap((void *)1, PAGE), EINVAL);
    CHECK_ERR(munmap(at, 0), EINVAL);
    CHECK_ERR(munmap(at, SIZE_MAX), EINVAL);
    return VERDICT();
}
