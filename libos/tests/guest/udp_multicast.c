/* Multicast and broadcast: joining and leaving groups on the loopback, delivery to members, SO_BROADCAST is needed. */
#include "net.h"
#include <net/if.h>

#define GROUP "239.7.7.7"

static void version4(void) {
    int receiver = new_socket(AF_INET, SOCK_DGRAM), sender = new_socket(AF_INET, SOCK_DGRAM);
    address_t any = {.v4 = {.sin_family = AF_INET}}, to;
    char text[16];
    NEED(try_bind(receiver, &any));
    any = local_address(receiver);
    to = loopback(AF_INET, port_of(&any));
    to.v4.sin_addr.s_addr = inet_addr(GROUP);
    struct ip_mreq group = {{inet_addr(GROUP)}, {htonl(INADDR_LOOPBACK)}};
    struct in_addr lo = {htonl(INADDR_LOOPBACK)}, found;
    CHECK_OK(setsockopt(receiver, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group));
    CHECK_ERR(setsockopt(receiver, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group), EADDRINUSE);
    CHECK_OK(setsockopt(sender, IPPROTO_IP, IP_MULTICAST_IF, &lo, sizeof lo));
    socklen_t length = sizeof found;
    CHECK_OK(getsockopt(sender, IPPROTO_IP, IP_MULTICAST_IF, &found, &length));
    CHECK_EQ(found.s_addr, lo.s_addr);
    CHECK_EQ(sendto(sender, "to all", 6, 0, &to.any, sizeof to.v4), 6);
    CHECK_EQ(wait_ready(receiver, POLLIN), POLLIN);
    CHECK_EQ(recv(receiver, text, sizeof text, MSG_DONTWAIT), 6);
    CHECK_OK(setsockopt(receiver, IPPROTO_IP, IP_DROP_MEMBERSHIP, &group, sizeof group));
    CHECK_ERR(setsockopt(receiver, IPPROTO_IP, IP_DROP_MEMBERSHIP, &group, sizeof group), EADDRNOTAVAIL);
    CHECK_EQ(sendto(sender, "to none", 7, 0, &to.any, sizeof to.v4), 7);
    CHECK_EQ(ready(receiver, POLLIN, 10), 0);
    /* By the index of the interface. */
    struct ip_mreqn by_index = {.imr_multiaddr = group.imr_multiaddr, .imr_ifindex = (int)if_nametoindex("lo")};
    CHECK_OK(setsockopt(receiver, IPPROTO_IP, IP_ADD_MEMBERSHIP, &by_index, sizeof by_index));
    CHECK_EQ(sendto(sender, "to all", 6, 0, &to.any, sizeof to.v4), 6);
    CHECK_EQ(wait_ready(receiver, POLLIN), POLLIN);
    CHECK_EQ(recv(receiver, text, sizeof text, MSG_DONTWAIT), 6);
    group.imr_multiaddr.s_addr = htonl(0x0a000001);
    CHECK_ERR(setsockopt(receiver, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group), EINVAL);
    by_index.imr_ifindex = 9999;
    CHECK_ERR(setsockopt(receiver, IPPROTO_IP, IP_ADD_MEMBERSHIP, &by_index, sizeof by_index), ENODEV);
    close(receiver), close(sender);
}

/* Membership alone: Linux has no route for IPv6 multicast over the loopback. */
static void version6(void) {
    int receiver = new_socket(AF_INET6, SOCK_DGRAM), sender = new_socket(AF_INET6, SOCK_DGRAM);
    address_t to = {.v6 = {.sin6_family = AF_INET6}};
    NEED(try_bind(receiver, &to));
    int lo = (int)if_nametoindex("lo");
    struct ipv6_mreq group = {.ipv6mr_interface = (unsigned)lo};
    inet_pton(AF_INET6, "ff11::7:7", &group.ipv6mr_multiaddr);
    CHECK_OK(setsockopt(receiver, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group, sizeof group));
    CHECK_ERR(setsockopt(receiver, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group, sizeof group), EADDRINUSE);
    CHECK_OK(set_option(sender, IPPROTO_IPV6, IPV6_MULTICAST_IF, lo));
    CHECK_EQ(option_of(sender, IPPROTO_IPV6, IPV6_MULTICAST_IF), lo);
    CHECK_OK(setsockopt(receiver, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &group, sizeof group));
    CHECK_ERR(setsockopt(receiver, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &group, sizeof group), EADDRNOTAVAIL);
    group.ipv6mr_interface = 9999;
    CHECK_ERR(setsockopt(receiver, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group, sizeof group), ENODEV);
    close(receiver), close(sender);
}

static void broadcast(void) {
    int fd = new_socket(AF_INET, SOCK_DGRAM);
    address_t to = loopback(AF_INET, 9);
    to.v4.sin_addr.s_addr = htonl(0x7fffffff); /* the broadcast address of the loopback */
    CHECK_ERR(sendto(fd, "x", 1, 0, &to.any, sizeof to.v4), EACCES);
    CHECK_ERR(try_connect(fd, &to), EACCES);
    CHECK_OK(set_option(fd, SOL_SOCKET, SO_BROADCAST, 1));
    CHECK_EQ(sendto(fd, "x", 1, 0, &to.any, sizeof to.v4), 1);
    close(fd);
}

int main(void) {
    version4();
    version6();
    broadcast();
    return VERDICT();
}
