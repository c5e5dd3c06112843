/* flock: between open file descriptions of one process; conversion; blocking; refusals. */
#include "check.h"
#include <sys/file.h>

static int second;
static volatile int acquired;

static void *wait_for_lock(void *unused) {
    CHECK_OK(flock(second, LOCK_EX));
    acquired = 1;
    return unused;
}

int main(void) {
    scratch();
    make_file("f", "");
    int first = (int)NEED(open("f", O_RDWR));
    second = (int)NEED(open("f", O_RDONLY));
    int copy = (int)NEED(dup(first));
    CHECK_OK(flock(first, LOCK_SH));
    CHECK_OK(flock(second, LOCK_SH | LOCK_NB));
    CHECK_ERR(flock(first, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    CHECK_OK(flock(second, LOCK_UN));
    CHECK_OK(flock(first, LOCK_EX | LOCK_NB));
    CHECK_ERR(flock(second, LOCK_SH | LOCK_NB), EWOULDBLOCK);
    /* A copy made by dup shares the lock. */
    CHECK_OK(flock(copy, LOCK_EX | LOCK_NB));
    close(first);
    CHECK_ERR(flock(second, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    /* A waiter gets it when the last descriptor is closed. */
    pthread_t waiter = start_thread(wait_for_lock, NULL);
    sleep_ms(50);
    CHECK_EQ(acquired, 0);
    close(copy);
    pthread_join(waiter, NULL);
    CHECK_EQ(acquired, 1);
    CHECK_ERR(flock(second, 0), EINVAL);
    CHECK_ERR(flock(second, LOCK_SH | LOCK_EX), EINVAL);
    CHECK_ERR(flock(-1, LOCK_SH), EBADF);
    return VERDICT();
}
