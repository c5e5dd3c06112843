/* UDP control messages: packet information, hop limits, traffic classes, timestamps, lost datagrams; what a send asks for. */
#include "net.h"

static struct cmsghdr *find(struct msghdr *message, int level, int type) {
    for (struct cmsghdr *one = CMSG_FIRSTHDR(message); one; one = CMSG_NXTHDR(message, one))
        if (one->cmsg_level == level && one->cmsg_type == type)
            return one;
    return NULL;
}

static char room[512];
static char text[64];

/* Receives into `text` with control messages in `room`. */
static struct msghdr receive(int fd) {
    static struct iovec run = {text, sizeof text};
    struct msghdr message = {.msg_iov = &run, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    NEED(recvmsg(fd, &message, 0));
    return message;
}

static int number(struct msghdr *message, int level, int type) {
    struct cmsghdr *found = find(message, level, type);
    int value = -1;
    if (found && found->cmsg_len == CMSG_LEN(sizeof value))
        memcpy(&value, CMSG_DATA(found), sizeof value);
    else if (found && found->cmsg_len == CMSG_LEN(1))
        value = *CMSG_DATA(found);
    return value;
}

static long send_with(int fd, const address_t *to, int level, int type, const void *data, size_t length) {
    char control[64] __attribute__((aligned(8))) = "";
    struct iovec run = {"x", 1};
    struct msghdr message = {.msg_name = (void *)to, .msg_namelen = address_length(to), .msg_iov = &run,
                             .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(length)};
    struct cmsghdr *one = CMSG_FIRSTHDR(&message);
    one->cmsg_level = level;
    one->cmsg_type = type;
    one->cmsg_len = CMSG_LEN(length);
    memcpy(CMSG_DATA(one), data, length);
    return sendmsg(fd, &message, 0);
}

static void version_four(void) {
    address_t to;
    int b = bound_socket(AF_INET, SOCK_DGRAM, &to), a = new_socket(AF_INET, SOCK_DGRAM);
    set_option(b, IPPROTO_IP, IP_PKTINFO, 1);
    set_option(b, IPPROTO_IP, IP_RECVTTL, 1);
    set_option(b, IPPROTO_IP, IP_RECVTOS, 1);
    set_option(b, IPPROTO_IP, IP_RECVORIGDSTADDR, 1);
    CHECK_OK(set_option(a, IPPROTO_IP, IP_TTL, 7));
    CHECK_OK(set_option(a, IPPROTO_IP, IP_TOS, 0x10));
    CHECK_EQ(sendto(a, "x", 1, 0, &to.any, sizeof to.v4), 1);
    struct msghdr message = receive(b);
    struct cmsghdr *found = find(&message, IPPROTO_IP, IP_PKTINFO);
    if (CHECK(found != NULL)) {
        struct in_pktinfo info;
        memcpy(&info, CMSG_DATA(found), sizeof info);
        CHECK_EQ(info.ipi_ifindex, 1);
        CHECK_EQ(ntohl(info.ipi_addr.s_addr), INADDR_LOOPBACK);
        CHECK_EQ(ntohl(info.ipi_spec_dst.s_addr), INADDR_LOOPBACK);
    }
    CHECK_EQ(number(&message, IPPROTO_IP, IP_TTL), 7);
    CHECK_EQ(number(&message, IPPROTO_IP, IP_TOS), 0x10);
    found = find(&message, IPPROTO_IP, IP_ORIGDSTADDR);
    if (CHECK(found != NULL))
        CHECK_EQ(memcmp(CMSG_DATA(found), &to.v4, 8), 0);
    CHECK_EQ(message.msg_flags, 0);
    /* For one datagram. */
    int ttl = 9, tos = 2;
    CHECK_EQ(send_with(a, &to, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl), 1);
    message = receive(b);
    CHECK_EQ(number(&message, IPPROTO_IP, IP_TTL), 9);
    CHECK_EQ(send_with(a, &to, IPPROTO_IP, IP_TOS, &tos, sizeof tos), 1);
    message = receive(b);
    CHECK_EQ(number(&message, IPPROTO_IP, IP_TOS), 2);
    struct in_pktinfo from = {.ipi_spec_dst.s_addr = htonl(INADDR_LOOPBACK + 4)};
    CHECK_EQ(send_with(a, &to, IPPROTO_IP, IP_PKTINFO, &from, sizeof from), 1);
    address_t sender;
    socklen_t length = sizeof sender;
    CHECK_EQ(recvfrom(b, text, sizeof text, 0, &sender.any, &length), 1);
    CHECK_EQ(ntohl(sender.v4.sin_addr.s_addr), INADDR_LOOPBACK + 4);
    /* Refusals. */
    from.ipi_spec_dst.s_addr = htonl(0xc0000201);
    CHECK_ERR(send_with(a, &to, IPPROTO_IP, IP_PKTINFO, &from, sizeof from), ENETUNREACH);
    CHECK_ERR(send_with(a, &to, IPPROTO_IP, IP_PKTINFO, &from, 4), EINVAL);
    ttl = 0;
    CHECK_ERR(send_with(a, &to, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl), EINVAL);
    CHECK_ERR(send_with(a, &to, IPPROTO_IP, 200, &ttl, sizeof ttl), EINVAL);
    CHECK_EQ(send_with(a, &to, IPPROTO_IPV6, IPV6_HOPLIMIT, &tos, sizeof tos), 1); /* not for IPv4 */
    CHECK_EQ(recv(b, text, sizeof text, 0), 1);
    /* Too little room is told. */
    CHECK_EQ(sendto(a, "x", 1, 0, &to.any, sizeof to.v4), 1);
    struct iovec run = {text, sizeof text};
    struct msghdr small = {.msg_iov = &run, .msg_iovlen = 1, .msg_control = room, .msg_controllen = 20};
    CHECK_EQ(recvmsg(b, &small, 0), 1);
    CHECK_EQ(small.msg_flags, MSG_CTRUNC);
    close(a), close(b);
}

static void version_six(void) {
    address_t to;
    int b = bound_socket(AF_INET6, SOCK_DGRAM, &to), a = new_socket(AF_INET6, SOCK_DGRAM);
    set_option(b, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    set_option(b, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
    set_option(b, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
    CHECK_OK(set_option(a, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 7));
    CHECK_EQ(sendto(a, "x", 1, 0, &to.any, sizeof to.v6), 1);
    struct msghdr message = receive(b);
    struct cmsghdr *found = find(&message, IPPROTO_IPV6, IPV6_PKTINFO);
    if (CHECK(found != NULL)) {
        struct in6_pktinfo info;
        memcpy(&info, CMSG_DATA(found), sizeof info);
        CHECK_EQ(info.ipi6_ifindex, 1);
        CHECK(IN6_IS_ADDR_LOOPBACK(&info.ipi6_addr));
    }
    CHECK_EQ(number(&message, IPPROTO_IPV6, IPV6_HOPLIMIT), 7);
    CHECK_EQ(number(&message, IPPROTO_IPV6, IPV6_TCLASS), 0);
    int value = 5;
    CHECK_EQ(send_with(a, &to, IPPROTO_IPV6, IPV6_TCLASS, &value, sizeof value), 1);
    message = receive(b);
    CHECK_EQ(number(&message, IPPROTO_IPV6, IPV6_TCLASS), 5);
    close(a), close(b);
}

static void timestamps(void) {
    address_t to;
    int b = bound_socket(AF_INET, SOCK_DGRAM, &to), a = new_socket(AF_INET, SOCK_DGRAM);
    struct timespec now;
    CHECK_OK(set_option(b, SOL_SOCKET, SO_TIMESTAMP, 1));
    CHECK_EQ(option_of(b, SOL_SOCKET, SO_TIMESTAMP), 1);
    CHECK_EQ(sendto(a, "x", 1, 0, &to.any, sizeof to.v4), 1);
    struct msghdr message = receive(b);
    struct cmsghdr *found = find(&message, SOL_SOCKET, SO_TIMESTAMP);
    clock_gettime(CLOCK_REALTIME, &now);
    if (CHECK(found != NULL && found->cmsg_len == CMSG_LEN(16))) {
        struct timeval at;
        memcpy(&at, CMSG_DATA(found), sizeof at);
        CHECK(at.tv_sec >= now.tv_sec - 5 && at.tv_sec <= now.tv_sec);
    }
    CHECK_OK(set_option(b, SOL_SOCKET, SO_TIMESTAMPNS, 1));
    CHECK_EQ(sendto(a, "x", 1, 0, &to.any, sizeof to.v4), 1);
    message = receive(b);
    found = find(&message, SOL_SOCKET, SO_TIMESTAMPNS);
    if (CHECK(found != NULL && found->cmsg_len == CMSG_LEN(16))) {
        struct timespec at;
        memcpy(&at, CMSG_DATA(found), sizeof at);
        CHECK(at.tv_sec >= now.tv_sec - 5 && at.tv_sec <= now.tv_sec + 5);
    }
    close(a), close(b);
}

static void lost(void) {
    address_t to;
    int b = bound_socket(AF_INET, SOCK_DGRAM, &to), a = new_socket(AF_INET, SOCK_DGRAM);
    CHECK_OK(set_option(b, SOL_SOCKET, SO_RXQ_OVFL, 1));
    CHECK_OK(set_option(b, SOL_SOCKET, SO_RCVBUF, 4096));
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(sendto(a, "x", 1, 0, &to.any, sizeof to.v4), 1);
    int received = 0, told = 0;
    while (ready(b, POLLIN, 0) & POLLIN) {
        struct msghdr message = receive(b);
        received++;
        if (number(&message, SOL_SOCKET, SO_RXQ_OVFL) > told)
            told = number(&message, SOL_SOCKET, SO_RXQ_OVFL);
    }
    CHECK(received >= 1 && received < 100);
    /* The count that goes with a datagram is that of its arrival. */
    CHECK_EQ(sendto(a, "x", 1, 0, &to.any, sizeof to.v4), 1);
    struct msghdr message = receive(b);
    CHECK_EQ(number(&message, SOL_SOCKET, SO_RXQ_OVFL) + received, 1000);
    close(a), close(b);
}

int main(void) {
    version_four();
    version_six();
    timestamps();
    lost();
    return VERDICT();
}
