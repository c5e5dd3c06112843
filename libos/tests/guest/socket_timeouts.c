/* SO_RCVTIMEO and SO_SNDTIMEO: recv, accept, send and connect end in time; the values read back; signals interrupt. */
#include "net.h"
#include <sys/time.h>

enum { SHORT_MS = 30 };

static void set_timeout(int fd, int option, long microseconds) {
    struct timeval timeout = {microseconds / 1000000, microseconds % 1000000};
    CHECK_OK(setsockopt(fd, SOL_SOCKET, option, &timeout, sizeof timeout));
}

static long long started;
#define TIMED(check)                                                                               \
    (started = now_ns(CLOCK_MONOTONIC), (check), took((now_ns(CLOCK_MONOTONIC) - started) / 1000000, __LINE__))

static void took(long long ms, int line) {
    if (ms < SHORT_MS - 1 || ms > SHORT_MS + 500) {
        printf("line %d: expected some %d ms, found %lld\n", line, SHORT_MS, ms);
        check_failed();
    }
}

static void ring(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
}

static void ring_soon(void) {
    struct itimerval once = {.it_value = {0, SHORT_MS * 1000}};
    NEED(setitimer(ITIMER_REAL, &once, NULL));
}

int main(void) {
    static char block[65536];
    int pair[2];
    address_t address;
    struct timeval timeout = {9, 9};
    socklen_t length = sizeof timeout;
    tcp_pair(pair);
    CHECK_OK(getsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, &length));
    CHECK_EQ(timeout.tv_sec, 0);
    CHECK_EQ(timeout.tv_usec, 0);
    set_timeout(pair[0], SO_RCVTIMEO, 2500000);
    CHECK_OK(getsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, &length));
    CHECK_EQ(timeout.tv_sec, 2);
    CHECK(timeout.tv_usec >= 500000 && timeout.tv_usec <= 510000);
    timeout.tv_usec = 1000000;
    CHECK_ERR(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout), EDOM);

    set_timeout(pair[0], SO_RCVTIMEO, SHORT_MS * 1000);
    TIMED(CHECK_ERR(recv(pair[0], block, 1, 0), EAGAIN));
    TIMED(CHECK_ERR(read(pair[0], block, 1), EAGAIN));
    CHECK_EQ(write(pair[1], "ab", 2), 2);
    TIMED(CHECK_EQ(recv(pair[0], block, 8, MSG_WAITALL), 2));
    set_timeout(pair[0], SO_SNDTIMEO, SHORT_MS * 1000);
    started = now_ns(CLOCK_MONOTONIC);
    long sent = 0, done;
    while ((done = send(pair[0], block, sizeof block, MSG_NOSIGNAL)) > 0)
        sent += done;
    CHECK_EQ(errno, EAGAIN);
    CHECK(sent > 0);
    CHECK(now_ns(CLOCK_MONOTONIC) - started < 1000000000);
    close_pair(pair);

    int udp = bound_socket(AF_INET, SOCK_DGRAM, &address);
    set_timeout(udp, SO_RCVTIMEO, SHORT_MS * 1000);
    TIMED(CHECK_ERR(recv(udp, block, 1, 0), EAGAIN));
    close(udp);

    int server = listener(AF_INET, 0, &address);
    set_timeout(server, SO_RCVTIMEO, SHORT_MS * 1000);
    TIMED(CHECK_ERR(accept(server, NULL, NULL), EAGAIN));
    /* A full backlog: a connection that cannot complete in time is in progress still. */
    int waiting = connected_to(&address), late = new_socket(AF_INET, SOCK_STREAM);
    set_timeout(late, SO_SNDTIMEO, SHORT_MS * 1000);
    TIMED(CHECK_ERR(try_connect(late, &address), EINPROGRESS));
    close(late), close(waiting), close(server);

    /* A handler interrupts, with SA_RESTART too where a timeout is set. */
    tcp_pair(pair);
    set_handler(SIGALRM, ring, 0);
    ring_soon();
    TIMED(CHECK_ERR(recv(pair[0], block, 1, 0), EINTR));
    set_handler(SIGALRM, ring, SA_RESTART);
    set_timeout(pair[0], SO_RCVTIMEO, 2000000);
    ring_soon();
    TIMED(CHECK_ERR(recv(pair[0], block, 1, 0), EINTR));
    set_timeout(pair[0], SO_RCVTIMEO, 0);
    ring_soon();
    server = listener(AF_INET, 1, &address);
    struct pollfd entry = {server, POLLIN, 0};
    TIMED(CHECK_ERR(poll(&entry, 1, 1000), EINTR));
    set_handler(SIGALRM, ring, 0);
    ring_soon();
    TIMED(CHECK_ERR(accept(server, NULL, NULL), EINTR));
    return VERDICT();
}
