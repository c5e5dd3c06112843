/* link and linkat: counts, shared content, and each refusal. */
#include "check.h"

int main(void) {
    scratch();
    struct stat first, second;
    make_file("a", "text");
    CHECK_OK(link("a", "b"));
    CHECK_OK(stat("a", &first));
    CHECK_OK(stat("b", &second));
    CHECK_EQ(first.st_ino, second.st_ino);
    CHECK_EQ(first.st_nlink, 2);
    int fd = (int)NEED(open("b", O_WRONLY | O_TRUNC));
    CHECK_EQ(write(fd, "changed", 7), 7);
    CHECK_OK(stat("a", &first));
    CHECK_EQ(first.st_size, 7);
    CHECK_OK(unlink("a"));
    CHECK_OK(fstat(fd, &second));
    CHECK_EQ(second.st_nlink, 1);

    NEED(mkdir("d", 0755));
    NEED(symlink("b", "s"));
    NEED(symlink("nowhere", "dangling"));
    CHECK_ERR(link("missing", "x"), ENOENT);
    CHECK_ERR(link("b", "s"), EEXIST);
    CHECK_ERR(link("b", "d"), EEXIST);
    CHECK_ERR(link("b", "dangling"), EEXIST);
    CHECK_ERR(link("d", "x"), EPERM);
    CHECK_ERR(link("b", "missing/x"), ENOENT);
    CHECK_ERR(link("b", "b/x"), ENOTDIR);
    CHECK_ERR(link("b", ""), ENOENT);
    CHECK_ERR(linkat(AT_FDCWD, "b", AT_FDCWD, "x", 0x80000), EINVAL);
    CHECK_ERR(linkat(999, "b", AT_FDCWD, "x", 0), EBADF);

    /* link() does not follow a symbolic link, AT_SYMLINK_FOLLOW does. */
    CHECK_OK(link("s", "s2"));
    CHECK_OK(lstat("s2", &first));
    CHECK(S_ISLNK(first.st_mode));
    CHECK_EQ(first.st_nlink, 2);
    CHECK_OK(linkat(AT_FDCWD, "s", AT_FDCWD, "b2", AT_SYMLINK_FOLLOW));
    CHECK_OK(lstat("b2", &first));
    CHECK(S_ISREG(first.st_mode));
    CHECK_EQ(first.st_nlink, 2);
    return VERDICT();
}
