/* fcntl locks within one process: POSIX ones never conflict, open-file-description ones do. */
#include "check.h"

static struct flock range(short type, off_t start, off_t length) {
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
}

static int lock(int fd, int command, short type, off_t start, off_t length) {
    struct flock wanted = range(type, start, length);
    return fcntl(fd, command, &wanted);
}

static void posix_locks(int first, int second) {
    CHECK_OK(lock(first, F_SETLK, F_WRLCK, 0, 100));
    CHECK_OK(lock(second, F_SETLK, F_WRLCK, 0, 100));
    struct flock found = range(F_WRLCK, 0, 100);
    CHECK_OK(fcntl(second, F_GETLK, &found));
    CHECK_EQ(found.l_type, F_UNLCK);
    CHECK_OK(lock(first, F_SETLK, F_UNLCK, 0, 0));
    int readable = (int)NEED(open("f", O_RDONLY));
    int writable = (int)NEED(open("f", O_WRONLY));
    CHECK_ERR(lock(readable, F_SETLK, F_WRLCK, 0, 1), EBADF);
    CHECK_ERR(lock(writable, F_SETLK, F_RDLCK, 0, 1), EBADF);
    CHECK_ERR(lock(first, F_SETLK, 77, 0, 1), EINVAL);
    CHECK_ERR(lock(first, F_SETLK, F_WRLCK, -5, 1), EINVAL);
    CHECK_ERR(lock(-1, F_SETLK, F_WRLCK, 0, 1), EBADF);
    CHECK_ERR(fcntl(first, F_SETLK, (struct flock *)16), EFAULT);
}

static void description_locks(int first, int second) {
    CHECK_OK(lock(first, F_OFD_SETLK, F_RDLCK, 0, 10));
    CHECK_OK(lock(second, F_OFD_SETLK, F_RDLCK, 5, 10));
    CHECK_ERR(lock(second, F_OFD_SETLK, F_WRLCK, 0, 10), EAGAIN);
    CHECK_OK(lock(second, F_OFD_SETLK, F_WRLCK, 10, 5));
    CHECK_OK(lock(second, F_OFD_SETLK, F_UNLCK, 0, 0));
    CHECK_OK(lock(first, F_OFD_SETLK, F_WRLCK, 20, 10));
    struct flock found = range(F_RDLCK, 0, 100);
    CHECK_OK(fcntl(second, F_OFD_GETLK, &found));
    CHECK_EQ(found.l_type, F_WRLCK);
    CHECK_EQ(found.l_start, 20);
    CHECK_EQ(found.l_len, 10);
    CHECK_EQ(found.l_pid, -1);
    /* Unlocking the middle leaves two pieces. */
    CHECK_OK(lock(first, F_OFD_SETLK, F_UNLCK, 23, 4));
    CHECK_OK(lock(second, F_OFD_SETLK, F_WRLCK, 23, 4));
    CHECK_ERR(lock(second, F_OFD_SETLK, F_WRLCK, 22, 1), EAGAIN);
    CHECK_ERR(lock(second, F_OFD_SETLK, F_WRLCK, 27, 1), EAGAIN);
    /* A lock to the end (length 0) covers whatever is written later. */
    CHECK_OK(lock(first, F_OFD_SETLK, F_WRLCK, 1000, 0));
    CHECK_ERR(lock(second, F_OFD_SETLK, F_RDLCK, 1 << 30, 1), EAGAIN);
    struct flock with_pid = range(F_WRLCK, 0, 1);
    with_pid.l_pid = 1;
    CHECK_ERR(fcntl(first, F_OFD_SETLK, &with_pid), EINVAL);
    close(first);
    CHECK_OK(lock(second, F_OFD_SETLK, F_WRLCK, 0, 0));
}

int main(void) {
    scratch();
    make_file("f", "");
    posix_locks((int)NEED(open("f", O_RDWR)), (int)NEED(open("f", O_RDWR)));
    description_locks((int)NEED(open("f", O_RDWR)), (int)NEED(open("f", O_RDWR)));
    return VERDICT();
}
