/* A TCP connection is reset: closed with unread data, closed with a linger time of zero, or written to after its end. */
#include "net.h"

static void is_reset(int fd) {
    char byte;
    int all = POLLIN | POLLOUT | POLLRDHUP;
    CHECK_EQ(wait_ready(fd, POLLIN | POLLRDHUP) & POLLIN, POLLIN);
    CHECK_EQ(ready(fd, all, 0), all | POLLERR | POLLHUP);
    CHECK_ERR(read(fd, &byte, 1), ECONNRESET);
    CHECK_EQ(read(fd, &byte, 1), 0);
    CHECK_EQ(ready(fd, all, 0), all | POLLHUP);
    CHECK_ERR(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK_EQ(option_of(fd, SOL_SOCKET, SO_ERROR), 0);
    address_t peer;
    socklen_t length = sizeof peer;
    CHECK_ERR(getpeername(fd, &peer.any, &length), ENOTCONN);
    CHECK_ERR(shutdown(fd, SHUT_RDWR), ENOTCONN);
}

static void set_linger(int fd, int on, int seconds) {
    struct linger wanted = {on, seconds}, found;
    socklen_t length = sizeof found;
    CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &wanted, sizeof wanted));
    CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_LINGER, &found, &length));
    CHECK_EQ(found.l_onoff, on);
    if (on)
        CHECK_EQ(found.l_linger, seconds);
}

int main(void) {
    int pair[2];
    char text[16];
    tcp_pair(pair);
    CHECK_EQ(write(pair[0], "never read", 10), 10);
    wait_ready(pair[1], POLLIN);
    close(pair[1]);
    is_reset(pair[0]);
    close(pair[0]);

    tcp_pair(pair);
    set_linger(pair[1], 1, 0);
    close(pair[1]);
    is_reset(pair[0]);
    close(pair[0]);

    /* What came before the reset is lost with it. */
    tcp_pair(pair);
    set_linger(pair[1], 1, 0);
    CHECK_EQ(write(pair[1], "lost", 4), 4);
    wait_ready(pair[0], POLLIN);
    close(pair[1]);
    sleep_ms(5);
    CHECK_EQ(option_of(pair[0], SOL_SOCKET, SO_ERROR), ECONNRESET);
    close(pair[0]);

    /* An orderly close, then data from the other side: answered with a reset. */
    tcp_pair(pair);
    close(pair[1]);
    CHECK_EQ(read(pair[0], text, sizeof text), 0);
    CHECK_EQ(send(pair[0], "x", 1, MSG_NOSIGNAL), 1);
    CHECK_EQ(wait_ready(pair[0], POLLERR) & (POLLERR | POLLHUP), POLLERR | POLLHUP);
    CHECK_ERR(send(pair[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK_EQ(read(pair[0], text, sizeof text), 0);
    close(pair[0]);

    /* A linger time waits for the data to arrive, which over the loopback is at once. */
    tcp_pair(pair);
    set_linger(pair[1], 1, 2);
    CHECK_EQ(write(pair[1], "delivered", 9), 9);
    long long start = now_ns(CLOCK_MONOTONIC);
    CHECK_OK(close(pair[1]));
    CHECK(now_ns(CLOCK_MONOTONIC) - start < 1500000000);
    CHECK_EQ(receive_all(pair[0], text, 9), 9);
    CHECK_EQ(read(pair[0], text, sizeof text), 0);
    set_linger(pair[0], 0, 0);
    close(pair[0]);

    /* connect(AF_UNSPEC) resets the connection and makes the socket new. */
    tcp_pair(pair);
    address_t none = {.any = {.sa_family = AF_UNSPEC}};
    CHECK_OK(connect(pair[0], &none.any, sizeof none.any));
    is_reset(pair[1]);
    CHECK_ERR(read(pair[0], text, 1), ECONNRESET);
    CHECK_ERR(read(pair[0], text, 1), ENOTCONN);
    close_pair(pair);
    return VERDICT();
}
