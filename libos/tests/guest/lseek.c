/* lseek: whence values, refusals, and where files cannot be sought. */
#include "check.h"

int main(void) {
    scratch();
    int ends[2];
    NEED(pipe(ends));
    int fd = (int)NEED(open(make_file("f", "0123456789"), O_RDWR));
    CHECK_EQ(lseek(fd, 4, SEEK_SET), 4);
    CHECK_EQ(lseek(fd, 3, SEEK_CUR), 7);
    CHECK_EQ(lseek(fd, -2, SEEK_CUR), 5);
    CHECK_EQ(lseek(fd, -1, SEEK_END), 9);
    CHECK_EQ(lseek(fd, 100, SEEK_END), 110);
    CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
    CHECK_ERR(lseek(fd, -11, SEEK_END), EINVAL);
    CHECK_ERR(lseek(fd, -111, SEEK_CUR), EINVAL);
    CHECK_ERR(lseek(fd, 0, 99), EINVAL);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 110);
    char byte;
    CHECK_EQ(read(fd, &byte, 1), 0);
    struct stat status;
    CHECK_OK(fstat(fd, &status));
    CHECK_EQ(status.st_size, 10);
    CHECK_ERR(lseek(ends[0], 0, SEEK_SET), ESPIPE);
    CHECK_ERR(lseek(ends[1], 0, SEEK_CUR), ESPIPE);
    CHECK_ERR(lseek(-1, 0, SEEK_SET), EBADF);
    /* dup shares the offset, a second open does not. */
    int copy = (int)NEED(dup(fd));
    int other = (int)NEED(open("f", O_RDONLY));
    lseek(fd, 5, SEEK_SET);
    CHECK_EQ(lseek(copy, 0, SEEK_CUR), 5);
    CHECK_EQ(lseek(other, 0, SEEK_CUR), 0);
    /* The largest file offset is accepted or refused with EINVAL, and never wraps. */
    off_t far = lseek(fd, INT64_MAX, SEEK_SET);
    CHECK(far == INT64_MAX || (far == -1 && errno == EINVAL));
    far = lseek(fd, INT64_MAX, SEEK_END);
    CHECK(far == -1 && (errno == EINVAL || errno == EOVERFLOW));
    return VERDICT();
}
