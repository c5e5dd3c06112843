/* pread and pwrite: the file offset stays, reads past the end return 0, writes past it leave zeroes. */
#include "check.h"

int main(void) {
    scratch();
    char text[64] = "";
    int fd = (int)NEED(open("f", O_RDWR | O_CREAT, 0600));
    CHECK_EQ(write(fd, "abcdef", 6), 6);
    CHECK_EQ(pwrite(fd, "XY", 2, 1), 2);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);
    CHECK_EQ(pread(fd, text, sizeof text, 0), 6);
    CHECK_STR(text, "aXYdef");
    CHECK_EQ(pread(fd, text, sizeof text, 6), 0);
    CHECK_EQ(pread(fd, text, sizeof text, 1 << 30), 0);
    CHECK_EQ(pwrite(fd, "!", 1, 20), 1);
    memset(text, 'z', sizeof text);
    CHECK_EQ(pread(fd, text, sizeof text, 4), 17);
    CHECK(memcmp(text, "ef\0\0\0\0\0\0\0\0\0\0\0\0\0\0!", 17) == 0);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);
    close(fd);
    /* On Linux, pwrite on an O_APPEND file appends, whatever the offset (BUGS in the man page). */
    fd = (int)NEED(open("f", O_RDWR | O_APPEND));
    CHECK_EQ(pwrite(fd, "end", 3, 0), 3);
    CHECK_EQ(lseek(fd, 0, SEEK_END), 24);
    CHECK_EQ(pread(fd, text, 3, 21), 3);
    CHECK(memcmp(text, "end", 3) == 0);
    return VERDICT();
}
