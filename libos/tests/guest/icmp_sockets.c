/* ICMP echo sockets: the loopback answers, the identifier is the socket's, other messages are refused; raw sockets. Native run: in a network namespace. */
#include "net.h"
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

static unsigned checksum(const unsigned char *bytes, size_t length) {
    unsigned sum = 0;
    for (size_t i = 0; i < length; i += 2)
        sum += (unsigned)bytes[i] << 8 | (i + 1 < length ? bytes[i + 1] : 0);
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum ^ 0xffff;
}

static void echo(int family, int protocol, int request, int reply) {
    int fd = socket(family, SOCK_DGRAM, protocol);
    if (fd < 0 && errno == EACCES)
        SKIP("echo sockets are not for this group");
    NEED(fd);
    address_t to = loopback(family, 0), from;
    unsigned char message[12] = {(unsigned char)request, 0, 0, 0, 0x12, 0x34, 0, 7, 'p', 'i', 'n', 'g'}, answer[64];
    CHECK_EQ(sendto(fd, message, 12, 0, &to.any, address_length(&to)), 12);
    CHECK_EQ(wait_ready(fd, POLLIN), POLLIN);
    socklen_t length = sizeof from;
    CHECK_EQ(recvfrom(fd, answer, sizeof answer, 0, &from.any, &length), 12);
    CHECK_EQ(length, address_length(&to));
    CHECK_EQ(port_of(&from), 0);
    CHECK_EQ(answer[0], reply);
    address_t own = local_address(fd);
    CHECK(port_of(&own) != 0);
    CHECK_EQ(answer[4] << 8 | answer[5], port_of(&own));
    CHECK_EQ(memcmp(answer + 6, message + 6, 6), 0);
    if (family == AF_INET)
        CHECK_EQ(checksum(answer, 12), 0);
    message[0] = (unsigned char)reply;
    CHECK_ERR(sendto(fd, message, 12, 0, &to.any, address_length(&to)), EINVAL);
    message[0] = (unsigned char)request;
    CHECK_ERR(sendto(fd, message, 7, 0, &to.any, address_length(&to)), EINVAL);
    CHECK_OK(try_connect(fd, &to));
    CHECK_EQ(send(fd, message, 12, 0), 12);
    CHECK_EQ(recv(fd, answer, sizeof answer, 0), 12);
    close(fd);
}

static void raw(void) {
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    if (fd < 0) {
        CHECK_EQ(errno, EPERM);
        return;
    }
    struct icmp_filter {
        uint32_t mask;
    } filter = {~(1u << ICMP_ECHOREPLY)};
    CHECK_OK(setsockopt(fd, SOL_RAW, 1, &filter, sizeof filter));
    address_t to = loopback(AF_INET, 0);
    unsigned char message[8] = {ICMP_ECHO, 0, 0, 0, 0x77, 0x77, 0, 1}, answer[64];
    unsigned sum = checksum(message, 8);
    message[2] = (unsigned char)(sum >> 8), message[3] = (unsigned char)sum;
    CHECK_EQ(sendto(fd, message, 8, 0, &to.any, sizeof to.v4), 8);
    CHECK_EQ(wait_ready(fd, POLLIN), POLLIN);
    CHECK_EQ(recv(fd, answer, sizeof answer, 0), 28);
    CHECK_EQ(answer[0], 0x45);
    CHECK_EQ(answer[9], IPPROTO_ICMP);
    CHECK_EQ(answer[20], ICMP_ECHOREPLY);
    CHECK_EQ(answer[24] << 8 | answer[25], 0x7777);
    CHECK_ERR(recv(fd, answer, sizeof answer, MSG_DONTWAIT), EAGAIN);
    close(fd);
}

int main(void) {
    CHECK_ERR(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMPV6), EPROTONOSUPPORT);
    CHECK_ERR(socket(AF_INET, SOCK_RAW, 0), EPROTONOSUPPORT);
    raw();
    echo(AF_INET, IPPROTO_ICMP, ICMP_ECHO, ICMP_ECHOREPLY);
    echo(AF_INET6, IPPROTO_ICMPV6, ICMP6_ECHO_REQUEST, ICMP6_ECHO_REPLY);
    return VERDICT();
}
