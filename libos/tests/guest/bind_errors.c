/* bind: what is in use, not available, already bound, or no address; IPv4 and IPv6 share ports unless V6ONLY. */
#include "net.h"

static void of(int type) {
    address_t address, any4 = {.v4 = {.sin_family = AF_INET}}, any6 = {.v6 = {.sin6_family = AF_INET6}};
    int fd = bound_socket(AF_INET, type, &address), other = new_socket(AF_INET, type);
    CHECK(port_of(&address) > 0);
    CHECK_ERR(try_bind(other, &address), EADDRINUSE);
    CHECK_ERR(try_bind(fd, &address), EINVAL);
    address_t foreign = address;
    foreign.v4.sin_addr.s_addr = inet_addr("192.0.2.77");
    foreign.v4.sin_port = 0;
    CHECK_ERR(try_bind(other, &foreign), EADDRNOTAVAIL);
    CHECK_ERR(bind(other, &address.any, sizeof address.v4 - 1), EINVAL);
    CHECK_ERR(bind(other, &address.any, 0), EINVAL);
    CHECK_ERR(syscall(SYS_bind, other, 16, sizeof address.v4), EFAULT);
    CHECK_ERR(bind(other, &address.any, sizeof address + 1), EINVAL);
    address_t wrong = address;
    wrong.any.sa_family = AF_UNIX;
    CHECK_ERR(bind(other, &wrong.any, sizeof wrong.v4), EAFNOSUPPORT);
    wrong.any.sa_family = AF_INET6;
    CHECK_ERR(bind(other, &wrong.any, sizeof wrong.v6), EAFNOSUPPORT);
    /* Without a family it is an IPv4 address if that is any. */
    wrong.any.sa_family = AF_UNSPEC;
    CHECK_ERR(bind(other, &wrong.any, sizeof wrong.v4), EAFNOSUPPORT);
    wrong = (address_t){.any = {.sa_family = AF_UNSPEC}};
    CHECK_OK(bind(other, &wrong.any, sizeof wrong.v4));
    close(other);

    /* Any address is in the way of one, and one of any. */
    other = new_socket(AF_INET, type);
    any4.v4.sin_port = address.v4.sin_port;
    CHECK_ERR(try_bind(other, &any4), EADDRINUSE);
    close(fd);
    CHECK_OK(try_bind(other, &any4));
    fd = new_socket(AF_INET, type);
    CHECK_ERR(try_bind(fd, &address), EADDRINUSE);
    close(fd);
    /* So is IPv6, unless it is for IPv6 alone or has an address of its own. */
    any6.v6.sin6_port = any4.v4.sin_port;
    fd = new_socket(AF_INET6, type);
    CHECK_ERR(try_bind(fd, &any6), EADDRINUSE);
    CHECK_OK(set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
    CHECK_OK(try_bind(fd, &any6));
    close(fd);
    fd = new_socket(AF_INET6, type);
    address_t lo6 = loopback(AF_INET6, port_of(&any4));
    CHECK_OK(try_bind(fd, &lo6));
    CHECK_ERR(bind(fd, &lo6.any, sizeof lo6.v4), EINVAL);
    close(fd);
    fd = new_socket(AF_INET6, type);
    address_t mapped = any6;
    inet_pton(AF_INET6, "::ffff:127.0.0.1", &mapped.v6.sin6_addr);
    CHECK_ERR(try_bind(fd, &mapped), EADDRINUSE);
    CHECK_OK(set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
    CHECK_ERR(try_bind(fd, &mapped), EINVAL);
    inet_pton(AF_INET6, "2001:db8::77", &lo6.v6.sin6_addr);
    CHECK_ERR(try_bind(fd, &lo6), EADDRNOTAVAIL);
    close(fd), close(other);
}

int main(void) {
    of(SOCK_STREAM);
    of(SOCK_DGRAM);
    /* TCP and UDP have their own ports. */
    address_t address;
    int tcp = bound_socket(AF_INET, SOCK_STREAM, &address), udp = new_socket(AF_INET, SOCK_DGRAM);
    CHECK_OK(try_bind(udp, &address));
    /* UDP with SO_REUSEADDR on both may share; a connection's port may not be bound without. */
    int other = new_socket(AF_INET, SOCK_DGRAM);
    CHECK_OK(set_option(udp, SOL_SOCKET, SO_REUSEADDR, 1));
    CHECK_ERR(try_bind(other, &address), EADDRINUSE);
    CHECK_OK(set_option(other, SOL_SOCKET, SO_REUSEADDR, 1));
    CHECK_OK(try_bind(other, &address));
    close(other), close(udp), close(tcp);
    int pair[2];
    tcp_pair(pair);
    address = local_address(pair[0]);
    tcp = new_socket(AF_INET, SOCK_STREAM);
    CHECK_ERR(try_bind(tcp, &address), EADDRINUSE);
    CHECK_ERR(bind(-1, &address.any, sizeof address.v4), EBADF);
    CHECK_ERR(bind(1, &address.any, sizeof address.v4), ENOTSOCK);
    return VERDICT();
}
