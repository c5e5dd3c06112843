/* rename: over files and directories, onto itself, into itself, and each refusal. */
#include "check.h"

static ino_t inode(const char *path) {
    struct stat status;
    NEED(lstat(path, &status));
    return status.st_ino;
}

static void files(void) {
    make_file("a", "A");
    make_file("b", "B");
    ino_t moved = inode("a");
    int replaced = (int)NEED(open("b", O_RDONLY));
    CHECK_OK(rename("a", "b"));
    CHECK_ERR(access("a", F_OK), ENOENT);
    CHECK_EQ(inode("b"), moved);
    /* The replaced file lives on through its descriptor. */
    char byte = 0;
    CHECK_EQ(read(replaced, &byte, 1), 1);
    CHECK_EQ(byte, 'B');
    struct stat status;
    CHECK_OK(fstat(replaced, &status));
    CHECK_EQ(status.st_nlink, 0);
    close(replaced);
    CHECK_OK(rename("b", "b"));
    /* Two names of one inode: nothing happens and both stay. */
    NEED(link("b", "c"));
    CHECK_OK(rename("b", "c"));
    CHECK_OK(access("b", F_OK));
    CHECK_OK(access("c", F_OK));
}

static void directories(void) {
    NEED(mkdir("d", 0755));
    NEED(mkdir("d/sub", 0755));
    NEED(mkdir("empty", 0755));
    NEED(mkdir("full", 0755));
    make_file("full/x", "");
    CHECK_ERR(rename("d", "full"), ENOTEMPTY);
    CHECK_ERR(rename("d", "d/sub"), EINVAL);
    CHECK_ERR(rename("d", "d/sub/deeper"), EINVAL);
    CHECK_ERR(rename("d/sub", "d"), ENOTEMPTY);
    CHECK_ERR(rename("b", "d"), EISDIR);
    CHECK_ERR(rename("d", "b"), ENOTDIR);
    CHECK_ERR(rename("d/.", "x"), EBUSY);
    CHECK_ERR(rename("d/..", "x"), EBUSY);
    CHECK_ERR(rename("b", "d/."), EBUSY);
    CHECK_OK(rename("d", "empty"));
    CHECK_OK(access("empty/sub", F_OK));
    CHECK_OK(rename("empty/", "d/"));
    /* Moving a directory moves its "..". */
    NEED(mkdir("other", 0755));
    CHECK_OK(rename("d/sub", "other/sub"));
    CHECK_EQ(inode("other/sub/.."), inode("other"));
    struct stat status;
    CHECK_OK(stat("d", &status));
    CHECK_EQ(status.st_nlink, 2);
    CHECK_OK(stat("other", &status));
    CHECK_EQ(status.st_nlink, 3);
}

static void links_are_renamed_themselves(void) {
    NEED(symlink("b", "s"));
    CHECK_OK(rename("s", "t"));
    char target[8] = "";
    CHECK_EQ(readlink("t", target, sizeof target), 1);
    CHECK_OK(rename("c", "t"));
    struct stat status;
    CHECK_OK(lstat("t", &status));
    CHECK(S_ISREG(status.st_mode));
}

static void refusals(void) {
    CHECK_ERR(rename("missing", "x"), ENOENT);
    CHECK_ERR(rename("b", "missing/x"), ENOENT);
    CHECK_ERR(rename("b", ""), ENOENT);
    CHECK_ERR(rename("", "b"), ENOENT);
    CHECK_ERR(rename("b/x", "y"), ENOTDIR);
    CHECK_ERR(rename("b", "new/"), ENOTDIR);
    CHECK_ERR(rename("b", (char *)16), EFAULT);
    CHECK_ERR(renameat(999, "b", AT_FDCWD, "x"), EBADF);
}

int main(void) {
    scratch();
    files();
    directories();
    links_are_renamed_themselves();
    refusals();
    return VERDICT();
}
