/* umask, chmod, access and EACCES. As root, the checks that need it drop to an unprivileged id. */
#include "check.h"

static mode_t mode_of(const char *path) {
    struct stat status;
    NEED(stat(path, &status));
    return status.st_mode & 07777;
}

static void modes(void) {
    CHECK_EQ(umask(077), 022);
    close((int)NEED(open("masked", O_CREAT | O_WRONLY, 0666)));
    CHECK_EQ(mode_of("masked"), 0600);
    CHECK_EQ(umask(022), 077);
    CHECK_OK(chmod("masked", 04755));
    CHECK_EQ(mode_of("masked"), 04755);
    int fd = (int)NEED(open("masked", O_RDWR));
    CHECK_OK(fchmod(fd, 0400));
    CHECK_EQ(mode_of("masked"), 0400);
    /* A descriptor that is open keeps its rights. */
    CHECK_EQ(write(fd, "x", 1), 1);
    close(fd);
    CHECK_ERR(chmod("missing", 0600), ENOENT);
    CHECK_ERR(fchmod(-1, 0600), EBADF);
    NEED(symlink("masked", "s"));
    CHECK_OK(chmod("s", 0644));
    CHECK_EQ(mode_of("masked"), 0644);
}

static void denials(void) {
    make_file("secret", "x");
    NEED(mkdir("closed", 0755));
    make_file("closed/f", "x");
    make_file("tool", "x");
    NEED(chmod("tool", 0755));
    NEED(chmod("secret", 0));
    NEED(chmod("closed", 0));
    NEED(chmod(".", 0755));
    if (geteuid() == 0)
        NEED(seteuid(65534));
    struct stat status;
    CHECK_ERR(open("secret", O_RDONLY), EACCES);
    CHECK_ERR(open("secret", O_WRONLY), EACCES);
    CHECK_ERR(open("closed", O_RDONLY), EACCES);
    CHECK_ERR(stat("closed/f", &status), EACCES);
    CHECK_ERR(open("closed/new", O_CREAT | O_WRONLY, 0600), EACCES);
    CHECK_ERR(chdir("closed"), EACCES);
    CHECK_OK(stat("secret", &status));
    CHECK_ERR(faccessat(AT_FDCWD, "secret", R_OK, AT_EACCESS), EACCES);
    CHECK_OK(faccessat(AT_FDCWD, "secret", F_OK, AT_EACCESS));
    CHECK_OK(faccessat(AT_FDCWD, "tool", R_OK | X_OK, AT_EACCESS));
    CHECK_ERR(truncate("secret", 0), EACCES);
    if (getuid() == 0) {
        CHECK_ERR(open("new", O_CREAT | O_WRONLY, 0600), EACCES);
        CHECK_ERR(unlink("tool"), EACCES);
        CHECK_ERR(rename("tool", "other"), EACCES);
        CHECK_ERR(chmod("tool", 0777), EPERM);
        CHECK_ERR(chown("tool", 65534, -1), EPERM);
        CHECK_OK(seteuid(0));
        CHECK_OK(open("secret", O_RDWR));
        CHECK_OK(access("secret", R_OK | W_OK));
        CHECK_ERR(access("secret", X_OK), EACCES);
        CHECK_OK(access("closed/f", R_OK));
    }
    CHECK_ERR(access("missing", F_OK), ENOENT);
    CHECK_ERR(access("tool/x", F_OK), ENOTDIR);
    CHECK_ERR(access("tool", 0x10), EINVAL);
    CHECK_OK(chmod("closed", 0755));
}

int main(void) {
    umask(022);
    scratch();
    modes();
    denials();
    return VERDICT();
}
