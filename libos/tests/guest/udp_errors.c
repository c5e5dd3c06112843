/* UDP errors: the error queue, sizes that do not fit, shutdown, names in use, broadcasts, IPv4 on IPv6 sockets. */
#include "net.h"
#include <linux/errqueue.h>

static void error_queue(int family) {
    address_t gone;
    char text[64], room[256];
    close(bound_socket(family, SOCK_DGRAM, &gone));
    int a = new_socket(family, SOCK_DGRAM);
    int level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
    int type = family == AF_INET ? IP_RECVERR : IPV6_RECVERR;
    CHECK_OK(set_option(a, level, type, 1));
    CHECK_EQ(sendto(a, "lost", 4, 0, &gone.any, address_length(&gone)), 4);
    CHECK_EQ(wait_ready(a, POLLIN) & POLLERR, POLLERR);
    address_t name;
    struct iovec run = {text, sizeof text};
    struct msghdr message = {.msg_name = &name, .msg_namelen = sizeof name, .msg_iov = &run, .msg_iovlen = 1,
                             .msg_control = room, .msg_controllen = sizeof room};
    CHECK_EQ(recvmsg(a, &message, MSG_ERRQUEUE), 4);
    CHECK_EQ(memcmp(text, "lost", 4), 0);
    CHECK_EQ(message.msg_flags & MSG_ERRQUEUE, MSG_ERRQUEUE);
    CHECK_EQ(port_of(&name), port_of(&gone));
    struct cmsghdr *found = CMSG_FIRSTHDR(&message);
    if (CHECK(found != NULL && found->cmsg_level == level && found->cmsg_type == type)) {
        struct sock_extended_err error;
        memcpy(&error, CMSG_DATA(found), sizeof error);
        CHECK_EQ(error.ee_errno, ECONNREFUSED);
        CHECK_EQ(error.ee_origin, family == AF_INET ? SO_EE_ORIGIN_ICMP : SO_EE_ORIGIN_ICMP6);
        CHECK_EQ(error.ee_type, family == AF_INET ? 3 : 1);
        CHECK_EQ(error.ee_code, family == AF_INET ? 3 : 4);
    }
    CHECK_ERR(recvmsg(a, &message, MSG_ERRQUEUE), EAGAIN);
    CHECK_EQ(ready(a, POLLIN, 0), 0);
    close(a);
}

static void sizes(void) {
    static char large[70000];
    address_t to;
    int b = bound_socket(AF_INET, SOCK_DGRAM, &to), a = new_socket(AF_INET, SOCK_DGRAM);
    socklen_t length = sizeof to.v4;
    CHECK_EQ(sendto(a, large, 65507, 0, &to.any, length), 65507);
    CHECK_EQ(recv(b, large, sizeof large, 0), 65507);
    CHECK_ERR(sendto(a, large, 65508, 0, &to.any, length), EMSGSIZE);
    CHECK_ERR(sendto(a, large, 70000, 0, &to.any, length), EMSGSIZE);
    close(a), close(b);
    b = bound_socket(AF_INET6, SOCK_DGRAM, &to), a = new_socket(AF_INET6, SOCK_DGRAM);
    CHECK_EQ(sendto(a, large, 65527, 0, &to.any, sizeof to.v6), 65527);
    CHECK_EQ(recv(b, large, sizeof large, 0), 65527);
    CHECK_ERR(sendto(a, large, 65528, 0, &to.any, sizeof to.v6), EMSGSIZE);
    close(a), close(b);
}

static void shut_down(void) {
    address_t to;
    char byte;
    int b = bound_socket(AF_INET, SOCK_DGRAM, &to), a = new_socket(AF_INET, SOCK_DGRAM);
    CHECK_ERR(shutdown(a, SHUT_RDWR), ENOTCONN);
    close(a);
    a = new_socket(AF_INET, SOCK_DGRAM);
    CHECK_OK(try_connect(a, &to));
    CHECK_OK(shutdown(a, SHUT_WR));
    CHECK_ERR(send(a, "x", 1, 0), EPIPE);
    CHECK_OK(shutdown(a, SHUT_RD));
    CHECK_EQ(recv(a, &byte, 1, 0), 0);
    CHECK_ERR(recv(a, &byte, 1, MSG_DONTWAIT), EAGAIN);
    CHECK_EQ(ready(a, POLLIN | POLLOUT | POLLRDHUP, 0), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
    close(a), close(b);
}

static void names(void) {
    address_t one, other, any;
    int a = bound_socket(AF_INET, SOCK_DGRAM, &one), b = new_socket(AF_INET, SOCK_DGRAM);
    CHECK_ERR(try_bind(b, &one), EADDRINUSE);
    any = one;
    any.v4.sin_addr.s_addr = 0;
    CHECK_ERR(try_bind(b, &any), EADDRINUSE);
    other = one;
    other.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    CHECK_OK(try_bind(b, &other));
    CHECK_ERR(try_bind(b, &other), EINVAL);
    close(b);
    b = new_socket(AF_INET, SOCK_DGRAM);
    other.v4.sin_addr.s_addr = htonl(0xc0000201);
    CHECK_ERR(try_bind(b, &other), EADDRNOTAVAIL);
    CHECK_ERR(bind(b, &one.any, 8), EINVAL);
    other = loopback(AF_INET6, 0);
    CHECK_ERR(try_bind(b, &other), EAFNOSUPPORT);
    /* Both must agree to share. */
    set_option(b, SOL_SOCKET, SO_REUSEADDR, 1);
    CHECK_ERR(try_bind(b, &one), EADDRINUSE);
    set_option(a, SOL_SOCKET, SO_REUSEADDR, 1);
    CHECK_OK(try_bind(b, &one));
    /* The younger one gets what comes. */
    int c = new_socket(AF_INET, SOCK_DGRAM);
    CHECK_EQ(sendto(c, "x", 1, 0, &one.any, sizeof one.v4), 1);
    CHECK_EQ(wait_ready(b, POLLIN), POLLIN);
    CHECK_EQ(ready(a, POLLIN, 0), 0);
    CHECK_ERR(listen(a, 1), EOPNOTSUPP);
    CHECK_ERR(accept(a, NULL, NULL), EOPNOTSUPP);
    CHECK_ERR(socketpair(AF_INET, SOCK_DGRAM, 0, (int[2]){0}), EOPNOTSUPP);
    close(a), close(b), close(c);
}

static void destinations(void) {
    int a = new_socket(AF_INET, SOCK_DGRAM);
    address_t to = loopback(AF_INET, 0), six = loopback(AF_INET6, 9);
    CHECK_ERR(sendto(a, "x", 1, 0, &to.any, sizeof to.v4), EINVAL);
    CHECK_ERR(sendto(a, "x", 1, 0, &six.any, sizeof six.v6), EAFNOSUPPORT);
    CHECK_ERR(sendto(a, "x", 1, 0, &six.any, 4), EINVAL);
    CHECK_ERR(send(a, "x", 1, MSG_OOB), EOPNOTSUPP);
    to = loopback(AF_INET, 9);
    to.v4.sin_addr.s_addr = htonl(0x7fffffff);
    CHECK_ERR(sendto(a, "x", 1, 0, &to.any, sizeof to.v4), EACCES);
    CHECK_ERR(try_connect(a, &to), EACCES);
    set_option(a, SOL_SOCKET, SO_BROADCAST, 1);
    CHECK_EQ(sendto(a, "x", 1, 0, &to.any, sizeof to.v4), 1);
    /* The unspecified address means this system. */
    address_t own;
    int b = bound_socket(AF_INET, SOCK_DGRAM, &own);
    to = own;
    to.v4.sin_addr.s_addr = 0;
    CHECK_OK(try_connect(a, &to));
    CHECK_EQ(ntohl(local_address(a).v4.sin_addr.s_addr), INADDR_LOOPBACK);
    CHECK_EQ(send(a, "x", 1, 0), 1);
    CHECK_EQ(wait_ready(b, POLLIN), POLLIN);
    close(a), close(b);
}

static void both_versions(void) {
    address_t four, any = {.v6 = {.sin6_family = AF_INET6}}, from;
    char text[8];
    int a = bound_socket(AF_INET, SOCK_DGRAM, &four), b = new_socket(AF_INET6, SOCK_DGRAM);
    CHECK_EQ(option_of(b, IPPROTO_IPV6, IPV6_V6ONLY), 0);
    CHECK_OK(try_bind(b, &any));
    address_t to = loopback(AF_INET, port_of(&(address_t){.v6 = local_address(b).v6}));
    CHECK_EQ(sendto(a, "x", 1, 0, &to.any, sizeof to.v4), 1);
    socklen_t length = sizeof from;
    CHECK_EQ(recvfrom(b, text, sizeof text, 0, &from.any, &length), 1);
    CHECK_EQ(length, sizeof from.v6);
    CHECK(IN6_IS_ADDR_V4MAPPED(&from.v6.sin6_addr));
    CHECK_EQ(port_of(&from), port_of(&four));
    CHECK_EQ(sendto(b, "y", 1, 0, &from.any, length), 1);
    CHECK_EQ(recv(a, text, sizeof text, 0), 1);
    CHECK_EQ(sendto(b, "y", 1, 0, &four.any, sizeof four.v4), 1);
    CHECK_EQ(recv(a, text, sizeof text, 0), 1);
    CHECK_ERR(set_option(b, IPPROTO_IPV6, IPV6_V6ONLY, 1), EINVAL);
    int c = new_socket(AF_INET6, SOCK_DGRAM);
    CHECK_OK(set_option(c, IPPROTO_IPV6, IPV6_V6ONLY, 1));
    CHECK_ERR(sendto(c, "y", 1, 0, &from.any, length), ENETUNREACH);
    CHECK(port_of(&(address_t){.v6 = local_address(c).v6}) != 0); /* The attempt chose a port. */
    close(c);
    c = new_socket(AF_INET6, SOCK_DGRAM);
    CHECK_OK(set_option(c, IPPROTO_IPV6, IPV6_V6ONLY, 1));
    CHECK_ERR(try_bind(c, &from), EINVAL);
    any.v6.sin6_port = htons((uint16_t)port_of(&four));
    CHECK_OK(try_bind(c, &any));
    close(a), close(b), close(c);
}

int main(void) {
    error_queue(AF_INET);
    error_queue(AF_INET6);
    sizes();
    shut_down();
    names();
    destinations();
    both_versions();
    return VERDICT();
}
