/* mremap: shrink, grow in place or by moving, move to a fixed place, refusals. */
#include "check.h"
#include <sys/mman.h>

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE, ANON = MAP_PRIVATE | MAP_ANONYMOUS };

static char *map(size_t pages) {
    void *at = mmap(NULL, pages * PAGE, RW, ANON, -1, 0);
    NEED(at == MAP_FAILED ? -1 : 0);
    return at;
}

int main(void) {
    char *at = map(8);
    for (int i = 0; i < 8; i++)
        at[i * PAGE] = (char)('a' + i);
    CHECK(mremap(at, 8 * PAGE, 4 * PAGE, 0) == at);
    CHECK_EQ(at[3 * PAGE], 'd');
    CHECK_ERR(madvise(at, 8 * PAGE, MADV_NORMAL), ENOMEM);

    char *grown = mremap(at, 4 * PAGE, 100 * PAGE, MREMAP_MAYMOVE);
    NEED(grown == MAP_FAILED ? -1 : 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(grown[i * PAGE], 'a' + i);
    CHECK_EQ(grown[4 * PAGE], 0);
    CHECK_EQ(grown[99 * PAGE], 0);
    grown[99 * PAGE] = 'z';

    /* With a neighbour in the way, growing without MAYMOVE fails. */
    char *pair = map(2);
    CHECK_ERR(mremap(pair, PAGE, 2 * PAGE, 0), ENOMEM);
    pair[0] = 'p';
    char *moved = mremap(pair, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
    CHECK(moved != MAP_FAILED && moved != pair);
    CHECK_EQ(moved[0], 'p');

    char *place = map(4);
    memset(place, 'o', 4 * PAGE);
    CHECK(mremap(grown, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place + PAGE) ==
          place + PAGE);
    CHECK_EQ(place[0], 'o');
    CHECK_EQ(place[PAGE], 'a');
    CHECK_EQ(place[2 * PAGE], 'b');
    CHECK_EQ(place[3 * PAGE], 'o');
    CHECK_EQ(grown[2 * PAGE], 'c');

    CHECK_ERR(mremap(place, PAGE, 0, MREMAP_MAYMOVE), EINVAL);
    CHECK_ERR(mremap(place + 1, PAGE, PAGE, 0), EINVAL);
    CHECK_ERR(mremap(place, PAGE, PAGE, MREMAP_FIXED, grown), EINVAL);
    CHECK_ERR(mremap(place, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place + PAGE),
              EINVAL);
    CHECK_ERR(mremap(place, PAGE, PAGE, 0x40), EINVAL);
    NEED(munmap(pair + PAGE, PAGE));
    CHECK_ERR(mremap(pair + PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);

    /* realloc of large blocks stands on it. */
    char *block = malloc(1 << 20);
    memset(block, 'r', 1 << 20);
    block = realloc(block, 32 << 20);
    CHECK_EQ(block[(1 << 20) - 1], 'r');
    block = realloc(block, 200000);
    CHECK_EQ(block[199999], 'r');
    free(block);
    return VERDICT();
}
