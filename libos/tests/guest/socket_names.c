/* getsockname and getpeername: in each state, with short and long buffers, and refusals. */
#include "net.h"
#include <sys/un.h>

static void unnamed(int fd, int family) {
    address_t address;
    socklen_t length = sizeof address;
    memset(&address, 0xff, sizeof address);
    CHECK_OK(getsockname(fd, &address.any, &length));
    CHECK_EQ(address.any.sa_family, family);
    CHECK_EQ(length, address_length(&address));
    CHECK_EQ(port_of(&address), 0);
    CHECK_ERR(getpeername(fd, &address.any, &length), ENOTCONN);
}

static void of(int family, int type) {
    address_t address, peer;
    int fd = new_socket(family, type);
    unnamed(fd, family);
    close(fd);
    fd = bound_socket(family, type, &address);
    socklen_t length = sizeof peer;
    CHECK_ERR(getpeername(fd, &peer.any, &length), ENOTCONN);
    if (type == SOCK_STREAM)
        NEED(listen(fd, 1));
    CHECK_ERR(getpeername(fd, &peer.any, &length), ENOTCONN);
    int client = new_socket(family, type);
    NEED(try_connect(client, &address));
    CHECK_OK(getpeername(client, &peer.any, &length));
    CHECK_EQ(length, address_length(&address));
    CHECK_EQ(memcmp(&peer, &address, length), 0);
    address_t own = local_address(client);
    CHECK(port_of(&own) != 0);
    close(client), close(fd);
}

int main(void) {
    int families[] = {AF_INET, AF_INET6};
    for (int i = 0; i < 2; i++) {
        of(families[i], SOCK_STREAM);
        of(families[i], SOCK_DGRAM);
    }
    int pair[2];
    tcp_pair(pair);
    /* A short buffer gets what fits, and the whole length. */
    address_t address;
    memset(&address, 0xff, sizeof address);
    socklen_t length = 4;
    CHECK_OK(getsockname(pair[0], &address.any, &length));
    CHECK_EQ(length, sizeof address.v4);
    CHECK_EQ(address.any.sa_family, AF_INET);
    CHECK_EQ(((unsigned char *)&address)[4], 0xff);
    length = 0;
    CHECK_OK(getpeername(pair[0], &address.any, &length));
    CHECK_EQ(length, sizeof address.v4);
    length = (socklen_t)-1;
    CHECK_ERR(getsockname(pair[0], &address.any, &length), EINVAL);
    CHECK_ERR(syscall(SYS_getsockname, pair[0], &address, 16), EFAULT);
    length = sizeof address;
    CHECK_ERR(syscall(SYS_getsockname, pair[0], 16, &length), EFAULT);
    CHECK_ERR(getsockname(1, &address.any, &length), ENOTSOCK);
    CHECK_ERR(getpeername(-1, &address.any, &length), EBADF);
    /* The name stays when the peer has gone in order, but not the peer's after both have ended. */
    close(pair[1]);
    char byte;
    CHECK_EQ(read(pair[0], &byte, 1), 0);
    CHECK_OK(getpeername(pair[0], &address.any, &length));
    CHECK_OK(shutdown(pair[0], SHUT_WR));
    sleep_ms(2);
    CHECK_ERR(getpeername(pair[0], &address.any, &length), ENOTCONN);
    CHECK_OK(getsockname(pair[0], &address.any, &length));
    close(pair[0]);
    return VERDICT();
}
