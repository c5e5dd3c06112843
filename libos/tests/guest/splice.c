/* splice, tee and vmsplice between pipes and files. */
#include "check.h"
#include <sys/uio.h>

int main(void) {
    scratch();
    int first[2], second[2];
    char text[32] = "";
    NEED(pipe(first));
    NEED(pipe(second));
    int fd = (int)NEED(open(make_file("f", "0123456789"), O_RDWR));
    loff_t offset = 2;
    CHECK_EQ(splice(fd, &offset, first[1], NULL, 5, 0), 5);
    CHECK_EQ(offset, 7);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
    CHECK_EQ(tee(first[0], second[1], 3, 0), 3);
    CHECK_EQ(read(second[0], text, sizeof text), 3);
    CHECK(memcmp(text, "234", 3) == 0);
    CHECK_EQ(splice(first[0], NULL, second[1], NULL, 2, 0), 2);
    CHECK_EQ(read(second[0], text, sizeof text), 2);
    CHECK(memcmp(text, "23", 2) == 0);
    offset = 9;
    CHECK_EQ(splice(first[0], NULL, fd, &offset, 10, 0), 3);
    CHECK_EQ(pread(fd, text, sizeof text, 0), 12);
    CHECK(memcmp(text, "012345678456", 12) == 0);
    struct iovec part = {"memory", 6};
    CHECK_EQ(vmsplice(first[1], &part, 1, 0), 6);
    CHECK_EQ(read(first[0], text, sizeof text), 6);
    CHECK(memcmp(text, "memory", 6) == 0);

    CHECK_ERR(splice(first[0], NULL, second[1], NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
    CHECK_ERR(splice(fd, NULL, fd, NULL, 1, 0), EINVAL);
    CHECK_ERR(splice(first[0], &offset, fd, NULL, 1, 0), ESPIPE);
    CHECK_ERR(splice(first[0], NULL, first[1], NULL, 1, 0), EINVAL);
    CHECK_ERR(splice(-1, NULL, first[1], NULL, 1, 0), EBADF);
    CHECK_ERR(tee(first[0], fd, 1, 0), EINVAL);
    close(first[1]);
    CHECK_EQ(splice(first[0], NULL, second[1], NULL, 5, 0), 0);
    return VERDICT();
}
