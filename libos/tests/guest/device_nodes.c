/* /dev: null, zero, full, random numbers, the standard streams, fd, shm, tty. */
#include "check.h"
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

static int device(const char *path, unsigned major_number, unsigned minor_number) {
    struct stat status;
    int fd = (int)CHECK_OK(open(path, O_RDWR));
    CHECK_OK(fstat(fd, &status));
    CHECK(S_ISCHR(status.st_mode));
    CHECK_EQ(major(status.st_rdev), major_number);
    CHECK_EQ(minor(status.st_rdev), minor_number);
    return fd;
}

int main(void) {
    char bytes[64];
    int null = device("/dev/null", 1, 3);
    CHECK_EQ(read(null, bytes, 64), 0);
    CHECK_EQ(write(null, bytes, 64), 64);
    CHECK_EQ(lseek(null, 100, SEEK_SET), 0);
    CHECK_OK(open("/dev/null", O_WRONLY | O_TRUNC | O_CREAT, 0600));

    memset(bytes, 'x', sizeof bytes);
    int zero = device("/dev/zero", 1, 5);
    CHECK_EQ(read(zero, bytes, 64), 64);
    CHECK_EQ(bytes[0] | bytes[63], 0);
    CHECK_EQ(write(zero, bytes, 64), 64);
    char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
    CHECK(map != MAP_FAILED && map[5] == 0);

    memset(bytes, 'x', sizeof bytes);
    int full = device("/dev/full", 1, 7);
    CHECK_EQ(read(full, bytes, 64), 64);
    CHECK_EQ(bytes[63], 0);
    CHECK_ERR(write(full, bytes, 1), ENOSPC);
    close(device("/dev/urandom", 1, 9));
    close(device("/dev/random", 1, 8));

    struct stat status, through;
    CHECK_OK(lstat("/dev/stdin", &status));
    CHECK(S_ISLNK(status.st_mode));
    CHECK_OK(fstat(1, &status));
    CHECK_OK(stat("/dev/stdout", &through));
    CHECK_EQ(status.st_ino, through.st_ino);
    CHECK_OK(stat("/dev/fd/1", &through));
    CHECK_EQ(status.st_ino, through.st_ino);
    CHECK_OK(stat("/dev/shm", &status));
    CHECK(S_ISDIR(status.st_mode));
    CHECK_EQ(status.st_mode & 07777, 01777);
    int shared = (int)CHECK_OK(shm_open("/guest-test-shm", O_CREAT | O_EXCL | O_RDWR, 0600));
    CHECK_EQ(write(shared, "s", 1), 1);
    CHECK_OK(shm_unlink("/guest-test-shm"));
    CHECK_ERR(open("/dev/missing", O_RDONLY), ENOENT);
    /* No terminal commands on what is no terminal. */
    struct winsize size;
    CHECK_ERR(ioctl(null, TIOCGWINSZ, &size), ENOTTY);
    CHECK_EQ(isatty(null), 0);
    CHECK_ERR(ioctl(-1, TIOCGWINSZ, &size), EBADF);
    CHECK_ERR(ioctl((int)NEED(open("/proc/self/exe", O_RDONLY)), TCGETS, bytes), ENOTTY);
    return VERDICT();
}
