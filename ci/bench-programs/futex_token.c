/* Two threads hand a token to and fro through a futex each; the time of one hand-over. */
#include "measure.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ROUNDS = 50000 };

static int turns[2];

static void hand_to(int other) {
    __atomic_store_n(&turns[other], 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &turns[other], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void wait_for_turn(int me) {
    while (!__atomic_exchange_n(&turns[me], 0, __ATOMIC_SEQ_CST))
        syscall(SYS_futex, &turns[me], FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static void *answer(void *unused) {
    for (int i = 0; i < ROUNDS; i++) {
        wait_for_turn(1);
        hand_to(0);
    }
    return unused;
}

int main(void) {
    pthread_t other;
    require(pthread_create(&other, NULL, answer, NULL) == 0, "pthread_create");
    double start = now_ns();
    for (int i = 0; i < ROUNDS; i++) {
        hand_to(1);
        wait_for_turn(0);
    }
    report(start, 2L * ROUNDS);
    return 0;
}
