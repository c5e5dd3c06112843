/* SCM_RIGHTS: descriptors travel over a unix socket and share the open file description. */
#include "check.h"
#include <sys/socket.h>

static int pair[2];

static void send_descriptors(const int *fds, size_t count) {
    char control[CMSG_SPACE(4 * sizeof(int))] = "";
    struct iovec part = {"x", 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                             .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){CMSG_LEN(count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(header), fds, count * sizeof(int));
    CHECK_EQ(sendmsg(pair[0], &message, 0), 1);
}

static size_t receive_descriptors(int *fds, size_t room, int flags, int *message_flags) {
    char control[CMSG_SPACE(4 * sizeof(int))] = "", byte;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                             .msg_controllen = room ? CMSG_LEN(room * sizeof(int)) : 0};
    CHECK_EQ(recvmsg(pair[1], &message, flags), 1);
    *message_flags = message.msg_flags;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header)
        return 0;
    CHECK_EQ(header->cmsg_level, SOL_SOCKET);
    CHECK_EQ(header->cmsg_type, SCM_RIGHTS);
    size_t bytes = header->cmsg_len - CMSG_LEN(0);
    memcpy(fds, CMSG_DATA(header), bytes);
    return bytes / sizeof(int);
}

int main(void) {
    scratch();
    int received[4] = {-1, -1, -1, -1}, flags = 0;
    int file = (int)NEED(open(make_file("f", "shared offset"), O_RDWR));
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    send_descriptors(&file, 1);
    CHECK_EQ(receive_descriptors(received, 4, MSG_CMSG_CLOEXEC, &flags), 1);
    CHECK(received[0] != file);
    CHECK_EQ(fcntl(received[0], F_GETFD), FD_CLOEXEC);
    lseek(file, 7, SEEK_SET);
    CHECK_EQ(lseek(received[0], 0, SEEK_CUR), 7);

    /* Closed by the sender while in flight: it lives on. */
    int ends[2];
    NEED(pipe(ends));
    send_descriptors(ends, 2);
    close(ends[0]);
    close(ends[1]);
    CHECK_EQ(receive_descriptors(received, 4, 0, &flags), 2);
    CHECK_EQ(write(received[1], "y", 1), 1);
    char byte = 0;
    CHECK_EQ(read(received[0], &byte, 1), 1);
    CHECK_EQ(byte, 'y');

    /* Too little room: the rest is closed, and the flag says so. */
    int both[2] = {file, file};
    send_descriptors(both, 2);
    CHECK_EQ(receive_descriptors(received, 1, 0, &flags), 1);
    CHECK(flags & MSG_CTRUNC);
    /* Never received: closing the socket closes them. */
    NEED(pipe(ends));
    send_descriptors(&ends[1], 1);
    close(ends[1]);
    close(pair[0]);
    close(pair[1]);
    CHECK_EQ(read(ends[0], &byte, 1), 0);

    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    char control[CMSG_SPACE(sizeof(int))] = "";
    struct iovec part = {"x", 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                             .msg_controllen = sizeof control};
    *CMSG_FIRSTHDR(&message) = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    *(int *)CMSG_DATA(CMSG_FIRSTHDR(&message)) = 999;
    CHECK_ERR(sendmsg(pair[0], &message, 0), EBADF);
    return VERDICT();
}
