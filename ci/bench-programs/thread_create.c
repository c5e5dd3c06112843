/* A thread is made and joined. */
#include "measure.h"
#include <pthread.h>

static void *nothing(void *unused) {
    return unused;
}

int main(void) {
    enum { THREADS = 20000 };
    pthread_t thread;
    double start = now_ns();
    for (int i = 0; i < THREADS; i++) {
        require(pthread_create(&thread, NULL, nothing, NULL) == 0, "pthread_create");
        pthread_join(thread, NULL);
    }
    report(start, THREADS);
    return 0;
}
