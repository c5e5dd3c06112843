/* Options of IPPROTO_IP and IPPROTO_IPV6: TTL, TOS, hop limits, traffic class, path MTU discovery, V6ONLY. */
#include "net.h"

int main(void) {
    int fd = new_socket(AF_INET, SOCK_STREAM);
    CHECK_EQ(option_of(fd, IPPROTO_IP, IP_TTL), 64);
    CHECK_OK(set_option(fd, IPPROTO_IP, IP_TTL, 3));
    CHECK_EQ(option_of(fd, IPPROTO_IP, IP_TTL), 3);
    CHECK_ERR(set_option(fd, IPPROTO_IP, IP_TTL, 0), EINVAL);
    CHECK_ERR(set_option(fd, IPPROTO_IP, IP_TTL, 256), EINVAL);
    CHECK_OK(set_option(fd, IPPROTO_IP, IP_TTL, -1));
    CHECK_EQ(option_of(fd, IPPROTO_IP, IP_TTL), 64);
    CHECK_EQ(option_of(fd, IPPROTO_IP, IP_TOS), 0);
    CHECK_OK(set_option(fd, IPPROTO_IP, IP_TOS, 0x10));
    CHECK_EQ(option_of(fd, IPPROTO_IP, IP_TOS), 0x10);
    /* One byte is enough. */
    unsigned char byte = 0x20;
    CHECK_OK(setsockopt(fd, IPPROTO_IP, IP_TOS, &byte, 1));
    CHECK_EQ(option_of(fd, IPPROTO_IP, IP_TOS), 0x20);
    socklen_t length = 1;
    CHECK_OK(getsockopt(fd, IPPROTO_IP, IP_TOS, &byte, &length));
    CHECK_EQ(length, 1);
    CHECK_EQ(byte, 0x20);
    int discover = option_of(fd, IPPROTO_IP, IP_MTU_DISCOVER);
    CHECK(discover == IP_PMTUDISC_WANT || discover == IP_PMTUDISC_DONT);
    CHECK_OK(set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO));
    CHECK_EQ(option_of(fd, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_DO);
    CHECK_ERR(set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, 77), EINVAL);
    int value;
    length = sizeof value;
    CHECK_ERR(getsockopt(fd, IPPROTO_IP, IP_MTU, &value, &length), ENOTCONN);
    CHECK_OK(set_option(fd, IPPROTO_IP, IP_RECVERR, 1));
    CHECK_EQ(option_of(fd, IPPROTO_IP, IP_RECVERR), 1);
    CHECK_OK(set_option(fd, IPPROTO_IP, IP_FREEBIND, 1));
    CHECK_ERR(set_option(fd, IPPROTO_IP, 9999, 1), ENOPROTOOPT);
    CHECK_ERR(getsockopt(fd, IPPROTO_IP, 9999, &value, &length), ENOPROTOOPT);
    CHECK_ERR(set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1), ENOPROTOOPT);
    /* Other levels' options are unknown when set, not supported when asked for. */
    CHECK_ERR(getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &value, &length), EOPNOTSUPP);
    CHECK_ERR(getsockopt(fd, IPPROTO_UDP, 1, &value, &length), EOPNOTSUPP);
    CHECK_ERR(set_option(fd, IPPROTO_UDP, 1, 1), ENOPROTOOPT);
    /* The two bits that tell of congestion are TCP's. */
    CHECK_OK(set_option(fd, IPPROTO_IP, IP_TOS, 255));
    CHECK_EQ(option_of(fd, IPPROTO_IP, IP_TOS), 252);
    close(fd);

    fd = new_socket(AF_INET6, SOCK_STREAM);
    CHECK_OK(set_option(fd, IPPROTO_IPV6, IPV6_TCLASS, 255));
    CHECK_EQ(option_of(fd, IPPROTO_IPV6, IPV6_TCLASS), 252);
    CHECK_ERR(getsockopt(fd, IPPROTO_UDP, 1, &value, &length), ENOPROTOOPT);
    close(fd);

    int pair[2];
    tcp_pair(pair);
    CHECK(option_of(pair[0], IPPROTO_IP, IP_MTU) >= 1280);
    close_pair(pair);

    fd = new_socket(AF_INET6, SOCK_DGRAM);
    CHECK_EQ(option_of(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS), 64);
    CHECK_OK(set_option(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 7));
    CHECK_EQ(option_of(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS), 7);
    CHECK_ERR(set_option(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 256), EINVAL);
    CHECK_EQ(option_of(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS), 1);
    CHECK_EQ(option_of(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP), 1);
    CHECK_EQ(option_of(fd, IPPROTO_IPV6, IPV6_TCLASS), 0);
    CHECK_OK(set_option(fd, IPPROTO_IPV6, IPV6_TCLASS, 0x18));
    CHECK_EQ(option_of(fd, IPPROTO_IPV6, IPV6_TCLASS), 0x18);
    CHECK_ERR(set_option(fd, IPPROTO_IPV6, IPV6_TCLASS, 256), EINVAL);
    CHECK_OK(set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1));
    CHECK_EQ(option_of(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO), 1);
    CHECK_OK(set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
    CHECK_EQ(option_of(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
    address_t address = loopback(AF_INET6, 0);
    NEED(try_bind(fd, &address));
    CHECK_ERR(set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0), EINVAL);
    /* Options of IPv4 are for IPv6 sockets as well, which may carry IPv4. */
    CHECK_OK(set_option(fd, IPPROTO_IP, IP_TTL, 9));
    CHECK_ERR(set_option(fd, IPPROTO_IPV6, 9999, 1), ENOPROTOOPT);
    close(fd);

    fd = new_socket(AF_INET, SOCK_DGRAM);
    CHECK_EQ(option_of(fd, IPPROTO_IP, IP_MULTICAST_TTL), 1);
    CHECK_OK(set_option(fd, IPPROTO_IP, IP_MULTICAST_TTL, 4));
    CHECK_EQ(option_of(fd, IPPROTO_IP, IP_MULTICAST_TTL), 4);
    CHECK_EQ(option_of(fd, IPPROTO_IP, IP_MULTICAST_LOOP), 1);
    CHECK_OK(set_option(fd, IPPROTO_IP, IP_TOS, 255));
    CHECK_EQ(option_of(fd, IPPROTO_IP, IP_TOS), 255);
    CHECK_ERR(set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1), ENOPROTOOPT);
    close(fd);
    return VERDICT();
}
