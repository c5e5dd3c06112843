/* Priority-inheriting mutexes: handed over in turn; the errors of the checking kind. */
#include "check.h"
#include <linux/futex.h>

static pthread_mutex_t lock;
static int count;

static void *add(void *unused) {
    for (int i = 0; i < 2000; i++) {
        CHECK_EQ(pthread_mutex_lock(&lock), 0);
        count++;
        CHECK_EQ(pthread_mutex_unlock(&lock), 0);
    }
    return unused;
}

static void *try_it(void *unused) {
    struct timespec until;
    CHECK_EQ(pthread_mutex_trylock(&lock), EBUSY);
    NEED(clock_gettime(CLOCK_REALTIME, &until));
    until.tv_nsec = (until.tv_nsec + 20000000) % 1000000000;
    until.tv_sec += until.tv_nsec < 20000000;
    CHECK_EQ(pthread_mutex_timedlock(&lock, &until), ETIMEDOUT);
    CHECK_EQ(pthread_mutex_unlock(&lock), EPERM);
    return unused;
}

int main(void) {
    uint32_t word = 0;
    if (syscall(SYS_futex, &word, FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0) == -1 &&
        errno == ENOSYS)
        SKIP("no priority-inheriting futexes here");
    CHECK_EQ(word, gettid());
    CHECK_ERR(syscall(SYS_futex, &word, FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL), EDEADLK);
    CHECK_OK(syscall(SYS_futex, &word, FUTEX_UNLOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL));
    CHECK_EQ(word, 0);
    CHECK_ERR(syscall(SYS_futex, &word, FUTEX_UNLOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL), EPERM);

    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    NEED(pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK));
    CHECK_EQ(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT), 0);
    CHECK_EQ(pthread_mutex_init(&lock, &attributes), 0);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        threads[i] = start_thread(add, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(count, 8000);
    CHECK_EQ(pthread_mutex_lock(&lock), 0);
    CHECK_EQ(pthread_mutex_lock(&lock), EDEADLK);
    pthread_join(start_thread(try_it, NULL), NULL);
    CHECK_EQ(pthread_mutex_unlock(&lock), 0);
    return VERDICT();
}
