/* Control messages of UDP: IP_PKTINFO, IPV6_PKTINFO, TTL, TOS, hop limit and class of received datagrams, and for one sent. */
#include "net.h"
#include <net/if.h>
#include <sys/uio.h>

static char control[256];

/* Receives a datagram; its control message of this level and kind, or NULL. */
static void *receive_control(int fd, int level, int kind) {
    char text[16];
    struct iovec part = {text, sizeof text};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    NEED(recvmsg(fd, &message, 0));
    CHECK_EQ(message.msg_flags, 0);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
        if (c->cmsg_level == level && c->cmsg_type == kind)
            return CMSG_DATA(c);
    return NULL;
}

/* Sends a datagram with one control message. */
static long send_control(int fd, const address_t *to, int level, int kind, const void *value, size_t size) {
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(64)];
    } out = {.header = {CMSG_LEN(size), level, kind}};
    struct iovec part = {"text", 4};
    address_t destination = *to;
    struct msghdr message = {.msg_name = &destination, .msg_namelen = address_length(to), .msg_iov = &part,
                             .msg_iovlen = 1, .msg_control = &out, .msg_controllen = CMSG_SPACE(size)};
    memcpy(CMSG_DATA(&out.header), value, size);
    return sendmsg(fd, &message, 0);
}

static void version4(void) {
    address_t to, from;
    int receiver = new_socket(AF_INET, SOCK_DGRAM), sender = new_socket(AF_INET, SOCK_DGRAM);
    address_t any = {.v4 = {.sin_family = AF_INET}};
    NEED(try_bind(receiver, &any));
    any = local_address(receiver);
    to = loopback(AF_INET, port_of(&any));
    CHECK_EQ(option_of(receiver, IPPROTO_IP, IP_PKTINFO), 0);
    CHECK_OK(set_option(receiver, IPPROTO_IP, IP_PKTINFO, 1));
    CHECK_OK(set_option(receiver, IPPROTO_IP, IP_RECVTTL, 1));
    CHECK_OK(set_option(receiver, IPPROTO_IP, IP_RECVTOS, 1));

    CHECK_EQ(sendto(sender, "text", 4, 0, &to.any, sizeof to.v4), 4);
    struct in_pktinfo *info = receive_control(receiver, IPPROTO_IP, IP_PKTINFO);
    NEED(info ? 0 : -1);
    CHECK_EQ(info->ipi_addr.s_addr, htonl(INADDR_LOOPBACK));
    CHECK_EQ(info->ipi_spec_dst.s_addr, htonl(INADDR_LOOPBACK));
    CHECK_EQ(info->ipi_ifindex, if_nametoindex("lo"));
    CHECK_EQ(sendto(sender, "text", 4, 0, &to.any, sizeof to.v4), 4);
    int *ttl = receive_control(receiver, IPPROTO_IP, IP_TTL);
    CHECK(ttl && *ttl == 64);
    CHECK_OK(set_option(sender, IPPROTO_IP, IP_TOS, 0x28));
    CHECK_EQ(sendto(sender, "text", 4, 0, &to.any, sizeof to.v4), 4);
    unsigned char *tos = receive_control(receiver, IPPROTO_IP, IP_TOS);
    CHECK(tos && *tos == 0x28);

    /* The sender chooses its address for one datagram; also TTL. */
    struct in_pktinfo choice = {.ipi_spec_dst = {htonl(0x7f000005)}};
    CHECK_EQ(send_control(sender, &to, IPPROTO_IP, IP_PKTINFO, &choice, sizeof choice), 4);
    socklen_t length = sizeof from;
    char text[8];
    CHECK_EQ(recvfrom(receiver, text, sizeof text, 0, &from.any, &length), 4);
    CHECK_EQ(from.v4.sin_addr.s_addr, htonl(0x7f000005));
    int hops = 9;
    CHECK_EQ(send_control(sender, &to, IPPROTO_IP, IP_TTL, &hops, sizeof hops), 4);
    ttl = receive_control(receiver, IPPROTO_IP, IP_TTL);
    CHECK(ttl && *ttl == 9);
    hops = 300;
    CHECK_ERR(send_control(sender, &to, IPPROTO_IP, IP_TTL, &hops, sizeof hops), EINVAL);
    CHECK_ERR(send_control(sender, &to, IPPROTO_IP, 9999, &hops, sizeof hops), EINVAL);

    /* Too little room: what fits, and MSG_CTRUNC. */
    CHECK_EQ(sendto(sender, "text", 4, 0, &to.any, sizeof to.v4), 4);
    struct iovec part = {text, sizeof text};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 8};
    CHECK_EQ(recvmsg(receiver, &message, 0), 4);
    CHECK_EQ(message.msg_flags, MSG_CTRUNC);
    close(sender), close(receiver);
}

static void version6(void) {
    address_t to;
    int receiver = bound_socket(AF_INET6, SOCK_DGRAM, &to), sender = new_socket(AF_INET6, SOCK_DGRAM);
    CHECK_OK(set_option(receiver, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1));
    CHECK_OK(set_option(receiver, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1));
    CHECK_OK(set_option(receiver, IPPROTO_IPV6, IPV6_RECVTCLASS, 1));
    CHECK_EQ(sendto(sender, "text", 4, 0, &to.any, sizeof to.v6), 4);
    struct in6_pktinfo *info = receive_control(receiver, IPPROTO_IPV6, IPV6_PKTINFO);
    NEED(info ? 0 : -1);
    CHECK(IN6_IS_ADDR_LOOPBACK(&info->ipi6_addr));
    CHECK_EQ(info->ipi6_ifindex, if_nametoindex("lo"));
    CHECK_EQ(sendto(sender, "text", 4, 0, &to.any, sizeof to.v6), 4);
    int *hops = receive_control(receiver, IPPROTO_IPV6, IPV6_HOPLIMIT);
    CHECK(hops && *hops == 64);
    int class = 0x30;
    CHECK_EQ(send_control(sender, &to, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof class), 4);
    int *found = receive_control(receiver, IPPROTO_IPV6, IPV6_TCLASS);
    CHECK(found && *found == 0x30);
    close(sender), close(receiver);
}

int main(void) {
    version4();
    version6();
    return VERDICT();
}
