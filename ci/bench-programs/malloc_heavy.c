/* Blocks of many sizes are allocated, written, and freed in another order. */
#include "measure.h"
#include <stdint.h>
#include <string.h>

int main(void) {
    enum { LIVE = 20000, ROUNDS = 6000000 };
    static char *blocks[LIVE];
    uint64_t random = 88172645463325252ULL;
    double start = now_ns();
    for (long i = 0; i < ROUNDS; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        size_t which = random % LIVE;
        /* Mostly small, one in 256 up to 256 KiB, as programs do. */
        size_t size = random >> 56 ? (random >> 20) % 1000 + 8 : (random >> 20) % 262144 + 8;
        free(blocks[which]);
        blocks[which] = malloc(size);
        require(blocks[which] != NULL, "malloc");
        memset(blocks[which], 1, size < 256 ? size : 256);
    }
    report(start, ROUNDS);
    return 0;
}
