/* recv on TCP: MSG_PEEK, MSG_DONTWAIT, MSG_WAITALL, MSG_TRUNC; SO_RCVLOWAT; FIONREAD and SIOCOUTQ; recvmsg's fields. */
#include "net.h"
#include <linux/sockios.h>
#include <sys/uio.h>

static int pair[2];

static void *send_in_parts(void *unused) {
    for (int i = 0; i < 4; i++) {
        sleep_ms(5);
        send_all(pair[1], "abcd", 4);
    }
    return unused;
}

int main(void) {
    char text[32] = "";
    int count = -1;
    tcp_pair(pair);
    CHECK_ERR(recv(pair[0], text, sizeof text, MSG_DONTWAIT), EAGAIN);
    CHECK_EQ(send(pair[1], "0123456789", 10, 0), 10);
    wait_ready(pair[0], POLLIN);
    CHECK_OK(ioctl(pair[0], FIONREAD, &count));
    CHECK_EQ(count, 10);
    CHECK_OK(ioctl(pair[1], SIOCOUTQ, &count));
    CHECK_EQ(count, 0);
    CHECK_EQ(recv(pair[0], text, 4, MSG_PEEK), 4);
    CHECK_EQ(recv(pair[0], text, sizeof text, MSG_PEEK | MSG_DONTWAIT), 10);
    CHECK_EQ(recv(pair[0], text, 4, 0), 4);
    CHECK_EQ(recv(pair[0], text + 4, 2, MSG_PEEK), 2);
    text[6] = 0;
    CHECK_STR(text, "012345");
    /* MSG_TRUNC on TCP throws bytes away, without a buffer. */
    CHECK_EQ(recv(pair[0], NULL, 4, MSG_TRUNC), 4);
    CHECK_EQ(recv(pair[0], text, sizeof text, 0), 2);
    CHECK_EQ(memcmp(text, "89", 2), 0);

    pthread_t sender = start_thread(send_in_parts, NULL);
    CHECK_EQ(recv(pair[0], text, 16, MSG_WAITALL), 16);
    CHECK_EQ(memcmp(text, "abcdabcdabcdabcd", 16), 0);
    pthread_join(sender, NULL);
    sender = start_thread(send_in_parts, NULL);
    CHECK_OK(set_option(pair[0], SOL_SOCKET, SO_RCVLOWAT, 16));
    CHECK_EQ(option_of(pair[0], SOL_SOCKET, SO_RCVLOWAT), 16);
    CHECK_EQ(wait_ready(pair[0], POLLIN), POLLIN);
    CHECK_OK(ioctl(pair[0], FIONREAD, &count));
    CHECK_EQ(count, 16);
    CHECK_EQ(recv(pair[0], text, 16, 0), 16);
    pthread_join(sender, NULL);
    CHECK_OK(set_option(pair[0], SOL_SOCKET, SO_RCVLOWAT, 1));

    struct iovec out[3] = {{"scat", 4}, {"", 0}, {"tered", 5}}, in[2] = {{text, 3}, {text + 16, 16}};
    struct msghdr message = {.msg_iov = out, .msg_iovlen = 3};
    CHECK_EQ(sendmsg(pair[1], &message, MSG_NOSIGNAL), 9);
    address_t from;
    char control[64];
    message = (struct msghdr){.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = in, .msg_iovlen = 2,
                              .msg_control = control, .msg_controllen = sizeof control, .msg_flags = -1};
    CHECK_EQ(recvmsg(pair[0], &message, MSG_WAITALL & 0), 9);
    CHECK_EQ(memcmp(text, "sca", 3), 0);
    CHECK_EQ(memcmp(text + 16, "ttered", 6), 0);
    CHECK_EQ(message.msg_namelen, 0); /* a connection has no sender's name */
    CHECK_EQ(message.msg_controllen, 0);
    CHECK_EQ(message.msg_flags, 0);

    /* An empty read waits for data too, and an empty write is no byte. */
    CHECK_ERR(recv(pair[0], text, 0, MSG_DONTWAIT), EAGAIN);
    CHECK_EQ(send(pair[1], text, 0, 0), 0);
    CHECK_ERR(recv(pair[0], text, 1, MSG_DONTWAIT), EAGAIN);
    send_all(pair[1], "more", 4);
    wait_ready(pair[0], POLLIN);
    CHECK_ERR(recv(pair[0], (void *)16, 4, 0), EFAULT);
    CHECK_EQ(recv(pair[0], text, 4, 0), 4);
    CHECK_ERR(send(pair[1], (void *)16, 4, 0), EFAULT);
    shutdown(pair[1], SHUT_WR);
    /* The end cuts MSG_WAITALL short. */
    CHECK_EQ(recv(pair[0], text, 4, MSG_WAITALL), 0);
    close_pair(pair);
    return VERDICT();
}
