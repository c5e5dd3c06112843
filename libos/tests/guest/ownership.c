/* chown: -1 leaves an id, set-id bits are dropped, lchown changes the link; EPERM without privilege. */
#include "check.h"

int main(void) {
    scratch();
    struct stat status;
    int fd = (int)NEED(open(make_file("f", "x"), O_RDWR));
    CHECK_OK(chown("f", -1, -1));
    CHECK_OK(fchown(fd, getuid(), -1));
    CHECK_OK(fstat(fd, &status));
    CHECK_EQ(status.st_uid, geteuid());
    CHECK_EQ(status.st_gid, getegid());
    CHECK_ERR(chown("missing", 0, 0), ENOENT);
    CHECK_ERR(fchown(-1, 0, 0), EBADF);
    CHECK_ERR(fchownat(AT_FDCWD, "f", 0, 0, 0x40000000), EINVAL);
    if (geteuid() != 0) {
        CHECK_ERR(chown("f", 0, -1), EPERM);
        return VERDICT();
    }
    CHECK_OK(chown("f", 1000, 2000));
    CHECK_OK(fstat(fd, &status));
    CHECK_EQ(status.st_uid, 1000);
    CHECK_EQ(status.st_gid, 2000);
    CHECK_OK(chown("f", -1, 3000));
    CHECK_OK(fstat(fd, &status));
    CHECK_EQ(status.st_uid, 1000);
    CHECK_EQ(status.st_gid, 3000);
    NEED(symlink("f", "s"));
    CHECK_OK(lchown("s", 7, 8));
    CHECK_OK(lstat("s", &status));
    CHECK_EQ(status.st_uid, 7);
    CHECK_OK(stat("s", &status));
    CHECK_EQ(status.st_uid, 1000);
    CHECK_OK(chown("s", 9, 9));
    CHECK_OK(stat("f", &status));
    CHECK_EQ(status.st_uid, 9);
    /* Set-user-ID goes with a change of owner, also for root. */
    CHECK_OK(chmod("f", 06755));
    CHECK_OK(chown("f", 10, 10));
    CHECK_OK(stat("f", &status));
    CHECK_EQ(status.st_mode & 07777, 0755);
    return VERDICT();
}
