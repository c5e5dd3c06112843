/* Echo sockets: SOCK_DGRAM with IPPROTO_ICMP and IPPROTO_ICMPV6 ping the loopback. Native run: in a network namespace. */
#include "net.h"
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

static void ping(int family, int protocol, int request, int reply) {
    address_t to = loopback(family, 0), from;
    int fd = socket(family, SOCK_DGRAM, protocol);
    if (fd == -1 && errno == EACCES)
        SKIP("net.ipv4.ping_group_range does not include this group");
    NEED(fd);
    CHECK_EQ(option_of(fd, SOL_SOCKET, SO_PROTOCOL), protocol);
    struct {
        struct icmphdr header;
        char text[24];
    } out = {.header = {.type = (uint8_t)request, .un.echo = {.id = 1, .sequence = htons(7)}}, .text = "echo, please"}, in;
    CHECK_EQ(sendto(fd, &out, sizeof out, 0, &to.any, address_length(&to)), sizeof out);
    CHECK_EQ(wait_ready(fd, POLLIN), POLLIN);
    socklen_t length = sizeof from;
    CHECK_EQ(recvfrom(fd, &in, sizeof in, MSG_DONTWAIT, &from.any, &length), sizeof in);
    CHECK_EQ(in.header.type, reply);
    CHECK_EQ(in.header.un.echo.sequence, htons(7));
    CHECK_STR(in.text, "echo, please");
    /* The identifier is the socket's own, which is its port. */
    address_t own = local_address(fd);
    CHECK_EQ(ntohs(in.header.un.echo.id), port_of(&own));
    CHECK(port_of(&own) != 0);
    CHECK_EQ(from.any.sa_family, family);

    CHECK_OK(try_connect(fd, &to));
    CHECK_EQ(send(fd, &out, sizeof out, 0), sizeof out);
    CHECK_EQ(wait_ready(fd, POLLIN), POLLIN);
    CHECK_EQ(recv(fd, &in, sizeof in, MSG_DONTWAIT), sizeof in);
    /* Nothing but requests goes out. */
    out.header.type = (uint8_t)reply;
    CHECK_ERR(send(fd, &out, sizeof out, 0), EINVAL);
    CHECK_ERR(send(fd, &out, 7, 0), EINVAL);
    close(fd);
}

int main(void) {
    ping(AF_INET, IPPROTO_ICMP, ICMP_ECHO, ICMP_ECHOREPLY);
    ping(AF_INET6, IPPROTO_ICMPV6, ICMP6_ECHO_REQUEST, ICMP6_ECHO_REPLY);
    CHECK_ERR(socket(AF_INET, SOCK_STREAM, IPPROTO_ICMP), EPROTONOSUPPORT);
    return VERDICT();
}
