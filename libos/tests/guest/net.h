/* Sockets over the loopback, for the guest programs that test the network. */
#ifndef NET_H
#define NET_H
#include "check.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

typedef union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage room;
} address_t;

/* 127.0.0.1 or ::1 with a port in host order. */
static inline address_t loopback(int family, int port) {
    address_t address;
    memset(&address, 0, sizeof address);
    address.any.sa_family = (sa_family_t)family;
    if (family == AF_INET) {
        address.v4.sin_port = htons((uint16_t)port);
        address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
        address.v6.sin6_port = htons((uint16_t)port);
        address.v6.sin6_addr = in6addr_loopback;
    }
    return address;
}

static inline socklen_t address_length(const address_t *address) {
    return address->any.sa_family == AF_INET ? sizeof address->v4 : sizeof address->v6;
}

static inline int port_of(const address_t *address) {
    return ntohs(address->any.sa_family == AF_INET ? address->v4.sin_port : address->v6.sin6_port);
}

static inline address_t local_address(int fd) {
    address_t address;
    memset(&address, 0, sizeof address);
    socklen_t length = sizeof address;
    NEED(getsockname(fd, &address.any, &length));
    return address;
}

static inline int try_bind(int fd, const address_t *address) {
    return bind(fd, &address->any, address_length(address));
}

static inline int try_connect(int fd, const address_t *address) {
    return connect(fd, &address->any, address_length(address));
}

static inline int new_socket(int family, int type) {
    return (int)NEED(socket(family, type, 0));
}

/* A socket bound to a free port of the loopback; its address. */
static inline int bound_socket(int family, int type, address_t *address) {
    int fd = new_socket(family, type);
    *address = loopback(family, 0);
    NEED(try_bind(fd, address));
    *address = local_address(fd);
    return fd;
}

static inline int listener(int family, int backlog, address_t *address) {
    int fd = bound_socket(family, SOCK_STREAM, address);
    NEED(listen(fd, backlog));
    return fd;
}

static inline int connected_to(const address_t *address) {
    int fd = new_socket(address->any.sa_family, SOCK_STREAM);
    NEED(try_connect(fd, address));
    return fd;
}

/* Two ends of a TCP connection: the one that connected and the one that was accepted. */
static inline void tcp_pair_of(int family, int pair[2]) {
    address_t address;
    int server = listener(family, 1, &address);
    pair[0] = connected_to(&address);
    pair[1] = (int)NEED(accept(server, NULL, NULL));
    close(server);
}

static inline void tcp_pair(int pair[2]) {
    tcp_pair_of(AF_INET, pair);
}

static inline void close_pair(int pair[2]) {
    close(pair[0]);
    close(pair[1]);
}

static inline void set_nonblocking(int fd) {
    NEED(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK));
}

static inline int option_of(int fd, int level, int option) {
    int value = -12345;
    socklen_t length = sizeof value;
    CHECK_OK(getsockopt(fd, level, option, &value, &length));
    CHECK_EQ(length, sizeof value);
    return value;
}

static inline int set_option(int fd, int level, int option, int value) {
    return setsockopt(fd, level, option, &value, sizeof value);
}

/* What poll says of these events within so many milliseconds; errors and hang-ups show as well. */
static inline int ready(int fd, int events, int timeout_ms) {
    struct pollfd entry = {fd, (short)events, 0};
    NEED(poll(&entry, 1, timeout_ms));
    return entry.revents;
}

/* Waits until the events show, at most two seconds; what poll says then. */
static inline int wait_ready(int fd, int events) {
    return ready(fd, events, 2000);
}

static inline void send_all(int fd, const void *bytes, size_t length) {
    const char *next = bytes;
    while (length > 0) {
        ssize_t sent = NEED(send(fd, next, length, MSG_NOSIGNAL));
        next += sent;
        length -= (size_t)sent;
    }
}

/* Reads so many bytes, unless the end comes before; how many. */
static inline size_t receive_all(int fd, void *bytes, size_t length) {
    size_t done = 0;
    while (done < length) {
        ssize_t received = NEED(recv(fd, (char *)bytes + done, length - done, 0));
        if (received == 0)
            break;
        done += (size_t)received;
    }
    return done;
}
#endif
