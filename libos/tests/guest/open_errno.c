/* open: the errno of each refusal, as a table. */
#include "check.h"

static char long_name[NAME_MAX + 2];
static char long_path[PATH_MAX + 2];

struct refusal {
    const char *path;
    int flags;
    int wanted;
};

int main(void) {
    scratch();
    memset(long_name, 'n', sizeof long_name - 1);
    memset(long_path, '/', sizeof long_path - 1);
    make_file("file", "x");
    NEED(mkdir("dir", 0755));
    NEED(symlink("loop2", "loop1"));
    NEED(symlink("loop1", "loop2"));
    NEED(symlink("nowhere", "dangling"));
    NEED(symlink("file", "link"));
    NEED(symlink("dir", "dirlink"));
    NEED(symlink("missing/below", "deep-dangling"));
    const struct refusal refusals[] = {
        {"missing", O_RDONLY, ENOENT},
        {"", O_RDONLY, ENOENT},
        {"missing/file", O_RDONLY | O_CREAT, ENOENT},
        {"file/below", O_RDONLY, ENOTDIR},
        {"file/", O_RDONLY, ENOTDIR},
        {"file/.", O_RDONLY, ENOTDIR},
        {"file/..", O_RDONLY, ENOTDIR},
        {"file", O_RDONLY | O_DIRECTORY, ENOTDIR},
        {"link", O_RDONLY | O_DIRECTORY, ENOTDIR},
        {"file", O_RDWR | O_CREAT | O_EXCL, EEXIST},
        {"dir", O_RDWR | O_CREAT | O_EXCL, EEXIST},
        {"link", O_RDWR | O_CREAT | O_EXCL, EEXIST},
        {"dangling", O_RDWR | O_CREAT | O_EXCL, EEXIST},
        {"dangling", O_RDONLY, ENOENT},
        {"deep-dangling", O_RDWR | O_CREAT, ENOENT},
        {"dir", O_WRONLY, EISDIR},
        {"dir", O_RDWR, EISDIR},
        {"dir", O_RDONLY | O_CREAT, EISDIR},
        {"dir/", O_WRONLY | O_CREAT, EISDIR},
        {"new/", O_WRONLY | O_CREAT, EISDIR},
        {".", O_RDWR, EISDIR},
        {"loop1", O_RDONLY, ELOOP},
        {"loop1/file", O_RDONLY, ELOOP},
        {"link", O_RDONLY | O_NOFOLLOW, ELOOP},
        {"dirlink", O_RDONLY | O_NOFOLLOW, ELOOP},
        {"dirlink", O_RDONLY | O_NOFOLLOW | O_DIRECTORY, ENOTDIR},
        {long_name, O_RDONLY, ENAMETOOLONG},
        {long_name, O_RDWR | O_CREAT, ENAMETOOLONG},
        {long_path, O_RDONLY, ENAMETOOLONG},
        {(const char *)8, O_RDONLY, EFAULT},
        {NULL, O_RDONLY, EFAULT},
    };
    for (size_t i = 0; i < COUNT(refusals); i++) {
        const struct refusal *refusal = &refusals[i];
        int fd = open(refusal->path, refusal->flags, 0600);
        int found = fd == -1 ? errno : 0;
        if (found != refusal->wanted) {
            printf("row %zu: open(\"%.20s\", %#o): expected %s, found %s\n", i,
                   (uintptr_t)refusal->path < 4096 ? "(bad pointer)" : refusal->path,
                   refusal->flags, check_errno_name(refusal->wanted), check_errno_name(found));
            check_failed();
        }
        if (fd != -1)
            close(fd);
    }
    long_name[NAME_MAX] = 0;
    CHECK_OK(open(long_name, O_RDWR | O_CREAT, 0600));
    /* Access modes are checked per descriptor. */
    char byte;
    CHECK_ERR(read((int)NEED(open("file", O_WRONLY)), &byte, 1), EBADF);
    CHECK_ERR(write((int)NEED(open("file", O_RDONLY)), "x", 1), EBADF);
    /* O_CREAT through a dangling link makes its target. */
    CHECK_OK(open("dangling", O_RDWR | O_CREAT, 0600));
    CHECK_OK(access("nowhere", F_OK));
    CHECK_ERR(openat(1234, "file", O_RDONLY), EBADF);
    CHECK_ERR(openat((int)NEED(open("file", O_RDONLY)), "x", O_RDONLY), ENOTDIR);
    return VERDICT();
}
