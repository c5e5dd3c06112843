/* Ten thousand threads exist at once, each with a small stack, its own id and thread-local value. */
#include "check.h"
#include <sys/resource.h>

enum { THREADS = 10000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t all_here = PTHREAD_COND_INITIALIZER, release = PTHREAD_COND_INITIALIZER;
static int here, released;
static __thread long own = -1;

static void *live(void *number) {
    CHECK_EQ(own, -1);
    own = (long)number;
    pthread_mutex_lock(&lock);
    if (++here == THREADS)
        pthread_cond_signal(&all_here);
    while (!released)
        pthread_cond_wait(&release, &lock);
    pthread_mutex_unlock(&lock);
    return (void *)(own + 1);
}

int main(void) {
    static pthread_t threads[THREADS];
    pthread_attr_t attributes;
    struct rlimit limit;
    NEED(getrlimit(RLIMIT_NPROC, &limit));
    if (limit.rlim_cur < 2 * THREADS && geteuid() != 0)
        SKIP("the limit of processes is too low here");
    pthread_attr_init(&attributes);
    NEED(pthread_attr_setstacksize(&attributes, 16384));
    NEED(pthread_attr_setguardsize(&attributes, 4096));
    int started = 0;
    while (started < THREADS &&
           pthread_create(&threads[started], &attributes, live, (void *)(long)started) == 0)
        started++;
    CHECK_EQ(started, THREADS);
    pthread_mutex_lock(&lock);
    while (started == THREADS && here < THREADS)
        pthread_cond_wait(&all_here, &lock);
    released = 1;
    pthread_cond_broadcast(&release);
    pthread_mutex_unlock(&lock);
    int wrong = 0;
    for (long i = 0; i < started; i++) {
        void *value;
        wrong += pthread_join(threads[i], &value) != 0 || value != (void *)(i + 1);
    }
    CHECK_EQ(wrong, 0);
    return VERDICT();
}
