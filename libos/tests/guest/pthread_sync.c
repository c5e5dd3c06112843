/* What libc builds on futex: mutex kinds, condition timeouts, rwlock, barrier, semaphore, once. */
#include "check.h"
#include <semaphore.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static sem_t semaphore;
static int go, readers, most_readers, first_through, initialised;

static struct timespec soon(long ms) {
    long long at = now_ns(CLOCK_REALTIME) + ms * 1000000;
    return (struct timespec){at / 1000000000, at % 1000000000};
}

static void initialise(void) {
    sleep_ms(5);
    initialised++;
}

static void *take_part(void *unused) {
    pthread_mutex_lock(&mutex);
    while (!go)
        pthread_cond_wait(&condition, &mutex);
    pthread_mutex_unlock(&mutex);
    pthread_once(&once, initialise);
    CHECK_EQ(initialised, 1);
    pthread_rwlock_rdlock(&rwlock);
    int now = __atomic_add_fetch(&readers, 1, __ATOMIC_SEQ_CST);
    if (now > __atomic_load_n(&most_readers, __ATOMIC_SEQ_CST))
        __atomic_store_n(&most_readers, now, __ATOMIC_SEQ_CST);
    sleep_ms(30);
    __atomic_sub_fetch(&readers, 1, __ATOMIC_SEQ_CST);
    pthread_rwlock_unlock(&rwlock);
    if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
        __atomic_add_fetch(&first_through, 1, __ATOMIC_SEQ_CST);
    sem_post(&semaphore);
    return unused;
}

int main(void) {
    enum { THREADS = 6 };
    pthread_t threads[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS);
    sem_init(&semaphore, 0, 0);
    for (int i = 0; i < THREADS; i++)
        threads[i] = start_thread(take_part, NULL);
    sleep_ms(10);
    pthread_mutex_lock(&mutex);
    go = 1;
    pthread_cond_broadcast(&condition);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < THREADS; i++)
        CHECK_OK(sem_wait(&semaphore));
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK(most_readers >= 2);
    CHECK_EQ(first_through, 1);
    CHECK_ERR(sem_trywait(&semaphore), EAGAIN);
    struct timespec until = soon(20);
    CHECK_ERR(sem_timedwait(&semaphore, &until), ETIMEDOUT);

    pthread_mutex_lock(&mutex);
    until = soon(20);
    CHECK_EQ(pthread_cond_timedwait(&condition, &mutex, &until), ETIMEDOUT);
    CHECK(now_ns(CLOCK_REALTIME) >= until.tv_sec * 1000000000LL + until.tv_nsec);
    pthread_mutex_unlock(&mutex);
    pthread_rwlock_wrlock(&rwlock);
    CHECK_EQ(pthread_rwlock_tryrdlock(&rwlock), EBUSY);
    pthread_rwlock_unlock(&rwlock);

    pthread_mutexattr_t attributes;
    pthread_mutex_t recursive;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&recursive, &attributes);
    CHECK_EQ(pthread_mutex_lock(&recursive), 0);
    CHECK_EQ(pthread_mutex_lock(&recursive), 0);
    CHECK_EQ(pthread_mutex_unlock(&recursive), 0);
    CHECK_EQ(pthread_mutex_unlock(&recursive), 0);
    CHECK_EQ(pthread_mutex_unlock(&recursive), EPERM);
    return VERDICT();
}
