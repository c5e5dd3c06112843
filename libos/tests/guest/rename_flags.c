/* renameat2: RENAME_NOREPLACE, RENAME_EXCHANGE, and bad flag sets. */
#include "check.h"

static int rename_with(const char *from, const char *to, unsigned flags) {
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

static char first_byte(const char *path) {
    char byte = 0;
    int fd = (int)NEED(open(path, O_RDONLY));
    CHECK_EQ(read(fd, &byte, 1), 1);
    close(fd);
    return byte;
}

int main(void) {
    scratch();
    make_file("a", "A");
    make_file("b", "B");
    CHECK_ERR(rename_with("a", "b", RENAME_NOREPLACE), EEXIST);
    CHECK_ERR(rename_with("a", "a", RENAME_NOREPLACE), EEXIST);
    CHECK_OK(rename_with("a", "c", RENAME_NOREPLACE));
    CHECK_EQ(first_byte("c"), 'A');
    CHECK_OK(rename_with("b", "c", RENAME_EXCHANGE));
    CHECK_EQ(first_byte("b"), 'A');
    CHECK_EQ(first_byte("c"), 'B');
    CHECK_ERR(rename_with("b", "missing", RENAME_EXCHANGE), ENOENT);
    CHECK_ERR(rename_with("b", "c", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);
    CHECK_ERR(rename_with("b", "c", 0x80), EINVAL);

    /* A file and a directory, and two directories of different parents. */
    NEED(mkdir("d", 0755));
    NEED(mkdir("d/inner", 0755));
    CHECK_OK(rename_with("b", "d", RENAME_EXCHANGE));
    struct stat status;
    CHECK_OK(stat("b", &status));
    CHECK(S_ISDIR(status.st_mode));
    CHECK_EQ(first_byte("d"), 'A');
    CHECK_ERR(rename_with("b", "b/inner", RENAME_EXCHANGE), EINVAL);
    NEED(mkdir("e", 0755));
    CHECK_OK(rename_with("b/inner", "e", RENAME_EXCHANGE));
    CHECK_OK(access("b/inner", F_OK));
    CHECK_OK(stat("b", &status));
    CHECK_EQ(status.st_nlink, 3);
    CHECK_EQ(rename_with("b", "c", 0), -1);
    CHECK_EQ(errno, ENOTDIR);
    return VERDICT();
}
