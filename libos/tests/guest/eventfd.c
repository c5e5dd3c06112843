/* eventfd: counting, semaphore mode, overflow, blocking, polling, refusals. */
#include "check.h"
#include <poll.h>
#include <sys/eventfd.h>

static int counter;

static void *add_later(void *unused) {
    sleep_ms(20);
    CHECK_OK(eventfd_write(counter, 7));
    return unused;
}

int main(void) {
    eventfd_t value = 0;
    counter = (int)NEED(eventfd(3, 0));
    CHECK_OK(eventfd_write(counter, 4));
    CHECK_OK(eventfd_read(counter, &value));
    CHECK_EQ(value, 7);
    pthread_t adder = start_thread(add_later, NULL);
    CHECK_OK(eventfd_read(counter, &value));
    CHECK_EQ(value, 7);
    pthread_join(adder, NULL);

    int semaphore = (int)NEED(eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC));
    CHECK_EQ(fcntl(semaphore, F_GETFD), FD_CLOEXEC);
    CHECK_OK(eventfd_read(semaphore, &value));
    CHECK_EQ(value, 1);
    CHECK_OK(eventfd_read(semaphore, &value));
    CHECK_ERR(eventfd_read(semaphore, &value), EAGAIN);

    int full = (int)NEED(eventfd(0, EFD_NONBLOCK));
    struct pollfd ready = {full, POLLIN | POLLOUT, 0};
    CHECK_EQ(poll(&ready, 1, 0), 1);
    CHECK_EQ(ready.revents, POLLOUT);
    CHECK_OK(eventfd_write(full, UINT64_MAX - 1));
    CHECK_EQ(poll(&ready, 1, 0), 1);
    CHECK_EQ(ready.revents, POLLIN);
    CHECK_ERR(eventfd_write(full, 1), EAGAIN);
    CHECK_ERR(eventfd_write(full, UINT64_MAX), EINVAL);
    CHECK_ERR(write(full, &value, 4), EINVAL);
    CHECK_ERR(read(full, &value, 4), EINVAL);
    CHECK_OK(eventfd_read(full, &value));
    CHECK(value == UINT64_MAX - 1);
    CHECK_ERR(pread(full, &value, 8, 0), ESPIPE);
    CHECK_ERR(eventfd(0, 0x4000000), EINVAL);
    return VERDICT();
}
