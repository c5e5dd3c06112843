/* Two threads hand a byte to and fro through two pipes; the time of one hand-over. */
#include "measure.h"
#include <pthread.h>
#include <unistd.h>

enum { ROUNDS = 50000 };

static int there[2], back[2];

static void *answer(void *unused) {
    char byte;
    for (int i = 0; i < ROUNDS; i++) {
        require(read(there[0], &byte, 1) == 1, "read");
        require(write(back[1], &byte, 1) == 1, "write");
    }
    return unused;
}

int main(void) {
    pthread_t other;
    char byte = 'x';
    require(pipe(there) == 0 && pipe(back) == 0, "pipe");
    require(pthread_create(&other, NULL, answer, NULL) == 0, "pthread_create");
    double start = now_ns();
    for (int i = 0; i < ROUNDS; i++) {
        require(write(there[1], &byte, 1) == 1, "write");
        require(read(back[0], &byte, 1) == 1, "read");
    }
    report(start, 2L * ROUNDS);
    return 0;
}
