/* linger server ADDRESS PORT
 * linger client ADDRESS PORT
 *
 * What close(2) does under SO_LINGER. The server lets its first connection wait before it reads all of it, never reads
 * the second, and ends with the third. The client says how long its closes took, against what they must take. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SENT = 100000, RECEIVE_BUFFER = 4096, SEND_BUFFER = 1 << 20 };
/* In milliseconds; timers may be a little early against the other's clock. */
enum { UNREAD_FOR = 500, AT_LEAST_UNREAD = 300, LINGER_LONG = 20000, LINGER_SHORT = 1000, AT_LEAST_SHORT = 950 };

static char buffer[SENT];

static void require(int holds, const char *what) {
    if (!holds) {
        perror(what);
        exit(1);
    }
}

static long milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct sockaddr_in address_of(char **arguments) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(arguments[1])) };
    require(inet_pton(AF_INET, arguments[0], &address.sin_addr) == 1, arguments[0]);
    return address;
}

static void serve(struct sockaddr_in address) {
    int listener = socket(AF_INET, SOCK_STREAM, 0), size = RECEIVE_BUFFER, one = 1;
    require(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) == 0, "SO_RCVBUF");
    require(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0, "SO_REUSEADDR");
    require(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    require(listen(listener, 3) == 0, "listen");
    puts("up");
    fflush(stdout);
    int first = accept(listener, NULL, NULL);
    require(first >= 0, "accept");
    usleep(UNREAD_FOR * 1000);
    long total = 0;
    for (ssize_t count; (count = read(first, buffer, sizeof buffer)) > 0;) total += count;
    printf("%ld bytes and the end\n", total);
    close(first);
    int second = accept(listener, NULL, NULL);
    int third = accept(listener, NULL, NULL);
    require(second >= 0 && third >= 0, "accept");
}

static int connected(struct sockaddr_in address) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), size = SEND_BUFFER;
    require(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0, "SO_SNDBUF");
    require(connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "connect");
    return fd;
}

/* How long a close of a connection takes that holds unread data. */
static long close_after(struct sockaddr_in address, int linger_ms, int flags) {
    int fd = connected(address);
    struct linger linger = { 1, linger_ms / 1000 };
    require(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) == 0, "SO_LINGER");
    require(write(fd, buffer, SENT) == SENT, "write");
    require(fcntl(fd, F_SETFL, flags) == 0, "F_SETFL");
    long begun = milliseconds();
    require(close(fd) == 0, "close");
    return milliseconds() - begun;
}

static void ask(struct sockaddr_in address) {
    long took = close_after(address, LINGER_LONG, O_NONBLOCK);
    int waited = took >= AT_LEAST_UNREAD && took < LINGER_LONG;
    printf("closed once all was acknowledged: %s\n", waited ? "yes" : "no");
    took = close_after(address, LINGER_SHORT, 0);
    printf("closed when the time was over: %s\n", took >= AT_LEAST_SHORT ? "yes" : "no");
    close(connected(address));
}

int main(int count, char **arguments) {
    if (count != 4) {
        fputs("expected: linger server|client ADDRESS PORT\n", stderr);
        return 2;
    }
    alarm(30);
    struct sockaddr_in address = address_of(arguments + 2);
    strcmp(arguments[1], "server") == 0 ? serve(address) : ask(address);
    return 0;
}
