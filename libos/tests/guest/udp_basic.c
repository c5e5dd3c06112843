/* UDP over the loopback: unconnected and connected, filters, refused destinations, truncation, sizes, disconnecting. */
#include "net.h"

static void unconnected(int family) {
    address_t one, two, from;
    char text[16] = "";
    int a = bound_socket(family, SOCK_DGRAM, &one), b = bound_socket(family, SOCK_DGRAM, &two);
    socklen_t length = address_length(&two);
    CHECK_ERR(send(a, "x", 1, 0), EDESTADDRREQ);
    CHECK_EQ(sendto(a, "first", 5, 0, &two.any, length), 5);
    CHECK_EQ(sendto(a, "", 0, 0, &two.any, length), 0);
    CHECK_EQ(sendto(a, "second datagram", 15, 0, &two.any, length), 15);
    int count = -1;
    wait_ready(b, POLLIN);
    CHECK_OK(ioctl(b, FIONREAD, &count));
    CHECK_EQ(count, 5); /* of the first datagram */
    length = sizeof from;
    CHECK_EQ(recvfrom(b, text, sizeof text, MSG_PEEK, &from.any, &length), 5);
    CHECK_EQ(recvfrom(b, text, sizeof text, 0, &from.any, &length), 5);
    CHECK_EQ(length, address_length(&one));
    CHECK_EQ(port_of(&from), port_of(&one));
    CHECK_EQ(recv(b, text, sizeof text, 0), 0);
    CHECK_EQ(recv(b, text, 6, MSG_TRUNC | MSG_PEEK), 15);
    CHECK_EQ(recv(b, text, 6, 0), 6);
    CHECK_EQ(memcmp(text, "second", 6), 0);
    CHECK_ERR(recv(b, text, 6, MSG_DONTWAIT), EAGAIN);
    /* A socket that sends unbound gets a port. */
    int c = new_socket(family, SOCK_DGRAM);
    CHECK_EQ(sendto(c, "hi", 2, 0, &two.any, address_length(&two)), 2);
    address_t own = local_address(c);
    CHECK(port_of(&own) != 0);
    CHECK_EQ(recvfrom(b, text, sizeof text, 0, &from.any, &length), 2);
    CHECK_EQ(port_of(&from), port_of(&own));
    /* Nobody listens there: an unconnected socket does not learn of it. */
    close(a);
    CHECK_EQ(sendto(c, "lost", 4, 0, &one.any, address_length(&one)), 4);
    CHECK_ERR(recv(c, text, 1, MSG_DONTWAIT), EAGAIN);
    CHECK_EQ(sendto(c, "lost", 4, 0, &one.any, address_length(&one)), 4);
    close(b), close(c);
}

static void connected(int family) {
    address_t one, two, three;
    char text[16];
    int a = bound_socket(family, SOCK_DGRAM, &one), b = bound_socket(family, SOCK_DGRAM, &two);
    int c = bound_socket(family, SOCK_DGRAM, &three);
    CHECK_OK(try_connect(a, &two));
    CHECK_EQ(send(a, "to two", 6, 0), 6);
    CHECK_EQ(recv(b, text, sizeof text, 0), 6);
    /* It hears its peer alone, and may still send elsewhere. */
    CHECK_EQ(sendto(c, "stranger", 8, 0, &one.any, address_length(&one)), 8);
    CHECK_EQ(sendto(b, "peer", 4, 0, &one.any, address_length(&one)), 4);
    CHECK_EQ(recv(a, text, sizeof text, 0), 4);
    CHECK_EQ(sendto(a, "to three", 8, 0, &three.any, address_length(&three)), 8);
    CHECK_EQ(recv(c, text, sizeof text, 0), 8);
    /* Another connect changes the peer. */
    CHECK_OK(try_connect(a, &three));
    CHECK_EQ(write(a, "again", 5), 5);
    CHECK_EQ(read(c, text, sizeof text), 5);
    /* A peer that is not there. */
    close(c);
    CHECK_EQ(send(a, "x", 1, 0), 1);
    CHECK_EQ(wait_ready(a, POLLIN) & POLLERR, POLLERR);
    CHECK_ERR(recv(a, text, 1, 0), ECONNREFUSED);
    CHECK_ERR(recv(a, text, 1, MSG_DONTWAIT), EAGAIN);
    CHECK_EQ(send(a, "x", 1, 0), 1);
    wait_ready(a, POLLIN);
    CHECK_ERR(send(a, "x", 1, 0), ECONNREFUSED);
    CHECK_EQ(send(a, "x", 1, 0), 1);
    wait_ready(a, POLLIN);
    CHECK_EQ(option_of(a, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
    /* Disconnected. */
    address_t none = {.any = {.sa_family = AF_UNSPEC}}, peer;
    CHECK_OK(connect(a, &none.any, sizeof none.v6));
    socklen_t length = sizeof peer;
    CHECK_ERR(getpeername(a, &peer.any, &length), ENOTCONN);
    CHECK_ERR(send(a, "x", 1, 0), EDESTADDRREQ);
    close(a), close(b);
}

static void sizes(int family) {
    static char large[70000];
    address_t to;
    int most = family == AF_INET ? 65507 : 65527;
    int a = new_socket(family, SOCK_DGRAM), b = bound_socket(family, SOCK_DGRAM, &to);
    NEED(try_connect(a, &to));
    memset(large, 'x', sizeof large);
    CHECK_EQ(send(a, large, (size_t)most, 0), most);
    CHECK_EQ(recv(b, large, sizeof large, 0), most);
    CHECK_ERR(send(a, large, (size_t)most + 1, 0), EMSGSIZE);
    CHECK_ERR(send(a, large, sizeof large, 0), EMSGSIZE);
    struct iovec parts[2] = {{"gath", 4}, {"ered", 4}}, in = {large, 3};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    CHECK_EQ(sendmsg(a, &message, 0), 8);
    message = (struct msghdr){.msg_iov = &in, .msg_iovlen = 1};
    CHECK_EQ(recvmsg(b, &message, 0), 3);
    CHECK_EQ(message.msg_flags, MSG_TRUNC);
    close(a), close(b);
}

/* The buffer holds so much, and what comes beyond it is lost without a word. */
static void overflow(void) {
    static char text[1000];
    address_t to;
    int a = new_socket(AF_INET, SOCK_DGRAM), b = bound_socket(AF_INET, SOCK_DGRAM, &to), received = 0;
    CHECK_OK(set_option(b, SOL_SOCKET, SO_RCVBUF, 20000));
    NEED(try_connect(a, &to));
    for (int i = 0; i < 500; i++)
        CHECK_EQ(send(a, text, sizeof text, 0), sizeof text);
    while (recv(b, text, sizeof text, MSG_DONTWAIT) == sizeof text)
        received++;
    CHECK(received >= 5 && received <= 60);
    close(a), close(b);
}

int main(void) {
    int families[] = {AF_INET, AF_INET6};
    for (int i = 0; i < 2; i++) {
        unconnected(families[i]);
        connected(families[i]);
        sizes(families[i]);
    }
    overflow();
    int fd = new_socket(AF_INET, SOCK_DGRAM);
    CHECK_ERR(listen(fd, 1), EOPNOTSUPP);
    CHECK_ERR(accept(fd, NULL, NULL), EOPNOTSUPP);
    CHECK_EQ(ready(fd, POLLIN | POLLOUT, 0), POLLOUT);
    address_t to = loopback(AF_INET, 0);
    CHECK_ERR(sendto(fd, "x", 1, 0, &to.any, sizeof to.v4), EINVAL); /* port 0 */
    to = loopback(AF_INET6, 9);
    CHECK_ERR(sendto(fd, "x", 1, 0, &to.any, sizeof to.v6), EAFNOSUPPORT);
    to = loopback(AF_INET, 9);
    CHECK_ERR(sendto(fd, "x", 1, 0, &to.any, 8), EINVAL);
    CHECK_ERR(sendto(fd, "x", 1, MSG_OOB, &to.any, sizeof to.v4), EOPNOTSUPP);
    CHECK_ERR(shutdown(fd, SHUT_RD), ENOTCONN);
    return VERDICT();
}
