/* net_server PORT: one thread, epoll. PORT echoes, PORT+1 takes and drops, PORT+2 sends for ever. */
#include "measure.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ECHO, SINK, SOURCE, KINDS, EVENTS = 256, CHUNK = 256 * 1024, MOST_FDS = 1 << 16 };

static unsigned char kind_of[MOST_FDS];
static char chunk[CHUNK];

static int listen_on(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    require(fd >= 0, "socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    require(bind(fd, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    require(listen(fd, 4096) == 0, "listen");
    return fd;
}

static void watch(int epoll, int fd, unsigned events) {
    struct epoll_event event = {.events = events, .data.fd = fd};
    require(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

static void accept_all(int epoll, int listener, unsigned char kind) {
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        int one = 1;
        require(fd < MOST_FDS, "descriptor");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        kind_of[fd] = kind;
        watch(epoll, fd, kind == SOURCE ? EPOLLOUT : EPOLLIN);
    }
}

/* Whether the connection goes on. */
static int serve(int fd) {
    if (kind_of[fd] == SOURCE)
        return write(fd, chunk, sizeof chunk) >= 0 || errno == EAGAIN;
    ssize_t count = read(fd, chunk, kind_of[fd] == ECHO ? 4096 : sizeof chunk);
    if (count < 0)
        return errno == EAGAIN;
    return count > 0 && (kind_of[fd] == SINK || write(fd, chunk, (size_t)count) == count);
}

int main(int argc, char **argv) {
    int port = argc > 1 ? atoi(argv[1]) : 7000, listeners[KINDS], epoll = epoll_create1(0);
    struct rlimit limit;
    signal(SIGPIPE, SIG_IGN);
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    for (int kind = 0; kind < KINDS; kind++)
        watch(epoll, listeners[kind] = listen_on(port + kind), EPOLLIN);
    puts("up");
    fflush(stdout);
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd, kind;
            for (kind = 0; kind < KINDS && listeners[kind] != fd; kind++) {
            }
            if (kind < KINDS)
                accept_all(epoll, fd, (unsigned char)kind);
            else if (!serve(fd))
                close(fd);
        }
    }
}
