/* Loads a net_server. Each use prints one number.
 *   net_client HOST PORT rr CONNECTIONS SIZE SECONDS    requests of SIZE bytes answered in a second
 *   net_client HOST PORT latency SECONDS                microseconds of one connection's round trip, median
 *   net_client HOST PORT send SECONDS                   Gbit/s to PORT+1
 *   net_client HOST PORT receive SECONDS                Gbit/s from PORT+2
 *   net_client HOST PORT churn COUNT                    connections opened, used and closed in a second
 *   net_client HOST PORT hold CONNECTIONS               opens them, prints how many, holds them until stdin ends */
#include "measure.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 256 * 1024, EVENTS = 256, MOST_ROUNDS = 1 << 22 };

static struct sockaddr_in server;
static char chunk[CHUNK];

static int connect_to(int port) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in address = server;
    address.sin_port = htons((unsigned short)port);
    require(fd >= 0, "socket");
    require(connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void read_whole(int fd, size_t size) {
    for (size_t got = 0; got < size;) {
        ssize_t count = read(fd, chunk + got, size - got);
        require(count > 0, "read");
        got += (size_t)count;
    }
}

static void round_trip(int fd, size_t size) {
    require(write(fd, chunk, size) == (ssize_t)size, "write");
    read_whole(fd, size);
}

static void request_response(int port, int connections, size_t size, double seconds) {
    int epoll = epoll_create1(0), i;
    for (i = 0; i < connections; i++) {
        int fd = connect_to(port);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
        require(write(fd, chunk, size) == (ssize_t)size, "write");
    }
    double start = now_ns(), end = start + seconds * 1e9;
    long done = 0;
    while (now_ns() < end) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, 1000);
        require(count > 0, "no answer for a second: epoll_wait");
        for (i = 0; i < count; i++) {
            read_whole(events[i].data.fd, size);
            require(write(events[i].data.fd, chunk, size) == (ssize_t)size, "write");
        }
        done += count;
    }
    printf("%.0f\n", (double)done / (now_ns() - start) * 1e9);
}

static int ascending(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void latency(int port, double seconds) {
    static float rounds[MOST_ROUNDS];
    int fd = connect_to(port), count = 0;
    for (double end = now_ns() + seconds * 1e9; now_ns() < end && count < MOST_ROUNDS; count++) {
        double start = now_ns();
        round_trip(fd, 1);
        rounds[count] = (float)((now_ns() - start) / 1e3);
    }
    qsort(rounds, (size_t)count, sizeof *rounds, ascending);
    printf("%.2f\n", rounds[count / 2]);
}

static void bulk(int fd, int sends, double seconds) {
    double start = now_ns(), bytes = 0;
    while (now_ns() < start + seconds * 1e9) {
        ssize_t count = sends ? write(fd, chunk, sizeof chunk) : read(fd, chunk, sizeof chunk);
        require(count > 0, sends ? "write" : "read");
        bytes += (double)count;
    }
    printf("%.2f\n", bytes * 8 / (now_ns() - start));
}

static void churn(int port, int count) {
    double start = now_ns();
    for (int i = 0; i < count; i++) {
        int fd = connect_to(port);
        round_trip(fd, 1);
        /* Reset, so that the client's ports do not run out. */
        struct linger reset = {.l_onoff = 1};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
    }
    printf("%.0f\n", count / (now_ns() - start) * 1e9);
}

static void hold(int port, int connections) {
    for (int i = 0; i < connections; i++)
        round_trip(connect_to(port), 1);
    printf("%d\n", connections);
    fflush(stdout);
    while (read(0, chunk, 1) > 0) {
    }
}

int main(int argc, char **argv) {
    require(argc > 4, "usage: see the head of net_client.c");
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    server.sin_family = AF_INET;
    require(inet_pton(AF_INET, argv[1], &server.sin_addr) == 1, "address");
    int port = atoi(argv[2]);
    const char *what = argv[3];
    double number = atof(argv[4]);
    if (!strcmp(what, "rr") && argc > 6)
        request_response(port, (int)number, (size_t)atoi(argv[5]), atof(argv[6]));
    else if (!strcmp(what, "latency"))
        latency(port, number);
    else if (!strcmp(what, "send"))
        bulk(connect_to(port + 1), 1, number);
    else if (!strcmp(what, "receive"))
        bulk(connect_to(port + 2), 0, number);
    else if (!strcmp(what, "churn"))
        churn(port, (int)number);
    else if (!strcmp(what, "hold"))
        hold(port, (int)number);
    else
        require(0, "unknown use");
    return 0;
}
