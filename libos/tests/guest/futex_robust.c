/* Robust mutexes: a thread that ends holding one marks it, the next owner learns of it. */
#include "check.h"

static pthread_mutex_t lock;
static volatile int held;

static void *die_holding(void *unused) {
    CHECK_EQ(pthread_mutex_lock(&lock), 0);
    return unused;
}

static void *wait_for_it(void *unused) {
    CHECK_EQ(pthread_mutex_lock(&lock), EOWNERDEAD);
    CHECK_EQ(pthread_mutex_consistent(&lock), 0);
    CHECK_EQ(pthread_mutex_unlock(&lock), 0);
    return unused;
}

static void *hold_then_die(void *unused) {
    CHECK_EQ(pthread_mutex_lock(&lock), 0);
    held = 1;
    sleep_ms(50);
    return unused;
}

int main(void) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    NEED(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST));
    NEED(pthread_mutex_init(&lock, &attributes));
    pthread_join(start_thread(die_holding, NULL), NULL);
    CHECK_EQ(pthread_mutex_trylock(&lock), EOWNERDEAD);
    CHECK_EQ(pthread_mutex_consistent(&lock), 0);
    CHECK_EQ(pthread_mutex_unlock(&lock), 0);
    /* A waiter that already sleeps is woken by the owner's end. */
    pthread_t holder = start_thread(hold_then_die, NULL);
    while (!held)
        sleep_ms(1);
    pthread_t waiter = start_thread(wait_for_it, NULL);
    pthread_join(holder, NULL);
    pthread_join(waiter, NULL);
    CHECK_EQ(pthread_mutex_lock(&lock), 0);
    CHECK_EQ(pthread_mutex_unlock(&lock), 0);
    /* Unlocked without being made consistent, it is lost for good. */
    pthread_join(start_thread(die_holding, NULL), NULL);
    CHECK_EQ(pthread_mutex_lock(&lock), EOWNERDEAD);
    CHECK_EQ(pthread_mutex_unlock(&lock), 0);
    CHECK_EQ(pthread_mutex_lock(&lock), ENOTRECOVERABLE);

    void *head;
    size_t length;
    CHECK_OK(syscall(SYS_get_robust_list, 0, &head, &length));
    CHECK_EQ(length, 24);
    CHECK_ERR(syscall(SYS_set_robust_list, head, 1), EINVAL);
    CHECK_ERR(syscall(SYS_get_robust_list, 9999999, &head, &length), ESRCH);
    return VERDICT();
}
