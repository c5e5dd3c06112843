/* truncate and ftruncate: shrink, grow with zeroes, regrow without old bytes, refusals. */
#include "check.h"

int main(void) {
    scratch();
    struct stat status;
    char text[16];
    int fd = (int)NEED(open(make_file("f", "0123456789"), O_RDWR));
    CHECK_OK(ftruncate(fd, 4));
    CHECK_OK(fstat(fd, &status));
    CHECK_EQ(status.st_size, 4);
    CHECK_OK(truncate("f", 8));
    CHECK_EQ(pread(fd, text, sizeof text, 0), 8);
    CHECK(memcmp(text, "0123\0\0\0\0", 8) == 0);
    lseek(fd, 0, SEEK_END);
    CHECK_OK(ftruncate(fd, 2));
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 8);
    CHECK_EQ(read(fd, text, 1), 0);
    CHECK_EQ(write(fd, "!", 1), 1);
    CHECK_EQ(pread(fd, text, sizeof text, 0), 9);
    CHECK(memcmp(text, "01\0\0\0\0\0\0!", 9) == 0);

    /* A large sparse file costs nothing and reads as zeroes. */
    CHECK_OK(ftruncate(fd, 1LL << 40));
    CHECK_EQ(pread(fd, text, 4, (1LL << 40) - 4), 4);
    CHECK(memcmp(text, "\0\0\0\0", 4) == 0);
    CHECK_OK(fstat(fd, &status));
    CHECK_EQ(status.st_size, 1LL << 40);
    CHECK(status.st_blocks < 1000);
    CHECK_OK(ftruncate(fd, 0));

    NEED(mkdir("d", 0755));
    CHECK_ERR(ftruncate(fd, -1), EINVAL);
    CHECK_ERR(truncate("f", -1), EINVAL);
    CHECK_ERR(truncate("missing", 0), ENOENT);
    CHECK_ERR(truncate("d", 0), EISDIR);
    CHECK_ERR(truncate("f/x", 0), ENOTDIR);
    CHECK_ERR(ftruncate((int)NEED(open("f", O_RDONLY)), 0), EINVAL);
    CHECK_ERR(ftruncate(-1, 0), EBADF);
    int ends[2];
    NEED(pipe(ends));
    CHECK_ERR(ftruncate(ends[1], 0), EINVAL);
    return VERDICT();
}
