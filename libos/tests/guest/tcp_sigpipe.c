/* Writing to an ended connection raises SIGPIPE, unless MSG_NOSIGNAL says otherwise, by each way to write. */
#include "net.h"
#include <sys/sendfile.h>
#include <sys/uio.h>

static volatile int raised;

static void count(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
    raised++;
}

int main(void) {
    scratch();
    set_handler(SIGPIPE, count, 0);
    int pair[2], file = open(make_file("text", "some text"), O_RDONLY);
    struct iovec part = {"x", 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    tcp_pair(pair);
    CHECK_OK(shutdown(pair[0], SHUT_WR));
    CHECK_ERR(send(pair[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK_ERR(sendmsg(pair[0], &message, MSG_NOSIGNAL), EPIPE);
    CHECK_EQ(raised, 0);
    CHECK_ERR(write(pair[0], "x", 1), EPIPE);
    CHECK_EQ(raised, 1);
    CHECK_ERR(send(pair[0], "x", 1, 0), EPIPE);
    CHECK_EQ(raised, 2);
    CHECK_ERR(writev(pair[0], &part, 1), EPIPE);
    CHECK_EQ(raised, 3);
    CHECK_ERR(sendmsg(pair[0], &message, 0), EPIPE);
    CHECK_EQ(raised, 4);
    CHECK_ERR(sendfile(pair[0], file, NULL, 4), EPIPE);
    CHECK_EQ(raised, 5);
    close_pair(pair);

    /* The peer is gone: the first write still succeeds. */
    tcp_pair(pair);
    close(pair[1]);
    CHECK_EQ(write(pair[0], "x", 1), 1);
    wait_ready(pair[0], 0);
    raised = 0;
    CHECK_ERR(write(pair[0], "x", 1), EPIPE);
    CHECK_EQ(raised, 1);
    close(pair[0]);
    /* A reset is an error of its own, and no signal; after it was told it is a broken pipe. */
    tcp_pair(pair);
    struct linger linger = {1, 0};
    CHECK_OK(setsockopt(pair[1], SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    close(pair[1]);
    wait_ready(pair[0], 0);
    CHECK_ERR(write(pair[0], "x", 1), ECONNRESET);
    CHECK_EQ(raised, 1);
    CHECK_ERR(write(pair[0], "x", 1), EPIPE);
    CHECK_EQ(raised, 2);
    close(pair[0]);
    /* Never connected. */
    int fd = new_socket(AF_INET, SOCK_STREAM);
    CHECK_ERR(write(fd, "x", 1), EPIPE);
    CHECK_EQ(raised, 3);
    CHECK_ERR(read(fd, &linger, 1), ENOTCONN);
    /* UDP never raises it. */
    fd = new_socket(AF_INET, SOCK_DGRAM);
    CHECK_ERR(write(fd, "x", 1), EDESTADDRREQ);
    CHECK_EQ(raised, 3);
    return VERDICT();
}
