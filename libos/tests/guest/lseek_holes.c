/* SEEK_DATA and SEEK_HOLE: consistent with the data, ENXIO past the end. Granularity is the file system's. */
#include "check.h"

int main(void) {
    scratch();
    const off_t mib = 1 << 20;
    int fd = (int)NEED(open("f", O_RDWR | O_CREAT, 0600));
    CHECK_ERR(lseek(fd, 0, SEEK_DATA), ENXIO);
    CHECK_ERR(lseek(fd, 0, SEEK_HOLE), ENXIO);
    CHECK_EQ(pwrite(fd, "data", 4, 2 * mib), 4);
    NEED(ftruncate(fd, 4 * mib));
    off_t data = lseek(fd, 0, SEEK_DATA);
    CHECK(data >= 0 && data <= 2 * mib);
    CHECK_EQ(lseek(fd, 2 * mib, SEEK_DATA), 2 * mib);
    off_t hole = lseek(fd, 2 * mib, SEEK_HOLE);
    CHECK(hole > 2 * mib && hole <= 4 * mib);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), hole);
    CHECK_ERR(lseek(fd, 4 * mib, SEEK_DATA), ENXIO);
    CHECK_ERR(lseek(fd, 4 * mib, SEEK_HOLE), ENXIO);
    CHECK_ERR(lseek(fd, 5 * mib, SEEK_HOLE), ENXIO);
    CHECK_ERR(lseek(fd, -1, SEEK_DATA), ENXIO);
    /* All data: the only hole is the end. */
    int full = (int)NEED(open(make_file("g", "full"), O_RDONLY));
    CHECK_EQ(lseek(full, 0, SEEK_DATA), 0);
    CHECK_EQ(lseek(full, 0, SEEK_HOLE), 4);
    return VERDICT();
}
