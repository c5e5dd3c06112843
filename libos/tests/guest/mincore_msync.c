/* mincore, msync, mlock: what they report of mapped and unmapped ranges. */
#include "check.h"
#include <sys/mman.h>

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE };

int main(void) {
    unsigned char seen[4] = {0};
    char *at = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(at == MAP_FAILED ? -1 : 0);
    at[0] = at[3 * PAGE] = 1;
    CHECK_OK(mincore(at, 4 * PAGE, seen));
    CHECK_EQ(seen[0] & 1, 1);
    CHECK_EQ(seen[3] & 1, 1);
    CHECK_ERR(mincore(at + 1, PAGE, seen), EINVAL);
    CHECK_ERR(mincore(at, PAGE, (unsigned char *)16), EFAULT);
    CHECK_OK(msync(at, 4 * PAGE, MS_SYNC));
    CHECK_OK(msync(at, 4 * PAGE, MS_ASYNC | MS_INVALIDATE));
    CHECK_ERR(msync(at, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
    CHECK_ERR(msync(at + 1, PAGE, MS_SYNC), EINVAL);
    CHECK_ERR(msync(at, PAGE, 0x100), EINVAL);
    CHECK_OK(mlock(at, PAGE));
    CHECK_OK(munlock(at, PAGE));
    NEED(munmap(at + PAGE, PAGE));
    CHECK_ERR(mincore(at, 4 * PAGE, seen), ENOMEM);
    CHECK_ERR(msync(at, 4 * PAGE, MS_SYNC), ENOMEM);
    CHECK_ERR(mlock(at, 2 * PAGE), ENOMEM);
    return VERDICT();
}
