/* Unix seqpacket sockets with names: connect, accept, records, their ends and sizes; abstract and automatic names. */
#include "net.h"
#include <sys/un.h>

static socklen_t abstract(struct sockaddr_un *address, const char *name) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path + 1, name, strlen(name));
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
}

static void records(void) {
    struct sockaddr_un name;
    char text[32];
    socklen_t length = abstract(&name, "guest-test-seqpacket");
    int server = new_socket(AF_UNIX, SOCK_SEQPACKET), client = new_socket(AF_UNIX, SOCK_SEQPACKET);
    CHECK_ERR(connect(client, (struct sockaddr *)&name, length), ECONNREFUSED);
    CHECK_OK(bind(server, (struct sockaddr *)&name, length));
    CHECK_ERR(connect(client, (struct sockaddr *)&name, length), ECONNREFUSED);
    CHECK_OK(listen(server, 2));
    CHECK_OK(connect(client, (struct sockaddr *)&name, length));
    int stream = new_socket(AF_UNIX, SOCK_STREAM);
    CHECK_ERR(connect(stream, (struct sockaddr *)&name, length), ECONNREFUSED); /* another kind */
    int accepted = (int)NEED(accept(server, NULL, NULL));
    CHECK_EQ(send(client, "one record", 10, 0), 10);
    CHECK_EQ(send(client, "two", 3, 0), 3);
    CHECK_EQ(send(client, "", 0, 0), 0);
    CHECK_EQ(recv(accepted, text, 3, 0), 3);
    struct iovec part = {text, sizeof text};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    CHECK_EQ(recvmsg(accepted, &message, 0), 3);
    CHECK_EQ(message.msg_flags & ~MSG_EOR, 0);
    CHECK_EQ(recv(accepted, text, sizeof text, 0), 0); /* the empty record */
    CHECK_ERR(recv(accepted, text, sizeof text, MSG_DONTWAIT), EAGAIN);
    CHECK_EQ(send(accepted, "answer", 6, 0), 6);
    CHECK_EQ(recv(client, text, 2, MSG_TRUNC), 6);
    shutdown(client, SHUT_WR);
    CHECK_EQ(recv(accepted, text, sizeof text, 0), 0);
    CHECK_ERR(send(client, "x", 1, MSG_NOSIGNAL), EPIPE);
    close(accepted);
    CHECK_EQ(recv(client, text, 1, 0), 0);
    CHECK_ERR(sendto(client, "x", 1, MSG_NOSIGNAL, (struct sockaddr *)&name, length), EPIPE);
    close(client), close(server), close(stream);
    client = new_socket(AF_UNIX, SOCK_SEQPACKET);
    CHECK_ERR(connect(client, (struct sockaddr *)&name, length), ECONNREFUSED); /* the name is gone with its socket */
    CHECK_ERR(send(client, "x", 1, MSG_NOSIGNAL), ENOTCONN);
    close(client);
}

static void names(void) {
    struct sockaddr_un name, found;
    socklen_t length = abstract(&name, "guest-test-name"), found_length = sizeof found;
    int first = new_socket(AF_UNIX, SOCK_STREAM), second = new_socket(AF_UNIX, SOCK_STREAM);
    CHECK_OK(bind(first, (struct sockaddr *)&name, length));
    CHECK_ERR(bind(second, (struct sockaddr *)&name, length), EADDRINUSE);
    CHECK_ERR(bind(first, (struct sockaddr *)&name, length), EINVAL);
    /* Every byte counts, a zero at the end as well. */
    CHECK_OK(bind(second, (struct sockaddr *)&name, length + 1));
    CHECK_OK(getsockname(second, (struct sockaddr *)&found, &found_length));
    CHECK_EQ(found_length, length + 1);
    CHECK_EQ(memcmp(&found, &name, length + 1), 0);
    close(first), close(second);
    /* bind with the family alone picks five hexadecimal digits. */
    first = new_socket(AF_UNIX, SOCK_DGRAM);
    CHECK_OK(bind(first, (struct sockaddr *)&name, sizeof(sa_family_t)));
    found_length = sizeof found;
    CHECK_OK(getsockname(first, (struct sockaddr *)&found, &found_length));
    CHECK_EQ(found_length, sizeof(sa_family_t) + 6);
    CHECK_EQ(found.sun_path[0], 0);
    CHECK_EQ(strspn(found.sun_path + 1, "0123456789abcdef") >= 5, 1);
    /* A socket without a name: the family alone. */
    second = new_socket(AF_UNIX, SOCK_DGRAM);
    found_length = sizeof found;
    CHECK_OK(getsockname(second, (struct sockaddr *)&found, &found_length));
    CHECK_EQ(found_length, sizeof(sa_family_t));
    CHECK_ERR(bind(second, (struct sockaddr *)&name, sizeof name + 1), EINVAL);
    CHECK_ERR(bind(second, (struct sockaddr *)&name, 1), EINVAL);
    close(first), close(second);
}

/* The listener's queue: backlog + 1 wait, more are refused for now. */
static void backlog(void) {
    struct sockaddr_un name;
    socklen_t length = abstract(&name, "guest-test-backlog");
    int server = new_socket(AF_UNIX, SOCK_STREAM), clients[3];
    CHECK_OK(bind(server, (struct sockaddr *)&name, length));
    CHECK_OK(listen(server, 1));
    for (int i = 0; i < 3; i++)
        clients[i] = new_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
    CHECK_OK(connect(clients[0], (struct sockaddr *)&name, length));
    CHECK_OK(connect(clients[1], (struct sockaddr *)&name, length));
    CHECK_ERR(connect(clients[2], (struct sockaddr *)&name, length), EAGAIN);
    close((int)NEED(accept(server, NULL, NULL)));
    CHECK_OK(connect(clients[2], (struct sockaddr *)&name, length));
    char byte;
    CHECK_EQ(read(clients[0], &byte, 1), 0);
    close(server);
    CHECK_ERR(read(clients[1], &byte, 1), ECONNRESET);
    for (int i = 0; i < 3; i++)
        close(clients[i]);
}

int main(void) {
    records();
    names();
    backlog();
    return VERDICT();
}
