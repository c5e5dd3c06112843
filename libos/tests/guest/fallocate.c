/* fallocate: KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE where the file system has it, and refusals. */
#include "check.h"

static off_t size_of(int fd) {
    struct stat status;
    NEED(fstat(fd, &status));
    return status.st_size;
}

int main(void) {
    scratch();
    enum { PAGE = 4096 };
    static char data[4 * PAGE], zeroes[PAGE], back[4 * PAGE];
    int fd = (int)NEED(open("f", O_RDWR | O_CREAT, 0600));
    CHECK_OK(fallocate(fd, 0, 0, 1000));
    CHECK_EQ(size_of(fd), 1000);
    CHECK_OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 8 * PAGE));
    CHECK_EQ(size_of(fd), 1000);
    CHECK_OK(fallocate(fd, 0, 500, 100));
    CHECK_EQ(size_of(fd), 1000);
    CHECK_EQ(posix_fallocate(fd, 0, 2000), 0);
    CHECK_EQ(size_of(fd), 2000);

    memset(data, 'd', sizeof data);
    CHECK_EQ(pwrite(fd, data, sizeof data, 0), sizeof data);
    CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, PAGE));
    CHECK_EQ(pread(fd, back, sizeof back, 0), sizeof back);
    CHECK(memcmp(back, data, PAGE) == 0);
    CHECK(memcmp(back + PAGE, zeroes, PAGE) == 0);
    CHECK(memcmp(back + 2 * PAGE, data, 2 * PAGE) == 0);
    /* Parts of pages are zeroed too. */
    CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 3 * PAGE + 10, 5));
    CHECK_EQ(pread(fd, back, 20, 3 * PAGE), 20);
    CHECK(memcmp(back, "dddddddddd\0\0\0\0\0ddddd", 20) == 0);
    /* A hole past the end changes nothing. */
    CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100 * PAGE, PAGE));
    CHECK_EQ(size_of(fd), sizeof data);

    if (fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 10) == 0) {
        CHECK_EQ(pread(fd, back, 12, 0), 12);
        CHECK(memcmp(back, "\0\0\0\0\0\0\0\0\0\0dd", 12) == 0);
        CHECK_OK(fallocate(fd, FALLOC_FL_ZERO_RANGE, sizeof data, 10));
        CHECK_EQ(size_of(fd), sizeof data + 10);
    } else {
        CHECK_EQ(errno, EOPNOTSUPP);
    }

    int ends[2];
    NEED(pipe(ends));
    CHECK_ERR(fallocate(fd, 0, -1, 10), EINVAL);
    CHECK_ERR(fallocate(fd, 0, 0, 0), EINVAL);
    CHECK_ERR(fallocate(fd, 0, 0, -5), EINVAL);
    CHECK_ERR(fallocate(fd, 0, INT64_MAX, 10), EFBIG);
    CHECK_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10), EOPNOTSUPP);
    CHECK_ERR(fallocate((int)NEED(open("f", O_RDONLY)), 0, 0, 10), EBADF);
    CHECK_ERR(fallocate(-1, 0, 0, 10), EBADF);
    CHECK_ERR(fallocate(ends[1], 0, 0, 10), ESPIPE);
    return VERDICT();
}
