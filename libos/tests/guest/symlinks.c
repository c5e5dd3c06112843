/* Symbolic links: reading, following, the limit of 40, loops, and each refusal. */
#include "check.h"

int main(void) {
    scratch();
    char target[64] = "";
    struct stat status;
    CHECK_OK(symlink("some/target", "s"));
    CHECK_EQ(readlink("s", target, sizeof target), 11);
    CHECK_STR(target, "some/target");
    memset(target, 0, sizeof target);
    CHECK_EQ(readlink("s", target, 4), 4);
    CHECK_STR(target, "some");
    CHECK_OK(lstat("s", &status));
    CHECK_EQ(status.st_size, 11);
    CHECK_EQ(status.st_mode, S_IFLNK | 0777);
    CHECK_ERR(stat("s", &status), ENOENT);
    CHECK_ERR(readlink("s", target, 0), EINVAL);
    CHECK_ERR(readlink("missing", target, 9), ENOENT);
    make_file("file", "x");
    CHECK_ERR(readlink("file", target, 9), EINVAL);
    CHECK_ERR(readlink(".", target, 9), EINVAL);
    CHECK_ERR(readlink("file/x", target, 9), ENOTDIR);
    CHECK_ERR(symlink("x", "s"), EEXIST);
    CHECK_ERR(symlink("x", "file"), EEXIST);
    CHECK_ERR(symlink("", "e"), ENOENT);
    CHECK_ERR(symlink("x", ""), ENOENT);
    CHECK_ERR(symlink("x", "missing/s"), ENOENT);

    /* A chain: 40 links can be followed, 41 cannot. */
    char name[16], next[16];
    for (int i = 1; i <= 41; i++) {
        snprintf(name, sizeof name, "c%d", i);
        snprintf(next, sizeof next, "c%d", i - 1);
        NEED(symlink(i == 1 ? "file" : next, name));
    }
    CHECK_OK(stat("c40", &status));
    CHECK_ERR(stat("c41", &status), ELOOP);

    /* Through directories: relative to the link's place, "..", absolute, trailing slash. */
    NEED(mkdir("d", 0755));
    NEED(mkdir("d/e", 0755));
    make_file("d/inner", "inner");
    NEED(symlink("../inner", "d/e/up"));
    CHECK_OK(stat("d/e/up", &status));
    CHECK_EQ(status.st_size, 5);
    NEED(symlink("d/e", "de"));
    CHECK_OK(stat("de/../inner", &status));
    CHECK_OK(lstat("de/", &status));
    CHECK(S_ISDIR(status.st_mode));
    char absolute[PATH_MAX + 8];
    snprintf(absolute, sizeof absolute, "%s/file", check_scratch);
    NEED(symlink(absolute, "abs"));
    CHECK_OK(stat("abs", &status));
    NEED(symlink("file", "to-file"));
    CHECK_ERR(lstat("to-file/", &status), ENOTDIR);
    CHECK_OK(unlink("to-file"));
    CHECK_OK(access("file", F_OK));
    CHECK_ERR(unlink("de/"), ENOTDIR);
    CHECK_ERR(rmdir("de"), ENOTDIR);
    CHECK_ERR(mkdir("s", 0700), EEXIST);

    /* AT_EMPTY_PATH reads a link opened with O_PATH. */
    int fd = (int)NEED(open("s", O_PATH | O_NOFOLLOW));
    CHECK_EQ(readlinkat(fd, "", target, sizeof target), 11);
    return VERDICT();
}
