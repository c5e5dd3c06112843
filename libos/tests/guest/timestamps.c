/* atime, mtime, ctime: what changes them, and utimensat with UTIME_NOW and UTIME_OMIT. */
#include "check.h"
#include <sys/time.h>
#include <utime.h>

static int same(struct timespec a, struct timespec b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static int later(struct timespec a, struct timespec b) {
    return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

static struct stat status_of(const char *path) {
    struct stat status;
    NEED(stat(path, &status));
    return status;
}

int main(void) {
    scratch();
    struct stat before, after;
    int fd = (int)NEED(open(make_file("f", "x"), O_RDWR));
    before = status_of("f");
    CHECK(llabs(before.st_mtime - time(NULL)) < 10);

    sleep_ms(20);
    CHECK_EQ(write(fd, "more", 4), 4);
    after = status_of("f");
    CHECK(later(after.st_mtim, before.st_mtim));
    CHECK(later(after.st_ctim, before.st_ctim));

    before = after;
    sleep_ms(20);
    CHECK_OK(fchmod(fd, 0600));
    after = status_of("f");
    CHECK(same(after.st_mtim, before.st_mtim));
    CHECK(later(after.st_ctim, before.st_ctim));

    struct timespec times[2] = {{1000, 123456789}, {2000, 987654321}};
    CHECK_OK(utimensat(AT_FDCWD, "f", times, 0));
    after = status_of("f");
    CHECK(same(after.st_atim, times[0]));
    CHECK(same(after.st_mtim, times[1]));
    CHECK(later(after.st_ctim, times[1]));

    struct timespec omit[2] = {{0, UTIME_OMIT}, {5, 6}};
    CHECK_OK(futimens(fd, omit));
    after = status_of("f");
    CHECK(same(after.st_atim, times[0]));
    CHECK_EQ(after.st_mtim.tv_sec, 5);
    struct timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
    CHECK_OK(futimens(fd, now));
    after = status_of("f");
    CHECK(llabs(after.st_atime - time(NULL)) < 10);
    CHECK_EQ(after.st_mtim.tv_sec, 5);
    CHECK_OK(utimensat(AT_FDCWD, "f", NULL, 0));
    CHECK(llabs(status_of("f").st_mtime - time(NULL)) < 10);
    CHECK_OK(utime("f", &(struct utimbuf){11, 22}));
    CHECK_EQ(status_of("f").st_mtime, 22);
    CHECK_OK(utimes("f", (struct timeval[2]){{33, 7}, {44, 8}}));
    CHECK_EQ(status_of("f").st_mtim.tv_nsec, 8000);

    NEED(symlink("f", "s"));
    CHECK_OK(utimensat(AT_FDCWD, "s", times, AT_SYMLINK_NOFOLLOW));
    CHECK_EQ(status_of("f").st_mtime, 44);
    CHECK_OK(lstat("s", &after));
    CHECK_EQ(after.st_mtime, 2000);

    struct timespec bad[2] = {{0, 1000000000}, {0, 0}};
    CHECK_ERR(utimensat(AT_FDCWD, "f", bad, 0), EINVAL);
    CHECK_ERR(utimensat(AT_FDCWD, "missing", times, 0), ENOENT);
    CHECK_ERR(utimensat(AT_FDCWD, "f", times, 0x40000000), EINVAL);
    CHECK_ERR(syscall(SYS_utimensat, -1, NULL, times, 0), EBADF);
    CHECK_ERR(syscall(SYS_utimensat, AT_FDCWD, "f", 16, 0), EFAULT);

    /* Making and removing an entry changes its directory. */
    NEED(mkdir("d", 0755));
    before = status_of("d");
    sleep_ms(20);
    make_file("d/x", "");
    after = status_of("d");
    CHECK(later(after.st_mtim, before.st_mtim));
    sleep_ms(20);
    NEED(unlink("d/x"));
    CHECK(later(status_of("d").st_mtim, after.st_mtim));
    return VERDICT();
}
