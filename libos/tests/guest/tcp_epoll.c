/* epoll over TCP: level, edge and one-shot; EPOLLRDHUP, EPOLLHUP and EPOLLERR; what an edge is. */
#include "net.h"
#include <sys/epoll.h>

static int epoll;

static unsigned next_events(int timeout_ms) {
    struct epoll_event event = {0};
    return NEED(epoll_wait(epoll, &event, 1, timeout_ms)) == 1 ? event.events : 0;
}

static void watch(int operation, int fd, unsigned events) {
    struct epoll_event event = {.events = events, .data.fd = fd};
    NEED(epoll_ctl(epoll, operation, fd, &event));
}

static void level(void) {
    int pair[2];
    char text[8];
    tcp_pair(pair);
    watch(EPOLL_CTL_ADD, pair[0], EPOLLIN | EPOLLRDHUP);
    CHECK_EQ(next_events(0), 0);
    CHECK_EQ(write(pair[1], "ab", 2), 2);
    CHECK_EQ(next_events(1000), EPOLLIN);
    CHECK_EQ(next_events(0), EPOLLIN);
    CHECK_EQ(read(pair[0], text, 1), 1);
    CHECK_EQ(next_events(0), EPOLLIN);
    CHECK_EQ(read(pair[0], text, 1), 1);
    CHECK_EQ(next_events(0), 0);
    shutdown(pair[1], SHUT_WR);
    CHECK_EQ(next_events(1000), EPOLLIN | EPOLLRDHUP);
    shutdown(pair[0], SHUT_WR);
    for (int i = 0; i < 100 && next_events(0) != (EPOLLIN | EPOLLRDHUP | EPOLLHUP); i++)
        sleep_ms(1);
    CHECK_EQ(next_events(0), EPOLLIN | EPOLLRDHUP | EPOLLHUP);
    close_pair(pair);
    CHECK_EQ(next_events(0), 0);
}

static void edge(void) {
    int pair[2];
    char text[8];
    tcp_pair(pair);
    watch(EPOLL_CTL_ADD, pair[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
    CHECK_EQ(next_events(0), EPOLLOUT);
    CHECK_EQ(next_events(0), 0);
    CHECK_EQ(write(pair[1], "ab", 2), 2);
    CHECK_EQ(next_events(1000), EPOLLIN | EPOLLOUT);
    CHECK_EQ(next_events(0), 0);
    /* Not read, but more comes: an edge. */
    CHECK_EQ(write(pair[1], "cd", 2), 2);
    CHECK_EQ(next_events(1000), EPOLLIN | EPOLLOUT);
    /* Read in part: none. */
    CHECK_EQ(read(pair[0], text, 1), 1);
    CHECK_EQ(next_events(0), 0);
    /* Setting it again shows what is there. */
    watch(EPOLL_CTL_MOD, pair[0], EPOLLIN | EPOLLET);
    CHECK_EQ(next_events(0), EPOLLIN);
    CHECK_EQ(next_events(0), 0);
    CHECK_EQ(read(pair[0], text, 3), 3);
    watch(EPOLL_CTL_MOD, pair[0], EPOLLIN | EPOLLRDHUP | EPOLLET);
    CHECK_EQ(next_events(0), 0);
    close(pair[1]);
    CHECK_EQ(next_events(1000), EPOLLIN | EPOLLRDHUP);
    CHECK_EQ(next_events(0), 0);
    close(pair[0]);
}

/* A full connection becomes writable once the peer has read; with EPOLLET exactly then. */
static void becomes_writable(void) {
    static char block[65536];
    int pair[2];
    tcp_pair(pair);
    set_nonblocking(pair[0]);
    set_nonblocking(pair[1]);
    watch(EPOLL_CTL_ADD, pair[0], EPOLLOUT | EPOLLET);
    CHECK_EQ(next_events(0), EPOLLOUT);
    long sent = 0, received = 0, done;
    /* The kernel may take more while the peer's window grows: full is what stays full. */
    for (int quiet = 0; quiet < 3; quiet++, sleep_ms(3))
        while ((done = send(pair[0], block, sizeof block, MSG_NOSIGNAL)) > 0)
            sent += done, quiet = 0;
    CHECK_EQ(errno, EAGAIN);
    while (next_events(0) != 0) {
    }
    CHECK_EQ(ready(pair[0], POLLOUT, 0), 0);
    while (received < sent) {
        done = recv(pair[1], block, sizeof block, 0);
        if (done < 0) {
            CHECK_EQ(errno, EAGAIN);
            if (wait_ready(pair[1], POLLIN) == 0)
                break;
            continue;
        }
        received += done;
    }
    CHECK_EQ(received, sent);
    CHECK_EQ(next_events(1000), EPOLLOUT);
    close_pair(pair);
}

static void one_shot_and_errors(void) {
    int pair[2];
    char text[8];
    tcp_pair(pair);
    watch(EPOLL_CTL_ADD, pair[0], EPOLLIN | EPOLLONESHOT);
    CHECK_EQ(write(pair[1], "a", 1), 1);
    CHECK_EQ(next_events(1000), EPOLLIN);
    CHECK_EQ(write(pair[1], "b", 1), 1);
    CHECK_EQ(next_events(5), 0);
    watch(EPOLL_CTL_MOD, pair[0], EPOLLIN | EPOLLONESHOT);
    CHECK_EQ(next_events(1000), EPOLLIN);
    CHECK_EQ(read(pair[0], text, 2), 2);
    /* A reset is told unasked. */
    watch(EPOLL_CTL_MOD, pair[0], 0);
    CHECK_EQ(write(pair[0], "unread", 6), 6);
    wait_ready(pair[1], POLLIN);
    close(pair[1]);
    CHECK_EQ(next_events(1000), EPOLLERR | EPOLLHUP);
    close(pair[0]);

    address_t address;
    int fd = new_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
    watch(EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT);
    CHECK_EQ(next_events(0), EPOLLOUT | EPOLLHUP); /* a new socket is in the closed state */
    int bound = bound_socket(AF_INET, SOCK_STREAM, &address);
    CHECK_ERR(try_connect(fd, &address), EINPROGRESS);
    CHECK_EQ(next_events(1000), EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP);
    CHECK_EQ(option_of(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
    close(fd), close(bound);
}

static void listeners(void) {
    address_t address;
    int server = listener(AF_INET, 4, &address), clients[2];
    watch(EPOLL_CTL_ADD, server, EPOLLIN | EPOLLOUT | EPOLLET);
    CHECK_EQ(next_events(0), 0);
    for (int i = 0; i < 2; i++) {
        clients[i] = connected_to(&address);
        CHECK_EQ(next_events(1000), EPOLLIN);
        CHECK_EQ(next_events(0), 0);
    }
    close((int)NEED(accept(server, NULL, NULL)));
    CHECK_EQ(next_events(0), 0);
    watch(EPOLL_CTL_MOD, server, EPOLLIN);
    CHECK_EQ(next_events(0), EPOLLIN);
    close((int)NEED(accept(server, NULL, NULL)));
    CHECK_EQ(next_events(0), 0);
    close(server), close(clients[0]), close(clients[1]);
}

int main(void) {
    epoll = (int)NEED(epoll_create1(EPOLL_CLOEXEC));
    level();
    edge();
    becomes_writable();
    one_shot_and_errors();
    listeners();
    return VERDICT();
}
