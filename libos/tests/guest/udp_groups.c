/* UDP groups on the loopback: joining, leaving, sources, interface, TTL and loop options; shared ports; segments. */
#include "net.h"
#include <netinet/udp.h>

static void groups(void) {
    char text[8];
    struct in_addr group = {htonl(0xef010203)}, lo = {htonl(INADDR_LOOPBACK)};
    struct ip_mreq request = {group, lo};
    address_t any = {.v4 = {.sin_family = AF_INET}};
    int a = new_socket(AF_INET, SOCK_DGRAM), b = new_socket(AF_INET, SOCK_DGRAM), c = new_socket(AF_INET, SOCK_DGRAM);
    set_option(a, SOL_SOCKET, SO_REUSEADDR, 1);
    set_option(b, SOL_SOCKET, SO_REUSEADDR, 1);
    NEED(try_bind(a, &any));
    any.v4.sin_port = local_address(a).v4.sin_port;
    NEED(try_bind(b, &any));
    CHECK_OK(setsockopt(a, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request));
    CHECK_OK(setsockopt(b, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request));
    CHECK_ERR(setsockopt(b, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request), EADDRINUSE);
    CHECK_ERR(setsockopt(b, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, 4), EINVAL);
    struct ip_mreq unicast = {{htonl(0x0a000001)}, lo}, nowhere = {group, {htonl(0xc0000201)}};
    CHECK_ERR(setsockopt(b, IPPROTO_IP, IP_ADD_MEMBERSHIP, &unicast, sizeof unicast), EINVAL);
    CHECK_ERR(setsockopt(b, IPPROTO_IP, IP_ADD_MEMBERSHIP, &nowhere, sizeof nowhere), ENODEV);
    CHECK_OK(setsockopt(c, IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof lo));
    struct in_addr told;
    socklen_t length = sizeof told;
    CHECK_OK(getsockopt(c, IPPROTO_IP, IP_MULTICAST_IF, &told, &length));
    CHECK_EQ(told.s_addr, lo.s_addr);
    CHECK_EQ(option_of(c, IPPROTO_IP, IP_MULTICAST_TTL), 1);
    CHECK_EQ(option_of(c, IPPROTO_IP, IP_MULTICAST_LOOP), 1);
    CHECK_ERR(set_option(c, IPPROTO_IP, IP_MULTICAST_TTL, 256), EINVAL);
    unsigned char ttl = 3;
    CHECK_OK(setsockopt(c, IPPROTO_IP, IP_MULTICAST_TTL, &ttl, 1));
    CHECK_EQ(option_of(c, IPPROTO_IP, IP_MULTICAST_TTL), 3);
    address_t to = any;
    to.v4.sin_addr = group;
    CHECK_EQ(sendto(c, "all", 3, 0, &to.any, sizeof to.v4), 3);
    CHECK_EQ(wait_ready(a, POLLIN), POLLIN);
    CHECK_EQ(wait_ready(b, POLLIN), POLLIN);
    CHECK_EQ(recv(a, text, sizeof text, 0), 3);
    CHECK_EQ(recv(b, text, sizeof text, 0), 3);
    /* One source is blocked. */
    struct ip_mreq_source source = {group, lo, lo};
    CHECK_OK(setsockopt(a, IPPROTO_IP, IP_BLOCK_SOURCE, &source, sizeof source));
    CHECK_ERR(setsockopt(a, IPPROTO_IP, IP_BLOCK_SOURCE, &source, sizeof source), EADDRNOTAVAIL);
    CHECK_EQ(sendto(c, "some", 4, 0, &to.any, sizeof to.v4), 4);
    CHECK_EQ(wait_ready(b, POLLIN), POLLIN);
    CHECK_EQ(recv(b, text, sizeof text, 0), 4);
    CHECK_EQ(ready(a, POLLIN, 0), 0);
    CHECK_OK(setsockopt(a, IPPROTO_IP, IP_DROP_MEMBERSHIP, &request, sizeof request));
    CHECK_ERR(setsockopt(a, IPPROTO_IP, IP_DROP_MEMBERSHIP, &request, sizeof request), EADDRNOTAVAIL);
    CHECK_OK(setsockopt(a, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &source, sizeof source));
    CHECK_EQ(sendto(c, "named", 5, 0, &to.any, sizeof to.v4), 5);
    CHECK_EQ(wait_ready(a, POLLIN), POLLIN);
    CHECK_OK(setsockopt(a, IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, &source, sizeof source));
    close(a), close(b), close(c);
    int six = new_socket(AF_INET6, SOCK_DGRAM);
    struct ipv6_mreq request_six = {.ipv6mr_interface = 1};
    inet_pton(AF_INET6, "ff02::1:2", &request_six.ipv6mr_multiaddr);
    CHECK_OK(setsockopt(six, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request_six, sizeof request_six));
    CHECK_OK(setsockopt(six, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &request_six, sizeof request_six));
    CHECK_ERR(setsockopt(six, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &request_six, sizeof request_six), EADDRNOTAVAIL);
    CHECK_ERR(set_option(six, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 2), EINVAL);
    CHECK_ERR(set_option(six, IPPROTO_IPV6, IPV6_MULTICAST_IF, 999), ENODEV);
    close(six);
}

static void shared_load(void) {
    int members[4], counts[4] = {0};
    address_t to;
    for (int i = 0; i < 4; i++) {
        members[i] = new_socket(AF_INET, SOCK_DGRAM);
        CHECK_OK(set_option(members[i], SOL_SOCKET, SO_REUSEPORT, 1));
        if (i == 0)
            to = loopback(AF_INET, 0);
        CHECK_OK(try_bind(members[i], &to));
        to = local_address(members[i]);
    }
    for (int i = 0; i < 200; i++) {
        int client = new_socket(AF_INET, SOCK_DGRAM);
        CHECK_EQ(sendto(client, "x", 1, 0, &to.any, sizeof to.v4), 1);
        close(client);
    }
    int sum = 0;
    for (int i = 0; i < 4; i++) {
        char byte;
        while (recv(members[i], &byte, 1, MSG_DONTWAIT) == 1)
            counts[i]++;
        CHECK(counts[i] > 10);
        sum += counts[i];
        close(members[i]);
    }
    CHECK_EQ(sum, 200);
}

static void segments(void) {
    static char bytes[5000], text[8000];
    char room[64];
    address_t to;
    int b = bound_socket(AF_INET, SOCK_DGRAM, &to), a = new_socket(AF_INET, SOCK_DGRAM);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)i;
    CHECK_OK(set_option(a, IPPROTO_UDP, UDP_SEGMENT, 1200));
    CHECK_EQ(option_of(a, IPPROTO_UDP, UDP_SEGMENT), 1200);
    CHECK_EQ(sendto(a, bytes, 5000, 0, &to.any, sizeof to.v4), 5000);
    const int expected[] = {1200, 1200, 1200, 1200, 200};
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(recv(b, text, sizeof text, 0), expected[i]);
        CHECK_EQ(memcmp(text, bytes + 1200 * i, (size_t)expected[i]), 0);
    }
    CHECK_EQ(sendto(a, bytes, 1200, 0, &to.any, sizeof to.v4), 1200);
    CHECK_EQ(recv(b, text, sizeof text, 0), 1200);
    CHECK_OK(set_option(b, IPPROTO_UDP, UDP_GRO, 1));
    CHECK_EQ(sendto(a, bytes, 5000, 0, &to.any, sizeof to.v4), 5000);
    struct iovec run = {text, sizeof text};
    struct msghdr message = {.msg_iov = &run, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    CHECK_EQ(recvmsg(b, &message, 0), 5000);
    CHECK_EQ(memcmp(text, bytes, 5000), 0);
    struct cmsghdr *found = CMSG_FIRSTHDR(&message);
    if (CHECK(found != NULL && found->cmsg_level == IPPROTO_UDP && found->cmsg_type == UDP_GRO)) {
        int segment;
        memcpy(&segment, CMSG_DATA(found), sizeof segment);
        CHECK_EQ(segment, 1200);
    }
    CHECK_ERR(set_option(a, IPPROTO_UDP, UDP_SEGMENT, 70000), EINVAL);
    CHECK_ERR(set_option(a, IPPROTO_UDP, 99, 1), ENOPROTOOPT);
    close(a), close(b);
}

int main(void) {
    groups();
    shared_load();
    segments();
    return VERDICT();
}
