/* readv, writev, preadv, pwritev and their second versions: order, short counts, offsets. */
#include "check.h"
#include <sys/uio.h>

int main(void) {
    scratch();
    int fd = (int)NEED(open("f", O_RDWR | O_CREAT, 0600));
    struct iovec out[] = {{"ab", 2}, {"", 0}, {"cde", 3}, {"f", 1}};
    CHECK_EQ(writev(fd, out, 4), 6);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);

    char first[4] = "", second[8] = "";
    struct iovec in[] = {{first, 3}, {second, 7}};
    CHECK_EQ(preadv(fd, in, 2, 0), 6);
    CHECK_STR(first, "abc");
    CHECK_STR(second, "def");
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);

    CHECK_EQ(pwritev(fd, out, 1, 4), 2);
    lseek(fd, 3, SEEK_SET);
    CHECK_EQ(readv(fd, in, 2), 3);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);
    CHECK(memcmp(first, "dab", 3) == 0);
    CHECK_EQ(readv(fd, in, 2), 0);
    CHECK_EQ(readv(fd, in, 0), 0);

    /* IOV_MAX buffers of one byte. */
    static char bytes[IOV_MAX];
    static struct iovec many[IOV_MAX];
    for (int i = 0; i < IOV_MAX; i++) {
        bytes[i] = (char)i;
        many[i] = (struct iovec){&bytes[i], 1};
    }
    CHECK_EQ(pwritev(fd, many, IOV_MAX, 0), IOV_MAX);
    memset(bytes, 0, sizeof bytes);
    CHECK_EQ(preadv(fd, many, IOV_MAX, 0), IOV_MAX);
    int wrong = 0;
    for (int i = 0; i < IOV_MAX; i++)
        wrong += bytes[i] != (char)i;
    CHECK_EQ(wrong, 0);

    /* Offset -1 of the second versions means the current offset. */
    lseek(fd, 1, SEEK_SET);
    CHECK_EQ(preadv2(fd, in, 1, -1, 0), 3);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
    CHECK_EQ(pwritev2(fd, out, 1, -1, 0), 2);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);
    CHECK_ERR(preadv2(fd, in, 1, 0, 0x40000000), EOPNOTSUPP);
    CHECK_EQ(pwritev2(fd, out, 1, 0, RWF_APPEND), 2);
    CHECK_EQ(lseek(fd, 0, SEEK_END), IOV_MAX + 2);

    /* A bad buffer after good ones: what was moved before it counts. */
    struct iovec partly[] = {{first, 2}, {(void *)16, 4}};
    CHECK_EQ(preadv(fd, partly, 2, 0), 2);
    return VERDICT();
}
