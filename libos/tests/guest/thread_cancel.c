/* pthread_cancel: of a thread blocked in read, in a condition wait, and one that computes (asynchronous). */
#include "check.h"

static int ends[2], unwound;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;

static void count(void *unused) {
    (void)unused;
    unwound++;
}

static void unlock(void *mutex) {
    pthread_mutex_unlock(mutex);
    unwound++;
}

static void *block_in_read(void *unused) {
    char byte;
    pthread_cleanup_push(count, NULL);
    read(ends[0], &byte, 1);
    pthread_cleanup_pop(0);
    return unused;
}

static void *block_in_wait(void *unused) {
    pthread_mutex_lock(&lock);
    pthread_cleanup_push(unlock, &lock);
    for (;;)
        pthread_cond_wait(&never, &lock);
    pthread_cleanup_pop(0);
    return unused;
}

static void *compute(void *unused) {
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    for (volatile long i = 0;; i++) {
    }
    return unused;
}

static void cancel(void *(*run)(void *)) {
    void *value = NULL;
    pthread_t thread = start_thread(run, NULL);
    sleep_ms(20);
    CHECK_EQ(pthread_cancel(thread), 0);
    CHECK_EQ(pthread_join(thread, &value), 0);
    CHECK(value == PTHREAD_CANCELED);
}

int main(void) {
    NEED(pipe(ends));
    cancel(block_in_read);
    CHECK_EQ(unwound, 1);
    cancel(block_in_wait);
    CHECK_EQ(unwound, 2);
    CHECK_EQ(pthread_mutex_trylock(&lock), 0);
    cancel(compute);
    return VERDICT();
}
