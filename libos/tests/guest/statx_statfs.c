/* stat, statx, statfs: they agree with each other; masks; refusals. */
#include "check.h"
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

int main(void) {
    scratch();
    struct stat plain;
    struct statx extended;
    int fd = (int)NEED(open(make_file("f", "12345"), O_RDWR));
    NEED(symlink("f", "s"));
    CHECK_OK(stat("f", &plain));
    CHECK_OK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &extended));
    CHECK_EQ(extended.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
    CHECK_EQ(extended.stx_ino, plain.st_ino);
    CHECK_EQ(extended.stx_size, 5);
    CHECK_EQ(extended.stx_mode, plain.st_mode);
    CHECK_EQ(extended.stx_nlink, 1);
    CHECK_EQ(extended.stx_uid, plain.st_uid);
    CHECK_EQ(extended.stx_blksize, plain.st_blksize);
    CHECK_EQ(extended.stx_mtime.tv_sec, plain.st_mtim.tv_sec);
    CHECK_EQ(extended.stx_mtime.tv_nsec, plain.st_mtim.tv_nsec);
    CHECK_EQ(makedev(extended.stx_dev_major, extended.stx_dev_minor), plain.st_dev);
    CHECK(plain.st_blksize >= 512);
    CHECK_EQ(plain.st_rdev, 0);

    CHECK_OK(statx(AT_FDCWD, "s", AT_SYMLINK_NOFOLLOW, STATX_TYPE, &extended));
    CHECK(S_ISLNK(extended.stx_mode));
    CHECK_OK(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &extended));
    CHECK_EQ(extended.stx_size, 5);
    CHECK_ERR(statx(fd, "", 0, STATX_SIZE, &extended), ENOENT);
    CHECK_ERR(statx(AT_FDCWD, "missing", 0, STATX_SIZE, &extended), ENOENT);
    CHECK_ERR(statx(AT_FDCWD, "f", 0x1000000, STATX_SIZE, &extended), EINVAL);
    CHECK_ERR(statx(AT_FDCWD, "f", 0, STATX__RESERVED, &extended), EINVAL);
    CHECK_ERR(statx(-1, "f", 0, STATX_SIZE, &extended), EBADF);
    CHECK_ERR(syscall(SYS_statx, AT_FDCWD, "f", 0, STATX_SIZE, 16), EFAULT);
    CHECK_ERR(stat("f/x", &plain), ENOTDIR);
    CHECK_ERR(fstat(-1, &plain), EBADF);
    CHECK_ERR(syscall(SYS_stat, "f", 16), EFAULT);

    struct statfs system;
    struct statvfs portable;
    CHECK_OK(statfs("f", &system));
    CHECK(system.f_bsize > 0);
    CHECK_EQ(system.f_namelen, NAME_MAX);
    CHECK(system.f_bfree <= system.f_blocks);
    CHECK(system.f_bavail <= system.f_bfree);
    CHECK_OK(fstatfs(fd, &system));
    CHECK_OK(statvfs(".", &portable));
    CHECK_EQ(portable.f_namemax, NAME_MAX);
    CHECK_OK(statfs("/proc", &system));
    CHECK_EQ(system.f_type, 0x9fa0);
    CHECK_ERR(statfs("missing", &system), ENOENT);
    CHECK_ERR(fstatfs(-1, &system), EBADF);
    return VERDICT();
}
