/* poll, ppoll, select, pselect: readiness of each kind, timeouts, hang-up, bad descriptors, masks. */
#include "check.h"
#include <poll.h>
#include <sys/select.h>

static int ends[2];
static volatile int handled;

static void on_signal(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
    handled++;
}

static void *write_later(void *unused) {
    sleep_ms(20);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    return unused;
}

static void polling(void) {
    struct pollfd set[4] = {
        {ends[0], POLLIN, 0}, {ends[1], POLLOUT, 0}, {-1, POLLIN, 99}, {999, POLLIN, 0}};
    CHECK_EQ(poll(set, 4, 0), 2);
    CHECK_EQ(set[0].revents, 0);
    CHECK_EQ(set[1].revents, POLLOUT);
    CHECK_EQ(set[2].revents, 0);
    CHECK_EQ(set[3].revents, POLLNVAL);
    long long start = now_ns(CLOCK_MONOTONIC);
    CHECK_EQ(poll(set, 1, 30), 0);
    CHECK(now_ns(CLOCK_MONOTONIC) - start >= 30000000);
    pthread_t writer = start_thread(write_later, NULL);
    CHECK_EQ(poll(set, 1, 3000), 1);
    CHECK_EQ(set[0].revents, POLLIN);
    pthread_join(writer, NULL);
    CHECK_ERR(poll((struct pollfd *)16, 1, 0), EFAULT);
    CHECK_EQ(poll(NULL, 0, 1), 0);
    int file = open("/proc/self/exe", O_RDONLY);
    struct pollfd regular = {file, POLLIN | POLLOUT, 0};
    CHECK_EQ(poll(&regular, 1, 0), 1);
    CHECK_EQ(regular.revents, POLLIN | POLLOUT);
}

static void selecting(void) {
    fd_set readable, writable;
    FD_ZERO(&readable);
    FD_ZERO(&writable);
    FD_SET(ends[0], &readable);
    FD_SET(ends[1], &writable);
    struct timeval timeout = {1, 0};
    CHECK_EQ(select(ends[1] + 1, &readable, &writable, NULL, &timeout), 2);
    CHECK(FD_ISSET(ends[0], &readable));
    char byte;
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    FD_ZERO(&writable);
    timeout = (struct timeval){0, 20000};
    CHECK_EQ(select(ends[1] + 1, &readable, NULL, NULL, &timeout), 0);
    CHECK(!FD_ISSET(ends[0], &readable));
    CHECK_EQ(timeout.tv_sec + timeout.tv_usec, 0);
    FD_SET(60, &readable);
    CHECK_ERR(select(61, &readable, NULL, NULL, &timeout), EBADF);
    CHECK_ERR(select(-1, NULL, NULL, NULL, &timeout), EINVAL);
    timeout.tv_usec = -1;
    CHECK_ERR(select(0, NULL, NULL, NULL, &timeout), EINVAL);
}

/* The mask is exchanged for the wait alone: a pending signal ends it at once. */
static void masks(void) {
    sigset_t blocked, none, now;
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    NEED(sigprocmask(SIG_BLOCK, &blocked, NULL));
    set_handler(SIGUSR1, on_signal, SA_RESTART);
    raise(SIGUSR1);
    CHECK_EQ(handled, 0);
    struct timespec timeout = {3, 0};
    CHECK_ERR(ppoll(NULL, 0, &timeout, &none), EINTR);
    CHECK_EQ(handled, 1);
    raise(SIGUSR1);
    CHECK_ERR(pselect(0, NULL, NULL, NULL, &timeout, &none), EINTR);
    CHECK_EQ(handled, 2);
    NEED(sigprocmask(SIG_BLOCK, NULL, &now));
    CHECK(sigismember(&now, SIGUSR1));
    timeout = (struct timespec){0, 10000000};
    CHECK_EQ(ppoll(NULL, 0, &timeout, &blocked), 0);
    timeout.tv_nsec = -1;
    CHECK_ERR(ppoll(NULL, 0, &timeout, NULL), EINVAL);
}

static void hang_up(void) {
    struct pollfd set[2] = {{ends[0], POLLIN, 0}, {ends[1], POLLOUT, 0}};
    int copy = (int)NEED(dup(ends[1]));
    close(ends[1]);
    close(copy);
    CHECK_EQ(poll(set, 1, 0), 1);
    CHECK_EQ(set[0].revents, POLLHUP);
    NEED(pipe(ends));
    close(ends[0]);
    set[1].fd = ends[1];
    CHECK_EQ(poll(set + 1, 1, 0), 1);
    CHECK_EQ(set[1].revents, POLLOUT | POLLERR);
}

int main(void) {
    NEED(pipe(ends));
    polling();
    selecting();
    masks();
    hang_up();
    return VERDICT();
}
