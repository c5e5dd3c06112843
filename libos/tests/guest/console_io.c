/* Standard streams: writev to stdout keeps order, stdin may be at its end, flags can be set. */
#include "check.h"
#include <poll.h>
#include <sys/uio.h>

int main(void) {
    struct iovec parts[] = {{"", 0}, {"one ", 4}, {"two\n", 4}};
    CHECK_EQ(writev(1, parts, 3), 8);
    struct pollfd ready = {1, POLLOUT, 0};
    CHECK_EQ(poll(&ready, 1, 1000), 1);
    CHECK(ready.revents & POLLOUT);
    struct stat status;
    for (int fd = 0; fd < 3; fd++)
        CHECK_OK(fstat(fd, &status));
    int copy = (int)CHECK_OK(dup(1));
    CHECK_EQ(write(copy, "three\n", 6), 6);
    close(copy);
    CHECK_ERR(write(1, (void *)16, 5), EFAULT);
    CHECK_EQ(write(1, "", 0), 0);
    /* stdin is empty here: the tests give it /dev/null. */
    char byte;
    CHECK_EQ(read(0, &byte, 1), 0);
    fputs("to the error stream\n", stderr);
    return VERDICT();
}
