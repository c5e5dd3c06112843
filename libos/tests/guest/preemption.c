/* Threads that never call the system share the CPU with each other and with a sleeper, and keep their state. */
#include "check.h"

enum { SPINNERS = 6 };

static volatile int stop;
static volatile long progress[SPINNERS];
static int corrupted;

/* Eight doubles in registers, each a fixed multiple of the first: a lost register breaks the ratio. */
static void *spin(void *which) {
    double seed = 1.5 + (double)(intptr_t)which;
    while (!stop) {
        double a = seed, b = seed * 2, c = seed * 3, d = seed * 4, e = seed * 5, f = seed * 6;
        long i = 0, mark = 0x1234567 * ((intptr_t)which + 1), copy = mark;
        for (; i < 20000; i++) {
            __asm__ volatile("" : "+x"(a), "+x"(b), "+x"(c), "+x"(d), "+x"(e), "+x"(f),
                                  "+r"(mark), "+r"(copy));
        }
        if (b != 2 * a || c != 3 * a || d != 4 * a || e != 5 * a || f != 6 * a || a != seed ||
            mark != copy)
            __atomic_add_fetch(&corrupted, 1, __ATOMIC_RELAXED);
        progress[(intptr_t)which]++;
    }
    return NULL;
}

int main(void) {
    pthread_t threads[SPINNERS];
    for (intptr_t i = 0; i < SPINNERS; i++)
        threads[i] = start_thread(spin, (void *)i);
    long before[SPINNERS];
    for (int round = 0; round < 4; round++) {
        memcpy(before, (void *)progress, sizeof before);
        /* Every spinner must move on while this thread sleeps again and again. */
        int moved = 0;
        for (int i = 0; i < 100 && moved < SPINNERS; i++) {
            sleep_ms(10);
            moved = 0;
            for (int j = 0; j < SPINNERS; j++)
                moved += progress[j] > before[j];
        }
        CHECK_EQ(moved, SPINNERS);
    }
    stop = 1;
    for (int i = 0; i < SPINNERS; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(corrupted, 0);
    return VERDICT();
}
