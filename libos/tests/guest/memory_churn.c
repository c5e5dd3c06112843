/* Mapping and unmapping far more than the machine has, bit by bit, in four threads: all of it is reused. */
#include "check.h"
#include <sys/mman.h>

enum { THREADS = 4, ROUNDS = 300 };

static void *churn(void *which) {
    unsigned seed = 12345 + (unsigned)(uintptr_t)which;
    for (int i = 0; i < ROUNDS; i++) {
        size_t length = (size_t)(rand_r(&seed) % 256 + 1) * 4096;
        unsigned char *at =
            mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (!CHECK(at != MAP_FAILED))
            break;
        int dirty = 0;
        for (size_t j = 0; j < length; j += 512)
            dirty += at[j] != 0;
        CHECK_EQ(dirty, 0);
        memset(at, (int)(uintptr_t)which, length);
        CHECK_EQ(at[length - 1], (uintptr_t)which);
        CHECK_OK(munmap(at, length));
        char *small = malloc((size_t)(rand_r(&seed) % 5000));
        free(small);
    }
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        threads[i] = start_thread(churn, (void *)(i + 1));
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return VERDICT();
}
