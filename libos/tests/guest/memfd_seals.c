/* memfd_create: a file without a name; its seals. */
#include "check.h"
#include <sys/mman.h>

int main(void) {
    char text[16] = "";
    int fd = (int)NEED(memfd_create("shared", MFD_ALLOW_SEALING | MFD_CLOEXEC));
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(write(fd, "0123456789", 10), 10);
    CHECK_EQ(pread(fd, text, 15, 0), 10);
    CHECK_STR(text, "0123456789");
    char link[64], target[64] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    CHECK(readlink(link, target, sizeof target - 1) > 0);
    CHECK(strncmp(target, "/memfd:shared", 13) == 0);

    CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
    CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
    CHECK_ERR(ftruncate(fd, 5), EPERM);
    CHECK_OK(ftruncate(fd, 20));
    CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
    CHECK_ERR(ftruncate(fd, 30), EPERM);
    CHECK_ERR(pwrite(fd, "x", 1, 20), EPERM);
    CHECK_EQ(pwrite(fd, "x", 1, 0), 1);
    void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(map != MAP_FAILED);
    CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    CHECK_OK(munmap(map, 4096));
    CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    CHECK_ERR(pwrite(fd, "y", 1, 0), EPERM);
    CHECK_ERR(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
    map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    CHECK(map != MAP_FAILED && *(char *)map == 'x');
    CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
    CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);

    int plain = (int)NEED(memfd_create("", 0));
    CHECK_EQ(fcntl(plain, F_GET_SEALS), F_SEAL_SEAL);
    CHECK_ERR(fcntl(plain, F_ADD_SEALS, F_SEAL_GROW), EPERM);
    static char long_name[300];
    memset(long_name, 'n', 250);
    CHECK_ERR(memfd_create(long_name, 0), EINVAL);
    long_name[249] = 0;
    CHECK_OK(memfd_create(long_name, 0));
    CHECK_ERR(memfd_create("x", 0x1000), EINVAL);
    CHECK_ERR(syscall(SYS_memfd_create, 16, 0), EFAULT);
    return VERDICT();
}
