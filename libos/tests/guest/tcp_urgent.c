/* Urgent data over the loopback: kept apart or in line, the mark, POLLPRI; and bulk data for a peer that has left. */
#include "net.h"

static int at_mark(int fd) {
    int at = -1;
    CHECK_OK(ioctl(fd, SIOCATMARK, &at));
    return at;
}

static void kept_apart(void) {
    int pair[2], waiting = 0;
    char text[16] = "";
    tcp_pair(pair);
    CHECK_ERR(recv(pair[1], text, 1, MSG_OOB), EINVAL);
    CHECK_EQ(ready(pair[1], POLLPRI | POLLIN, 0), 0);
    CHECK_EQ(send(pair[0], "abX", 3, MSG_OOB), 3);
    CHECK_EQ(send(pair[0], "cd", 2, 0), 2);
    CHECK_EQ(wait_ready(pair[1], POLLPRI), POLLPRI);
    sleep_ms(5);
    CHECK_OK(ioctl(pair[1], FIONREAD, &waiting));
    CHECK_EQ(waiting, 2);
    CHECK_EQ(at_mark(pair[1]), 0);
    CHECK_EQ(recv(pair[1], text, 1, MSG_OOB | MSG_PEEK), 1);
    CHECK_EQ(recv(pair[1], text, sizeof text, MSG_OOB), 1);
    CHECK_EQ(text[0], 'X');
    CHECK_ERR(recv(pair[1], text, 1, MSG_OOB), EINVAL);
    CHECK_EQ(ready(pair[1], POLLPRI, 0), 0);
    CHECK_EQ(read(pair[1], text, sizeof text), 2);
    CHECK_EQ(memcmp(text, "ab", 2), 0);
    CHECK_EQ(at_mark(pair[1]), 1);
    CHECK_EQ(read(pair[1], text, sizeof text), 2);
    CHECK_EQ(memcmp(text, "cd", 2), 0);
    CHECK_EQ(at_mark(pair[1]), 0);
    close_pair(pair);
}

static void alone(void) {
    int pair[2];
    char text[16] = "";
    struct msghdr message = {0};
    struct iovec part = {text, sizeof text};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    tcp_pair(pair);
    CHECK_EQ(send(pair[0], "!", 1, MSG_OOB), 1);
    CHECK_EQ(wait_ready(pair[1], POLLPRI | POLLIN), POLLPRI);
    CHECK_EQ(at_mark(pair[1]), 1);
    CHECK_EQ(recvmsg(pair[1], &message, MSG_OOB), 1);
    CHECK_EQ(message.msg_flags & MSG_OOB, MSG_OOB);
    CHECK_EQ(text[0], '!');
    CHECK_ERR(recv(pair[1], text, 1, MSG_DONTWAIT), EAGAIN);
    /* A byte that nobody read goes with the stream's next read. */
    CHECK_EQ(send(pair[0], "1", 1, MSG_OOB), 1);
    CHECK_EQ(wait_ready(pair[1], POLLPRI), POLLPRI);
    CHECK_EQ(send(pair[0], "z", 1, 0), 1);
    CHECK_EQ(wait_ready(pair[1], POLLIN), POLLIN);
    CHECK_EQ(read(pair[1], text, sizeof text), 1);
    CHECK_EQ(text[0], 'z');
    CHECK_ERR(recv(pair[1], text, 1, MSG_OOB), EINVAL);
    close_pair(pair);
}

static void in_line(void) {
    int pair[2], on = 1, waiting = 0;
    char text[16] = "";
    tcp_pair(pair);
    CHECK_OK(setsockopt(pair[1], SOL_SOCKET, SO_OOBINLINE, &on, sizeof on));
    CHECK_EQ(send(pair[0], "abX", 3, MSG_OOB), 3);
    CHECK_EQ(send(pair[0], "c", 1, 0), 1);
    CHECK_EQ(wait_ready(pair[1], POLLPRI), POLLPRI);
    sleep_ms(5);
    CHECK_OK(ioctl(pair[1], FIONREAD, &waiting));
    CHECK_EQ(waiting, 4);
    CHECK_ERR(recv(pair[1], text, 1, MSG_OOB), EINVAL);
    CHECK_EQ(read(pair[1], text, sizeof text), 2);
    CHECK_EQ(at_mark(pair[1]), 1);
    CHECK_EQ(read(pair[1], text, sizeof text), 2);
    CHECK_EQ(memcmp(text, "Xc", 2), 0);
    CHECK_EQ(at_mark(pair[1]), 0);
    close_pair(pair);
}

/* The peer has closed: its reset comes long before so much was sent, and the error is kept for the next call. */
static void to_who_has_left(void) {
    int pair[2];
    size_t size = 64 << 20;
    char *much = malloc(size);
    memset(much, 1, size);
    tcp_pair(pair);
    close(pair[1]);
    sleep_ms(5);
    long sent = send(pair[0], much, size, MSG_NOSIGNAL);
    CHECK(sent > 0 && sent < (long)size);
    CHECK_ERR(send(pair[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    close(pair[0]);
    free(much);
}

int main(void) {
    kept_apart();
    alone();
    in_line();
    to_who_has_left();
    return VERDICT();
}
