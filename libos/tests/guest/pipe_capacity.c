/* F_SETPIPE_SZ and F_GETPIPE_SZ: rounding up to pages, powers of two, EBUSY when it would not fit. */
#include "check.h"

int main(void) {
    int ends[2];
    static char data[16384];
    NEED(pipe2(ends, O_NONBLOCK));
    CHECK_EQ(fcntl(ends[0], F_GETPIPE_SZ), 65536);
    CHECK_EQ(fcntl(ends[0], F_SETPIPE_SZ, 1), 4096);
    CHECK_EQ(write(ends[1], data, sizeof data), 4096);
    CHECK_ERR(write(ends[1], data, 1), EAGAIN);
    CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 12000), 16384);
    CHECK_EQ(fcntl(ends[0], F_GETPIPE_SZ), 16384);
    CHECK_EQ(write(ends[1], data, sizeof data), 12288);
    CHECK_ERR(fcntl(ends[1], F_SETPIPE_SZ, 4096), EBUSY);
    CHECK_EQ(read(ends[0], data, sizeof data), 16384);
    CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 4096), 4096);
    CHECK_ERR(fcntl(ends[1], F_SETPIPE_SZ, -1), EINVAL);
    CHECK_ERR(fcntl(open("/dev/null", O_RDONLY), F_GETPIPE_SZ), EBADF);
    return VERDICT();
}
