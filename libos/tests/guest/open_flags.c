/* open: what each flag does. */
#include "check.h"

static void creation(void) {
    int fd = (int)CHECK_OK(open("a", O_CREAT | O_EXCL | O_RDWR, 0640));
    struct stat status;
    CHECK_OK(fstat(fd, &status));
    CHECK_EQ(status.st_mode, S_IFREG | 0640);
    CHECK_EQ(status.st_size, 0);
    CHECK_EQ(status.st_nlink, 1);
    CHECK_EQ(write(fd, "12345", 5), 5);
    close(fd);
    /* O_CREAT on an existing file leaves mode and content alone. */
    fd = (int)CHECK_OK(open("a", O_CREAT | O_RDONLY, 0777));
    CHECK_OK(fstat(fd, &status));
    CHECK_EQ(status.st_mode & 07777, 0640);
    CHECK_EQ(status.st_size, 5);
    close(fd);
}

static void truncation(void) {
    struct stat status;
    int fd = (int)CHECK_OK(open("a", O_WRONLY | O_TRUNC));
    CHECK_OK(fstat(fd, &status));
    CHECK_EQ(status.st_size, 0);
    close(fd);
}

static void lowest_number(void) {
    int first = (int)CHECK_OK(open("a", O_RDONLY));
    int second = (int)CHECK_OK(open("a", O_RDONLY));
    CHECK_EQ(second, first + 1);
    close(first);
    CHECK_EQ(open("a", O_RDONLY), first);
    close(first);
    close(second);
}

static void path_only(void) {
    char byte;
    struct stat status;
    make_file("b", "text");
    int fd = (int)CHECK_OK(open("b", O_PATH));
    CHECK_ERR(read(fd, &byte, 1), EBADF);
    CHECK_ERR(write(fd, "x", 1), EBADF);
    CHECK_ERR(fchmod(fd, 0600), EBADF);
    CHECK_ERR(lseek(fd, 0, SEEK_SET), EBADF);
    CHECK_OK(fstat(fd, &status));
    CHECK_EQ(status.st_size, 4);
    CHECK_EQ(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
    close(fd);
    CHECK_OK(symlink("b", "link"));
    fd = (int)CHECK_OK(open("link", O_PATH | O_NOFOLLOW));
    CHECK_OK(fstat(fd, &status));
    CHECK(S_ISLNK(status.st_mode));
    close(fd);
}

static void flags_are_reported(void) {
    int fd = (int)CHECK_OK(open("b", O_RDWR | O_APPEND | O_NONBLOCK | O_CLOEXEC));
    int flags = (int)CHECK_OK(fcntl(fd, F_GETFL));
    CHECK_EQ(flags & O_ACCMODE, O_RDWR);
    CHECK(flags & O_APPEND);
    CHECK(flags & O_NONBLOCK);
    CHECK(!(flags & O_CREAT));
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
    fd = (int)CHECK_OK(open("b", O_RDONLY));
    CHECK_EQ(fcntl(fd, F_GETFD), 0);
    close(fd);
}

static void unnamed(void) {
    struct stat status;
    int fd = open(".", O_TMPFILE | O_RDWR, 0600);
    if (fd == -1 && errno == EOPNOTSUPP)
        return;
    CHECK_OK(fd);
    CHECK_EQ(write(fd, "hidden", 6), 6);
    CHECK_OK(fstat(fd, &status));
    CHECK_EQ(status.st_nlink, 0);
    CHECK_EQ(status.st_size, 6);
    close(fd);
    CHECK_ERR(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
    CHECK_ERR(open("b", O_TMPFILE | O_RDWR, 0600), ENOTDIR);
}

int main(void) {
    umask(022);
    scratch();
    creation();
    truncation();
    lowest_number();
    path_only();
    flags_are_reported();
    unnamed();
    return VERDICT();
}
