/* mkdir and rmdir: modes, link counts, and the errno of each refusal. */
#include "check.h"

static int links(const char *path) {
    struct stat status;
    NEED(stat(path, &status));
    return (int)status.st_nlink;
}

int main(void) {
    scratch();
    umask(027);
    struct stat status;
    CHECK_OK(mkdir("a", 0777));
    CHECK_OK(stat("a", &status));
    CHECK_EQ(status.st_mode, S_IFDIR | 0750);
    CHECK_EQ(links("a"), 2);
    CHECK_OK(mkdir("a/b", 0700));
    CHECK_OK(mkdir("a/c/", 0700));
    CHECK_EQ(links("a"), 4);
    CHECK_OK(mkdir("sticky", 01777));
    CHECK_OK(stat("sticky", &status));
    CHECK_EQ(status.st_mode & 07777, 01750);

    make_file("file", "");
    NEED(symlink("a", "link"));
    NEED(symlink("nowhere", "dangling"));
    CHECK_ERR(mkdir("a", 0700), EEXIST);
    CHECK_ERR(mkdir("file", 0700), EEXIST);
    CHECK_ERR(mkdir("link", 0700), EEXIST);
    CHECK_ERR(mkdir("dangling", 0700), EEXIST);
    CHECK_ERR(mkdir("missing/x", 0700), ENOENT);
    CHECK_ERR(mkdir("file/x", 0700), ENOTDIR);
    CHECK_ERR(mkdir("", 0700), ENOENT);
    CHECK_ERR(mkdir(".", 0700), EEXIST);
    CHECK_ERR(mkdir("/", 0700), EEXIST);
    CHECK_ERR(mkdir((char *)16, 0700), EFAULT);
    CHECK_ERR(mkdirat(999, "x", 0700), EBADF);

    CHECK_ERR(rmdir("a"), ENOTEMPTY);
    CHECK_ERR(rmdir("file"), ENOTDIR);
    CHECK_ERR(rmdir("link"), ENOTDIR);
    CHECK_ERR(rmdir("missing"), ENOENT);
    CHECK_ERR(rmdir("a/b/."), EINVAL);
    CHECK_ERR(rmdir("a/b/.."), ENOTEMPTY);
    CHECK_ERR(rmdir("/"), EBUSY);
    CHECK_ERR(unlink("a"), EISDIR);
    CHECK_ERR(unlinkat(AT_FDCWD, "file", AT_REMOVEDIR), ENOTDIR);
    CHECK_ERR(unlinkat(AT_FDCWD, "file", 0x4000), EINVAL);
    CHECK_OK(rmdir("a/b"));
    CHECK_OK(unlinkat(AT_FDCWD, "a/c", AT_REMOVEDIR));
    CHECK_EQ(links("a"), 2);

    /* A removed directory that is still open: nothing can be made in it. */
    int fd = (int)NEED(open("a", O_RDONLY | O_DIRECTORY));
    CHECK_OK(rmdir("a"));
    CHECK_ERR(openat(fd, "x", O_CREAT | O_WRONLY, 0600), ENOENT);
    CHECK_ERR(mkdirat(fd, "x", 0700), ENOENT);
    CHECK_OK(fstat(fd, &status));
    CHECK_EQ(status.st_nlink, 0);
    return VERDICT();
}
