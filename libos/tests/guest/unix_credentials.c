/* SO_PASSCRED and SCM_CREDENTIALS: who sent it; what is sent along unasked, given, refused, and cut short. */
#include "net.h"

union control {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))];
};

static int receive(int fd, struct ucred *sender, int room) {
    char text[16];
    union control control;
    struct iovec part = {text, sizeof text};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = (size_t)room};
    NEED(recvmsg(fd, &message, MSG_DONTWAIT));
    struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    if (first && first->cmsg_level == SOL_SOCKET && first->cmsg_type == SCM_CREDENTIALS)
        memcpy(sender, CMSG_DATA(first), sizeof *sender);
    else
        sender->pid = -1;
    return message.msg_flags;
}

static long send_as(int fd, struct ucred sender) {
    union control control = {.header = {CMSG_LEN(sizeof sender), SOL_SOCKET, SCM_CREDENTIALS}};
    memcpy(CMSG_DATA(&control.header), &sender, sizeof sender);
    struct iovec part = {"x", 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = CMSG_SPACE(sizeof sender)};
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static void of(int type) {
    int pair[2];
    struct ucred sender, own = {getpid(), getuid(), getgid()};
    NEED(socketpair(AF_UNIX, type, 0, pair));
    CHECK_EQ(option_of(pair[1], SOL_SOCKET, SO_PASSCRED), 0);
    CHECK_EQ(write(pair[0], "x", 1), 1);
    CHECK_EQ(receive(pair[1], &sender, sizeof(union control)) & ~MSG_EOR, 0);
    CHECK_EQ(sender.pid, -1);
    CHECK_OK(set_option(pair[1], SOL_SOCKET, SO_PASSCRED, 1));
    CHECK_EQ(option_of(pair[1], SOL_SOCKET, SO_PASSCRED), 1);
    CHECK_EQ(write(pair[0], "x", 1), 1);
    CHECK_EQ(receive(pair[1], &sender, sizeof(union control)) & ~MSG_EOR, 0);
    CHECK_EQ(sender.pid, own.pid);
    CHECK_EQ(sender.uid, own.uid);
    CHECK_EQ(sender.gid, own.gid);
    CHECK_EQ(send_as(pair[0], own), 1);
    receive(pair[1], &sender, sizeof(union control));
    CHECK_EQ(sender.pid, own.pid);
    CHECK_EQ(write(pair[0], "x", 1), 1);
    CHECK_EQ(receive(pair[1], &sender, 4) & MSG_CTRUNC, MSG_CTRUNC);
    struct ucred wrong = own;
    wrong.uid = (uid_t)-1;
    CHECK_ERR(send_as(pair[0], wrong), EINVAL);
    if (own.uid != 0) {
        wrong = own;
        wrong.pid = 1;
        CHECK_ERR(send_as(pair[0], wrong), EPERM);
        wrong = own;
        wrong.uid = own.uid + 1;
        CHECK_ERR(send_as(pair[0], wrong), EPERM);
    }
    close_pair(pair);
}

int main(void) {
    of(SOCK_STREAM);
    of(SOCK_DGRAM);
    of(SOCK_SEQPACKET);
    return VERDICT();
}
