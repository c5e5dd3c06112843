/* Unix datagram and seqpacket sockets: boundaries, truncation, names of senders. */
#include "check.h"
#include <sys/socket.h>
#include <sys/un.h>

int main(void) {
    scratch();
    char text[16] = "";
    int pair[2];
    NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
    CHECK_EQ(send(pair[0], "first", 5, 0), 5);
    CHECK_EQ(send(pair[0], "", 0, 0), 0);
    CHECK_EQ(send(pair[0], "second", 6, 0), 6);
    CHECK_EQ(recv(pair[1], text, sizeof text, 0), 5);
    CHECK_EQ(recv(pair[1], text, sizeof text, 0), 0);
    CHECK_EQ(recv(pair[1], text, 3, MSG_TRUNC), 6);
    CHECK_ERR(recv(pair[1], text, 3, MSG_DONTWAIT), EAGAIN);

    struct iovec part = {text, 2};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    CHECK_EQ(send(pair[0], "third", 5, 0), 5);
    CHECK_EQ(recvmsg(pair[1], &message, 0), 2);
    CHECK(message.msg_flags & MSG_TRUNC);

    struct sockaddr_un server = {AF_UNIX, "server"}, client = {AF_UNIX, "client"}, from;
    socklen_t length = sizeof from;
    int receiver = (int)NEED(socket(AF_UNIX, SOCK_DGRAM, 0));
    int sender = (int)NEED(socket(AF_UNIX, SOCK_DGRAM, 0));
    NEED(bind(receiver, (struct sockaddr *)&server, sizeof server));
    NEED(bind(sender, (struct sockaddr *)&client, sizeof client));
    CHECK_EQ(sendto(sender, "hi", 2, 0, (struct sockaddr *)&server, sizeof server), 2);
    CHECK_EQ(recvfrom(receiver, text, sizeof text, 0, (struct sockaddr *)&from, &length), 2);
    CHECK_STR(from.sun_path, "client");
    CHECK_ERR(send(sender, "x", 1, 0), ENOTCONN);
    CHECK_OK(connect(sender, (struct sockaddr *)&server, sizeof server));
    CHECK_EQ(send(sender, "connected", 9, 0), 9);
    CHECK_EQ(recv(receiver, text, sizeof text, 0), 9);
    close(receiver);
    CHECK_ERR(send(sender, "x", 1, 0), ECONNREFUSED);

    NEED(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
    CHECK_EQ(send(pair[0], "packet one", 10, 0), 10);
    CHECK_EQ(send(pair[0], "two", 3, 0), 3);
    CHECK_EQ(read(pair[1], text, 6), 6);
    CHECK_EQ(read(pair[1], text, sizeof text), 3);
    close(pair[0]);
    CHECK_EQ(read(pair[1], text, sizeof text), 0);
    return VERDICT();
}
