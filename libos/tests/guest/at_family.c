/* The *at calls: relative to a directory descriptor, AT_EMPTY_PATH, absolute paths, bad descriptors. */
#include "check.h"

int main(void) {
    scratch();
    NEED(mkdir("d", 0755));
    int dir = (int)NEED(open("d", O_RDONLY | O_DIRECTORY));
    int path = (int)NEED(open("d", O_PATH));
    struct stat status;
    int fd = (int)CHECK_OK(openat(dir, "f", O_CREAT | O_RDWR, 0600));
    CHECK_OK(access("d/f", F_OK));
    CHECK_OK(fstatat(path, "f", &status, 0));
    CHECK_OK(mkdirat(dir, "sub", 0755));
    CHECK_OK(symlinkat("f", dir, "s"));
    CHECK_OK(fstatat(dir, "s", &status, AT_SYMLINK_NOFOLLOW));
    CHECK(S_ISLNK(status.st_mode));
    CHECK_OK(linkat(dir, "f", dir, "g", 0));
    CHECK_OK(renameat(dir, "g", AT_FDCWD, "moved"));
    CHECK_OK(access("moved", F_OK));
    CHECK_OK(faccessat(dir, "f", R_OK, 0));
    CHECK_OK(fchmodat(dir, "f", 0644, 0));
    CHECK_OK(fstat(fd, &status));
    CHECK_EQ(status.st_mode & 0777, 0644);
    CHECK_OK(unlinkat(dir, "s", 0));
    CHECK_OK(unlinkat(dir, "sub", AT_REMOVEDIR));

    /* The empty path. */
    CHECK_ERR(fstatat(fd, "", &status, 0), ENOENT);
    CHECK_OK(fstatat(fd, "", &status, AT_EMPTY_PATH));
    CHECK(S_ISREG(status.st_mode));
    CHECK_OK(fstatat(AT_FDCWD, "", &status, AT_EMPTY_PATH));
    CHECK(S_ISDIR(status.st_mode));
    CHECK_OK(fchownat(fd, "", -1, -1, AT_EMPTY_PATH));

    /* An absolute path ignores the descriptor; a relative one needs a directory. */
    CHECK_OK(fstatat(-1, "/", &status, 0));
    CHECK_ERR(fstatat(-1, "f", &status, 0), EBADF);
    CHECK_ERR(fstatat(fd, "x", &status, 0), ENOTDIR);
    CHECK_ERR(openat(fd, "x", O_RDONLY), ENOTDIR);
    CHECK_ERR(unlinkat(fd, "x", 0), ENOTDIR);
    CHECK_ERR(fstatat(dir, "f", &status, 0x40000000), EINVAL);

    /* The descriptor follows its directory when that is renamed. */
    CHECK_OK(rename("d", "renamed"));
    CHECK_OK(fstatat(dir, "f", &status, 0));
    CHECK_OK(openat(dir, "..", O_RDONLY));
    return VERDICT();
}
