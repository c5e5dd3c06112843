/* sendmmsg and recvmmsg on UDP: counts, lengths, MSG_WAITFORONE, timeouts, and what happens where one fails. */
#include "net.h"

enum { MANY = 8 };

static char texts[MANY][16];
static struct iovec parts[MANY];
static struct mmsghdr messages[MANY];

static void prepare(size_t length) {
    memset(messages, 0, sizeof messages);
    for (int i = 0; i < MANY; i++) {
        parts[i] = (struct iovec){texts[i], length};
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
}

int main(void) {
    address_t address, senders[MANY];
    int b = bound_socket(AF_INET, SOCK_DGRAM, &address), a = new_socket(AF_INET, SOCK_DGRAM);
    NEED(try_connect(a, &address));
    prepare(0);
    for (int i = 0; i < MANY; i++)
        parts[i].iov_len = (size_t)snprintf(texts[i], sizeof texts[i], "datagram%.*s", i, "*******");
    CHECK_EQ(sendmmsg(a, messages, MANY, 0), MANY);
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(messages[i].msg_len, 8 + i);

    prepare(12);
    for (int i = 0; i < MANY; i++) {
        messages[i].msg_hdr.msg_name = &senders[i];
        messages[i].msg_hdr.msg_namelen = sizeof senders[i];
    }
    CHECK_EQ(recvmmsg(b, messages, MANY, 0, NULL), MANY);
    address_t own = local_address(a);
    for (int i = 0; i < MANY; i++) {
        CHECK_EQ(messages[i].msg_len, i < 4 ? 8 + i : 12);
        CHECK_EQ(messages[i].msg_hdr.msg_flags, i <= 4 ? 0 : MSG_TRUNC);
        CHECK_EQ(port_of(&senders[i]), port_of(&own));
    }

    prepare(sizeof texts[0]);
    CHECK_ERR(recvmmsg(b, messages, MANY, MSG_DONTWAIT, NULL), EAGAIN);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(send(a, "abc", 3, 0), 3);
    CHECK_EQ(recvmmsg(b, messages, MANY, MSG_WAITFORONE, NULL), 3);
    /* The timeout is looked at after a datagram came. */
    for (int i = 0; i < 2; i++)
        CHECK_EQ(send(a, "abc", 3, 0), 3);
    struct timespec none = {0, 0};
    CHECK_EQ(recvmmsg(b, messages, MANY, 0, &none), 1);
    CHECK_EQ(recvmmsg(b, messages, MANY, MSG_DONTWAIT, NULL), 1);
    struct timespec wrong = {0, 1000000000};
    CHECK_ERR(recvmmsg(b, messages, MANY, 0, &wrong), EINVAL);

    /* One that fails in the middle ends it; the count says how far it came. */
    prepare(3);
    parts[2].iov_base = (void *)16;
    CHECK_EQ(sendmmsg(a, messages, MANY, 0), 2);
    CHECK_ERR(sendmmsg(a, messages + 2, 1, 0), EFAULT);
    CHECK_EQ(sendmmsg(a, messages, 0, 0), 0);
    close(a), close(b);

    /* On a connection too. */
    int pair[2];
    char text[64];
    tcp_pair(pair);
    prepare(4);
    CHECK_EQ(sendmmsg(pair[0], messages, MANY, MSG_NOSIGNAL), MANY);
    CHECK_EQ(receive_all(pair[1], text, 4 * MANY), 4 * MANY);
    close_pair(pair);
    return VERDICT();
}
