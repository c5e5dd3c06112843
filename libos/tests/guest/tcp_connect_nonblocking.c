/* Nonblocking connect: EINPROGRESS, what poll says, SO_ERROR, connecting again; blocking connect refused. */
#include "net.h"

static void succeeds(int family) {
    address_t address;
    int server = listener(family, 1, &address);
    int fd = new_socket(family, SOCK_STREAM | SOCK_NONBLOCK);
    CHECK_EQ(ready(fd, POLLIN | POLLOUT, 0), POLLOUT | POLLHUP);
    CHECK_ERR(try_connect(fd, &address), EINPROGRESS);
    CHECK_EQ(wait_ready(fd, POLLIN | POLLOUT), POLLOUT);
    CHECK_EQ(option_of(fd, SOL_SOCKET, SO_ERROR), 0);
    CHECK_OK(try_connect(fd, &address));
    CHECK_ERR(try_connect(fd, &address), EISCONN);
    address_t peer;
    socklen_t length = sizeof peer;
    CHECK_OK(getpeername(fd, &peer.any, &length));
    CHECK_EQ(port_of(&peer), port_of(&address));
    close(fd), close(server);
}

static void refused(int family) {
    address_t address;
    char byte;
    /* Nobody listens where a socket is only bound. */
    int bound = bound_socket(family, SOCK_STREAM, &address);
    int fd = new_socket(family, SOCK_STREAM | SOCK_NONBLOCK);
    CHECK_ERR(try_connect(fd, &address), EINPROGRESS);
    CHECK_EQ(wait_ready(fd, POLLIN | POLLOUT | POLLRDHUP),
             POLLIN | POLLOUT | POLLRDHUP | POLLERR | POLLHUP);
    CHECK_EQ(option_of(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
    CHECK_EQ(option_of(fd, SOL_SOCKET, SO_ERROR), 0);
    /* An error that was taken is told as ECONNABORTED by connect; then the socket can be used again. */
    CHECK_ERR(try_connect(fd, &address), ECONNABORTED);
    CHECK_ERR(try_connect(fd, &address), EINPROGRESS);
    wait_ready(fd, POLLOUT);
    CHECK_ERR(try_connect(fd, &address), ECONNREFUSED);
    CHECK_ERR(try_connect(fd, &address), EINPROGRESS);
    wait_ready(fd, POLLOUT);
    CHECK_ERR(read(fd, &byte, 1), ECONNREFUSED);
    CHECK_EQ(read(fd, &byte, 1), 0);
    CHECK_ERR(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
    close(fd);

    fd = new_socket(family, SOCK_STREAM);
    CHECK_ERR(try_connect(fd, &address), ECONNREFUSED);
    CHECK_EQ(option_of(fd, SOL_SOCKET, SO_ERROR), 0);
    CHECK_ERR(read(fd, &byte, 1), ENOTCONN);
    CHECK_ERR(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK_ERR(try_connect(fd, &address), ECONNREFUSED);
    CHECK_OK(listen(bound, 1));
    CHECK_OK(try_connect(fd, &address));
    close(fd), close(bound);
}

int main(void) {
    int families[] = {AF_INET, AF_INET6};
    for (int i = 0; i < 2; i++) {
        succeeds(families[i]);
        refused(families[i]);
    }
    int fd = new_socket(AF_INET, SOCK_STREAM);
    address_t address = loopback(AF_INET, 9);
    CHECK_ERR(connect(fd, &address.any, 1), EINVAL);
    CHECK_ERR(connect(fd, &address.any, sizeof address.v4 - 1), EINVAL);
    CHECK_ERR(syscall(SYS_connect, fd, 16, sizeof address.v4), EFAULT);
    address.any.sa_family = AF_UNIX;
    CHECK_ERR(connect(fd, &address.any, sizeof address.v4), EAFNOSUPPORT);
    address.any.sa_family = AF_INET6;
    CHECK_ERR(connect(fd, &address.any, sizeof address.v6), EAFNOSUPPORT);
    address.any.sa_family = AF_UNSPEC;
    CHECK_OK(connect(fd, &address.any, sizeof address.v4));
    return VERDICT();
}
