/* read, write and their positioned forms: the errno of each refusal, as a table of calls. */
#include "check.h"
#include <sys/uio.h>

int main(void) {
    scratch();
    char buffer[16];
    char *nowhere = (char *)16;
    int file = (int)NEED(open(make_file("file", "0123456789"), O_RDWR));
    int readable = (int)NEED(open("file", O_RDONLY));
    int writable = (int)NEED(open("file", O_WRONLY));
    int dir = (int)NEED(open(".", O_RDONLY | O_DIRECTORY));
    int ends[2];
    NEED(pipe(ends));

    CHECK_ERR(read(-1, buffer, 1), EBADF);
    CHECK_ERR(read(999, buffer, 1), EBADF);
    CHECK_ERR(read(writable, buffer, 1), EBADF);
    CHECK_ERR(read(dir, buffer, 1), EISDIR);
    CHECK_ERR(read(file, nowhere, 5), EFAULT);
    CHECK_ERR(read(ends[1], buffer, 1), EBADF);
    CHECK_ERR(write(-1, "x", 1), EBADF);
    CHECK_ERR(write(readable, "x", 1), EBADF);
    CHECK_ERR(write(dir, "x", 1), EBADF);
    CHECK_ERR(write(file, nowhere, 5), EFAULT);
    CHECK_ERR(write(ends[0], "x", 1), EBADF);
    CHECK_ERR(write(ends[1], nowhere, 1), EFAULT);

    CHECK_ERR(pread(ends[0], buffer, 1, 0), ESPIPE);
    CHECK_ERR(pwrite(ends[1], "x", 1, 0), ESPIPE);
    CHECK_ERR(pread(file, buffer, 1, -1), EINVAL);
    CHECK_ERR(pwrite(file, "x", 1, -1), EINVAL);
    CHECK_ERR(pread(-1, buffer, 1, 0), EBADF);
    CHECK_ERR(pread(writable, buffer, 1, 0), EBADF);
    CHECK_ERR(pread(dir, buffer, 1, 0), EISDIR);
    CHECK_ERR(pwrite(readable, "x", 1, 0), EBADF);

    /* A length of zero succeeds, whatever the pointer. */
    CHECK_EQ(read(file, buffer, 0), 0);
    CHECK_EQ(write(file, "x", 0), 0);
    CHECK_ERR(read(writable, buffer, 0), EBADF);
    /* The failed calls moved no offset and changed nothing. */
    CHECK_EQ(lseek(file, 0, SEEK_CUR), 0);
    CHECK_EQ(read(file, buffer, sizeof buffer), 10);
    CHECK(memcmp(buffer, "0123456789", 10) == 0);
    CHECK_EQ(read(file, buffer, sizeof buffer), 0);

    struct iovec one = {buffer, sizeof buffer};
    CHECK_ERR(readv(-1, &one, 1), EBADF);
    CHECK_ERR(readv(file, &one, -1), EINVAL);
    CHECK_ERR(readv(file, &one, IOV_MAX + 1), EINVAL);
    CHECK_ERR(readv(file, (struct iovec *)nowhere, 1), EFAULT);
    CHECK_ERR(writev(file, (struct iovec *)nowhere, 1), EFAULT);
    struct iovec negative = {buffer, (size_t)-1};
    CHECK_ERR(readv(file, &negative, 1), EINVAL);
    CHECK_ERR(writev(file, &negative, 1), EINVAL);
    CHECK_ERR(preadv(file, &one, 1, -5), EINVAL);
    CHECK_ERR(preadv(ends[0], &one, 1, 0), ESPIPE);
    CHECK_ERR(pwritev(ends[1], &one, 1, 0), ESPIPE);
    return VERDICT();
}
