/* Edge-triggered epoll: a writer that met EAGAIN, and does not poll again, is told once its reader made room. */
#include "net.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>

static void nonblocking(int fd) { NEED(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK)); }

static int edges(int epoll) {
    struct epoll_event event = {0};
    int count = epoll_wait(epoll, &event, 1, 1000);
    return count == 1 ? (int)event.events : -count;
}

static long fill(int fd, size_t size) {
    static char bytes[4096];
    long total = 0, written;
    while ((written = write(fd, bytes, size)) > 0)
        total += written;
    CHECK_EQ(errno, EAGAIN);
    return total;
}

static void drain(int fd) {
    static char bytes[65536];
    long quiet = 0;
    /* What is under way between sockets may come a little later. */
    while (quiet < 3) {
        if (read(fd, bytes, sizeof bytes) > 0) {
            quiet = 0;
        } else {
            quiet++;
            sleep_ms(2);
        }
    }
}

static void try_writer(const char *name, int writer, int reader, size_t size) {
    struct epoll_event event = {.events = EPOLLOUT | EPOLLET};
    nonblocking(writer);
    nonblocking(reader);
    int epoll = (int)NEED(epoll_create1(0));
    NEED(epoll_ctl(epoll, EPOLL_CTL_ADD, writer, &event));
    CHECK_EQ(edges(epoll), EPOLLOUT);
    for (int round = 0; round < 3; round++) {
        CHECK(fill(writer, size) > 0);
        drain(reader);
        int found = edges(epoll);
        if (found != EPOLLOUT)
            printf("%s, round %d:\n", name, round);
        CHECK_EQ(found, EPOLLOUT);
    }
    close(epoll);
    close(writer);
    close(reader);
}

int main(void) {
    int pair[2];
    NEED(pipe(pair));
    try_writer("pipe", pair[1], pair[0], 4096);
    NEED(pipe(pair));
    try_writer("pipe, odd sizes", pair[1], pair[0], 1001);
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    try_writer("unix stream", pair[0], pair[1], 11);
    NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
    try_writer("unix datagrams", pair[0], pair[1], 100);
    NEED(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
    try_writer("unix packets", pair[0], pair[1], 100);
    tcp_pair(pair);
    try_writer("tcp", pair[0], pair[1], 1001);
    return VERDICT();
}
