/* Options of SOL_SOCKET: initial values, buffer sizes that double, ranges, lengths, refusals; sizes of ioctl's answers. */
#include "net.h"

static void switches(int fd) {
    static const int options[] = {SO_REUSEADDR, SO_REUSEPORT, SO_KEEPALIVE, SO_BROADCAST, SO_OOBINLINE, SO_TIMESTAMP};
    for (size_t i = 0; i < COUNT(options); i++) {
        CHECK_EQ(option_of(fd, SOL_SOCKET, options[i]), 0);
        CHECK_OK(set_option(fd, SOL_SOCKET, options[i], 5));
        CHECK_EQ(option_of(fd, SOL_SOCKET, options[i]), 1);
        CHECK_OK(set_option(fd, SOL_SOCKET, options[i], 0));
        CHECK_EQ(option_of(fd, SOL_SOCKET, options[i]), 0);
    }
}

static void buffers(int fd) {
    CHECK(option_of(fd, SOL_SOCKET, SO_RCVBUF) >= 4096);
    CHECK(option_of(fd, SOL_SOCKET, SO_SNDBUF) >= 4096);
    CHECK_OK(set_option(fd, SOL_SOCKET, SO_RCVBUF, 50000));
    CHECK_EQ(option_of(fd, SOL_SOCKET, SO_RCVBUF), 100000);
    CHECK_OK(set_option(fd, SOL_SOCKET, SO_SNDBUF, 60000));
    CHECK_EQ(option_of(fd, SOL_SOCKET, SO_SNDBUF), 120000);
    /* Too little or too much becomes the least or the most. */
    CHECK_OK(set_option(fd, SOL_SOCKET, SO_RCVBUF, 0));
    int least = option_of(fd, SOL_SOCKET, SO_RCVBUF);
    CHECK(least >= 1024 && least <= 4096);
    CHECK_OK(set_option(fd, SOL_SOCKET, SO_SNDBUF, 1));
    least = option_of(fd, SOL_SOCKET, SO_SNDBUF);
    CHECK(least >= 2048 && least <= 8192);
    CHECK_OK(set_option(fd, SOL_SOCKET, SO_RCVBUF, INT_MAX / 2));
    CHECK(option_of(fd, SOL_SOCKET, SO_RCVBUF) >= 100000);
    CHECK_OK(set_option(fd, SOL_SOCKET, SO_RCVBUF, -1));
}

static void descriptions(void) {
    static const struct {
        int family, type, protocol, resulting;
    } kinds[] = {
        {AF_INET, SOCK_STREAM, 0, IPPROTO_TCP},
        {AF_INET6, SOCK_STREAM, IPPROTO_TCP, IPPROTO_TCP},
        {AF_INET, SOCK_DGRAM, 0, IPPROTO_UDP},
        {AF_INET6, SOCK_DGRAM, IPPROTO_UDP, IPPROTO_UDP},
        {AF_UNIX, SOCK_STREAM, 0, 0},
        {AF_UNIX, SOCK_SEQPACKET, 0, 0},
    };
    for (size_t i = 0; i < COUNT(kinds); i++) {
        int fd = (int)NEED(socket(kinds[i].family, kinds[i].type | SOCK_CLOEXEC, kinds[i].protocol));
        CHECK_EQ(option_of(fd, SOL_SOCKET, SO_DOMAIN), kinds[i].family);
        CHECK_EQ(option_of(fd, SOL_SOCKET, SO_TYPE), kinds[i].type);
        CHECK_EQ(option_of(fd, SOL_SOCKET, SO_PROTOCOL), kinds[i].resulting);
        CHECK_EQ(option_of(fd, SOL_SOCKET, SO_ACCEPTCONN), 0);
        CHECK_EQ(option_of(fd, SOL_SOCKET, SO_ERROR), 0);
        CHECK_ERR(set_option(fd, SOL_SOCKET, SO_TYPE, 1), ENOPROTOOPT);
        close(fd);
    }
}

static void kinds_refused(void) {
    CHECK_ERR(socket(9999, SOCK_STREAM, 0), EAFNOSUPPORT);
    CHECK_ERR(socket(AF_INET, 77, 0), EINVAL);
    CHECK_ERR(socket(AF_INET, SOCK_STREAM | 0x40, 0), EINVAL);
    CHECK_ERR(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
    CHECK_ERR(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP), EPROTONOSUPPORT);
    CHECK_ERR(socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
    CHECK_ERR(socket(AF_INET6, SOCK_RDM, 0), ESOCKTNOSUPPORT);
    CHECK_ERR(socket(AF_INET, SOCK_RAW, 0), EPROTONOSUPPORT);
    CHECK_ERR(socket(AF_INET, SOCK_STREAM, 300), EINVAL);
    CHECK_ERR(socket(AF_UNIX, SOCK_STREAM, 5), EPROTONOSUPPORT);
    int pair[2];
    CHECK_ERR(socketpair(AF_INET, SOCK_STREAM, 0, pair), EOPNOTSUPP);
}

int main(void) {
    int fd = new_socket(AF_INET, SOCK_STREAM), value = 0;
    switches(fd);
    buffers(fd);
    descriptions();
    kinds_refused();
    CHECK_OK(set_option(fd, SOL_SOCKET, SO_PRIORITY, 4));
    CHECK_EQ(option_of(fd, SOL_SOCKET, SO_PRIORITY), 4);
    struct linger linger = {.l_onoff = 0};
    socklen_t length = sizeof linger;
    CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length));
    CHECK_EQ(linger.l_onoff, 0);

    /* Lengths: shorter answers are cut, the length is written back; too short a setting is refused. */
    length = 2;
    CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length));
    CHECK_EQ(length, 2);
    char wide[16];
    length = sizeof wide;
    CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_TYPE, wide, &length));
    CHECK_EQ(length, 4);
    length = (socklen_t)-1;
    CHECK_ERR(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &length), EINVAL);
    CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, 3), EINVAL);
    CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_LINGER, &value, 4), EINVAL);
    CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &value, 4), EINVAL);
    CHECK_ERR(syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_KEEPALIVE, 16, 4), EFAULT);
    length = sizeof value;
    CHECK_ERR(syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, 16, &length), EFAULT);
    CHECK_ERR(syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &value, 16), EFAULT);
    CHECK_ERR(set_option(fd, SOL_SOCKET, 9999, 1), ENOPROTOOPT);
    CHECK_ERR(getsockopt(fd, SOL_SOCKET, 9999, &value, &length), ENOPROTOOPT);
    CHECK_ERR(set_option(fd, 9999, 1, 1), ENOPROTOOPT);
    CHECK_ERR(set_option(-1, SOL_SOCKET, SO_KEEPALIVE, 1), EBADF);
    CHECK_ERR(set_option(1, SOL_SOCKET, SO_KEEPALIVE, 1), ENOTSOCK);
    close(fd);

    /* What is accepted has the listener's options. */
    address_t address;
    fd = listener(AF_INET, 1, &address);
    CHECK_OK(set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1));
    CHECK_OK(set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1));
    CHECK_OK(set_option(fd, SOL_SOCKET, SO_SNDBUF, 30000));
    CHECK_OK(fcntl(fd, F_SETFL, O_NONBLOCK));
    int client = connected_to(&address);
    wait_ready(fd, POLLIN);
    int accepted = (int)NEED(accept(fd, NULL, NULL));
    CHECK_EQ(option_of(accepted, SOL_SOCKET, SO_KEEPALIVE), 1);
    CHECK_EQ(option_of(accepted, IPPROTO_TCP, TCP_NODELAY), 1);
    CHECK_EQ(option_of(accepted, SOL_SOCKET, SO_SNDBUF), 60000);
    CHECK_EQ(fcntl(accepted, F_GETFL) & O_NONBLOCK, 0); /* unlike on other systems */

    int on = 1;
    CHECK_OK(ioctl(client, FIONBIO, &on));
    CHECK_EQ(fcntl(client, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    CHECK_ERR(ioctl(client, 0x12345678, &on), ENOTTY);
    struct stat status;
    CHECK_OK(fstat(client, &status));
    CHECK(S_ISSOCK(status.st_mode));
    CHECK_ERR(lseek(client, 0, SEEK_SET), ESPIPE);
    CHECK_ERR(pread(client, &value, 1, 0), ESPIPE);
    char link[64], path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", client);
    ssize_t size = NEED(readlink(path, link, sizeof link - 1));
    link[size] = 0;
    CHECK_EQ(strncmp(link, "socket:[", 8), 0);
    return VERDICT();
}
