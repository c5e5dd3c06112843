/* The backlog: connections complete before accept, wait in order with their data, and no more than it holds. */
#include "net.h"

static int start_connecting(const address_t *address) {
    int fd = new_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
    CHECK_ERR(try_connect(fd, address), EINPROGRESS);
    return fd;
}

int main(void) {
    address_t address;
    int server = listener(AF_INET, 8, &address);
    int clients[8];
    for (int i = 0; i < 8; i++) {
        clients[i] = connected_to(&address);
        char byte = (char)('a' + i);
        CHECK_EQ(write(clients[i], &byte, 1), 1);
    }
    CHECK_EQ(wait_ready(server, POLLIN | POLLOUT), POLLIN);
    for (int i = 0; i < 8; i++) {
        address_t own = local_address(clients[i]), peer;
        socklen_t length = sizeof peer;
        int accepted = (int)NEED(accept(server, &peer.any, &length));
        CHECK_EQ(port_of(&peer), port_of(&own));
        char byte = 0;
        CHECK_EQ(read(accepted, &byte, 1), 1);
        CHECK_EQ(byte, 'a' + i);
        close(accepted), close(clients[i]);
    }
    set_nonblocking(server);
    CHECK_ERR(accept(server, NULL, NULL), EAGAIN);
    CHECK_EQ(ready(server, POLLIN, 0), 0);
    close(server);

    /* Linux lets backlog + 1 connections wait; one more stays in progress. */
    server = listener(AF_INET, 1, &address);
    int first = start_connecting(&address), second = start_connecting(&address);
    CHECK_EQ(wait_ready(first, POLLOUT), POLLOUT);
    CHECK_EQ(wait_ready(second, POLLOUT), POLLOUT);
    int third = start_connecting(&address);
    CHECK_EQ(ready(third, POLLOUT, 100), 0);
    CHECK_ERR(try_connect(third, &address), EALREADY);
    CHECK_ERR(send(third, "x", 1, MSG_NOSIGNAL), EAGAIN);
    CHECK_EQ(option_of(third, SOL_SOCKET, SO_ERROR), 0);
    /* Given up before there is room for it: how soon it would get some is not said anywhere. */
    close(third);
    close((int)NEED(accept(server, NULL, NULL)));
    close((int)NEED(accept(server, NULL, NULL)));
    close(first), close(second);

    /* A client that has gone before it was accepted is accepted, with what it sent. */
    int gone = connected_to(&address);
    CHECK_EQ(write(gone, "bye", 3), 3);
    close(gone);
    int accepted = (int)NEED(accept(server, NULL, NULL));
    char text[4];
    CHECK_EQ(read(accepted, text, sizeof text), 3);
    CHECK_EQ(read(accepted, text, sizeof text), 0);
    close(accepted);

    /* Closing the listener resets those that wait. */
    int waiting = connected_to(&address);
    close(server);
    CHECK_ERR(recv(waiting, text, 1, 0), ECONNRESET);
    close(waiting);
    return VERDICT();
}
