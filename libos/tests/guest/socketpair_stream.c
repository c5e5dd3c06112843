/* socketpair, stream: both directions, MSG_PEEK, MSG_DONTWAIT, MSG_WAITALL, shutdown, EPIPE, options. */
#include "check.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

static int pair[2];

static void *send_in_parts(void *unused) {
    for (int i = 0; i < 4; i++) {
        sleep_ms(5);
        CHECK_EQ(send(pair[1], "abcd", 4, 0), 4);
    }
    return unused;
}

int main(void) {
    char text[32] = "";
    int value = 0;
    socklen_t length = sizeof value;
    NEED(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
    CHECK_EQ(fcntl(pair[0], F_GETFD), FD_CLOEXEC);
    CHECK_OK(getsockopt(pair[0], SOL_SOCKET, SO_TYPE, &value, &length));
    CHECK_EQ(value, SOCK_STREAM);
    CHECK_OK(getsockopt(pair[0], SOL_SOCKET, SO_DOMAIN, &value, &length));
    CHECK_EQ(value, AF_UNIX);
    CHECK_OK(getsockopt(pair[0], SOL_SOCKET, SO_ERROR, &value, &length));
    CHECK_EQ(value, 0);
    struct ucred peer;
    length = sizeof peer;
    CHECK_OK(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &peer, &length));
    CHECK_EQ(peer.pid, getpid());
    CHECK_EQ(peer.uid, geteuid());

    CHECK_EQ(write(pair[0], "one", 3), 3);
    CHECK_EQ(send(pair[0], "two", 3, MSG_NOSIGNAL), 3);
    CHECK_EQ(write(pair[1], "back", 4), 4);
    CHECK_OK(ioctl(pair[1], FIONREAD, &value));
    CHECK_EQ(value, 6);
    CHECK_EQ(recv(pair[1], text, 2, MSG_PEEK), 2);
    CHECK_EQ(recv(pair[1], text, sizeof text, 0), 6);
    CHECK_STR(text, "onetwo");
    CHECK_EQ(read(pair[0], text, sizeof text), 4);
    CHECK_ERR(recv(pair[0], text, 1, MSG_DONTWAIT), EAGAIN);

    pthread_t sender = start_thread(send_in_parts, NULL);
    CHECK_EQ(recv(pair[0], text, 16, MSG_WAITALL), 16);
    pthread_join(sender, NULL);

    struct timeval timeout = {0, 20000};
    CHECK_OK(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout));
    CHECK_ERR(recv(pair[0], text, 1, 0), EAGAIN);

    CHECK_EQ(write(pair[0], "last", 4), 4);
    CHECK_OK(shutdown(pair[0], SHUT_WR));
    CHECK_EQ(read(pair[1], text, sizeof text), 4);
    CHECK_EQ(read(pair[1], text, sizeof text), 0);
    struct pollfd ready = {pair[1], POLLIN | POLLRDHUP, 0};
    CHECK_EQ(poll(&ready, 1, 0), 1);
    CHECK_EQ(ready.revents, POLLIN | POLLRDHUP);
    CHECK_ERR(send(pair[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK_EQ(write(pair[1], "other way", 9), 9);
    close(pair[0]);
    CHECK_ERR(send(pair[1], "x", 1, MSG_NOSIGNAL), EPIPE);

    CHECK_ERR(socketpair(AF_UNIX, 99, 0, pair), EINVAL);
    CHECK_ERR(socketpair(AF_UNIX, SOCK_RDM, 0, pair), ESOCKTNOSUPPORT);
    CHECK_ERR(socketpair(9999, SOCK_STREAM, 0, pair), EAFNOSUPPORT);
    CHECK_ERR(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, 16), EFAULT);
    CHECK_ERR(send(1, "x", 1, 0), ENOTSOCK);
    CHECK_ERR(send(-1, "x", 1, 0), EBADF);
    return VERDICT();
}
