/* Half-closed TCP connections: the other direction goes on; what read, write and poll say; shutdown in each state. */
#include "net.h"

static void write_side(void) {
    int pair[2];
    char text[16];
    tcp_pair(pair);
    CHECK_EQ(write(pair[0], "last words", 10), 10);
    CHECK_OK(shutdown(pair[0], SHUT_WR));
    CHECK_ERR(send(pair[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK_EQ(ready(pair[0], POLLIN | POLLOUT | POLLRDHUP, 0), POLLOUT);
    CHECK_EQ(receive_all(pair[1], text, 10), 10);
    CHECK_EQ(wait_ready(pair[1], POLLIN | POLLRDHUP), POLLIN | POLLRDHUP);
    CHECK_EQ(read(pair[1], text, sizeof text), 0);
    CHECK_EQ(read(pair[1], text, sizeof text), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(write(pair[1], "answer", 6), 6);
        CHECK_EQ(receive_all(pair[0], text, 6), 6);
    }
    CHECK_OK(shutdown(pair[0], SHUT_WR));
    CHECK_OK(shutdown(pair[1], SHUT_WR));
    CHECK_EQ(read(pair[0], text, sizeof text), 0);
    int all = POLLIN | POLLOUT | POLLRDHUP;
    CHECK_EQ(wait_ready(pair[0], all), all | POLLHUP);
    CHECK_EQ(wait_ready(pair[1], all), all | POLLHUP);
    CHECK_ERR(shutdown(pair[1], SHUT_WR), ENOTCONN);
    CHECK_ERR(send(pair[1], "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK_EQ(read(pair[1], text, sizeof text), 0);
    close_pair(pair);
}

static void read_side(void) {
    int pair[2];
    char text[16];
    tcp_pair(pair);
    CHECK_EQ(write(pair[1], "before", 6), 6);
    wait_ready(pair[0], POLLIN);
    CHECK_OK(shutdown(pair[0], SHUT_RD));
    CHECK_EQ(ready(pair[0], POLLIN | POLLRDHUP, 0), POLLIN | POLLRDHUP);
    CHECK_EQ(read(pair[0], text, sizeof text), 6);
    CHECK_EQ(read(pair[0], text, sizeof text), 0);
    /* The other side does not learn of it, and Linux hands out what it sends even so. */
    CHECK_EQ(ready(pair[1], POLLIN | POLLOUT | POLLRDHUP, 0), POLLOUT);
    CHECK_EQ(write(pair[1], "after", 5), 5);
    sleep_ms(5);
    CHECK_EQ(recv(pair[0], text, sizeof text, MSG_DONTWAIT), 5);
    CHECK_EQ(read(pair[0], text, sizeof text), 0);
    CHECK_EQ(write(pair[0], "still", 5), 5);
    CHECK_EQ(read(pair[1], text, sizeof text), 5);
    close_pair(pair);
}

static void both_sides(void) {
    int pair[2];
    char text[16];
    tcp_pair(pair);
    CHECK_OK(shutdown(pair[0], SHUT_RDWR));
    CHECK_EQ(read(pair[0], text, sizeof text), 0);
    CHECK_ERR(send(pair[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK_EQ(read(pair[1], text, sizeof text), 0);
    close(pair[1]);
    close(pair[0]);
}

static void *wait_for_end(void *argument) {
    char byte;
    return (void *)read(*(int *)argument, &byte, 1);
}

static void *wait_for_client(void *argument) {
    long result = accept(*(int *)argument, NULL, NULL);
    return (void *)(result == -1 ? -(long)errno : result);
}

/* shutdown wakes whoever sleeps in the socket. */
static void wakes_sleepers(void) {
    int pair[2];
    void *result;
    tcp_pair(pair);
    pthread_t sleeper = start_thread(wait_for_end, &pair[0]);
    sleep_ms(5);
    CHECK_OK(shutdown(pair[0], SHUT_RD));
    pthread_join(sleeper, &result);
    CHECK_EQ((long)result, 0);
    close_pair(pair);
    address_t address;
    int server = listener(AF_INET, 1, &address);
    sleeper = start_thread(wait_for_client, &server);
    sleep_ms(5);
    CHECK_OK(shutdown(server, SHUT_RD));
    pthread_join(sleeper, &result);
    CHECK_EQ((long)result, -EINVAL);
    /* It has stopped to listen, but may begin again. */
    CHECK_ERR(accept(server, NULL, NULL), EINVAL);
    CHECK_EQ(option_of(server, SOL_SOCKET, SO_ACCEPTCONN), 0);
    int client = new_socket(AF_INET, SOCK_STREAM);
    CHECK_ERR(try_connect(client, &address), ECONNREFUSED);
    CHECK_OK(listen(server, 1)); /* on another port, as it was not bound to one by number */
    address = local_address(server);
    CHECK_OK(try_connect(client, &address));
    close(client), close(server);
}

int main(void) {
    write_side();
    read_side();
    both_sides();
    wakes_sleepers();
    int pair[2], fd = new_socket(AF_INET, SOCK_STREAM);
    CHECK_ERR(shutdown(fd, SHUT_RDWR), ENOTCONN);
    CHECK_ERR(shutdown(fd, 3), EINVAL);
    tcp_pair(pair);
    CHECK_ERR(shutdown(pair[0], 3), EINVAL);
    close_pair(pair), close(fd);
    return VERDICT();
}
