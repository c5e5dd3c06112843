/* close_range: closes or marks a range of descriptors; refusals. */
#include "check.h"
#include <linux/close_range.h>

static int range(unsigned first, unsigned last, int flags) {
    return (int)syscall(SYS_close_range, first, last, flags);
}

int main(void) {
    for (int fd = 50; fd < 60; fd++)
        NEED(dup2(1, fd));
    CHECK_OK(range(52, 54, 0));
    CHECK_EQ(fcntl(51, F_GETFD), 0);
    CHECK_ERR(fcntl(52, F_GETFD), EBADF);
    CHECK_ERR(fcntl(54, F_GETFD), EBADF);
    CHECK_EQ(fcntl(55, F_GETFD), 0);
    CHECK_OK(range(52, 56, CLOSE_RANGE_CLOEXEC));
    CHECK_EQ(fcntl(55, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(57, F_GETFD), 0);
    CHECK_OK(range(50, ~0U, 0));
    CHECK_ERR(fcntl(59, F_GETFD), EBADF);
    CHECK_EQ(fcntl(1, F_GETFD), 0);
    CHECK_ERR(range(5, 4, 0), EINVAL);
    CHECK_ERR(range(50, 60, 0x100), EINVAL);
    return VERDICT();
}
