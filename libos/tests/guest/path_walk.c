/* Path resolution: dots, slashes, length limits, the working directory, a removed one. */
#include "check.h"

static ino_t inode(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 ? status.st_ino : 0;
}

static void dots_and_slashes(void) {
    NEED(mkdir("a", 0755));
    NEED(mkdir("a/b", 0755));
    make_file("a/b/f", "x");
    ino_t file = inode("a/b/f");
    CHECK(file != 0);
    CHECK_EQ(inode("a//b///f"), file);
    CHECK_EQ(inode("./a/./b/./f"), file);
    CHECK_EQ(inode("a/b/../../a/b/f"), file);
    CHECK_EQ(inode("a/b/"), inode("a/b/."));
    CHECK_EQ(inode("/.."), inode("/"));
    CHECK_EQ(inode("/../../.."), inode("/"));
    CHECK_EQ(inode("a/missing/.."), 0);
    CHECK_EQ(inode("a/b/f/.."), 0);
    CHECK_EQ(errno, ENOTDIR);
}

static void lengths(void) {
    static char path[PATH_MAX + 16];
    /* "./././...f": PATH_MAX counts the NUL, so 4095 bytes work and 4096 do not. */
    for (int i = 0; i < PATH_MAX; i++)
        path[i] = i % 2 ? '/' : '.';
    path[PATH_MAX - 1] = 0;
    CHECK(inode(path) != 0);
    path[PATH_MAX - 1] = '.';
    path[PATH_MAX] = 0;
    CHECK_EQ(inode(path), 0);
    CHECK_EQ(errno, ENAMETOOLONG);
}

static void working_directory(void) {
    char path[PATH_MAX], small[2];
    CHECK_OK(chdir("a/b"));
    CHECK(getcwd(path, sizeof path) != NULL);
    CHECK(strcmp(path + strlen(path) - 4, "/a/b") == 0);
    CHECK_EQ(syscall(SYS_getcwd, path, sizeof path), strlen(path) + 1);
    CHECK_ERR(syscall(SYS_getcwd, small, sizeof small), ERANGE);
    CHECK_ERR(syscall(SYS_getcwd, 16, sizeof path), EFAULT);
    CHECK(inode("f") != 0);
    int fd = (int)NEED(open("..", O_RDONLY));
    CHECK_OK(fchdir(fd));
    CHECK(inode("b/f") != 0);
    CHECK_ERR(chdir("b/f"), ENOTDIR);
    CHECK_ERR(chdir("missing"), ENOENT);
    CHECK_ERR(chdir(""), ENOENT);
    CHECK_ERR(fchdir(-1), EBADF);
    CHECK_ERR(fchdir((int)NEED(open("b/f", O_RDONLY))), ENOTDIR);
    /* Renaming a parent shows in getcwd. */
    CHECK_OK(rename("../a", "../renamed"));
    CHECK(getcwd(path, sizeof path) != NULL);
    CHECK(strcmp(path + strlen(path) - 8, "/renamed") == 0);
    /* A removed working directory. */
    NEED(mkdir("gone", 0755));
    NEED(chdir("gone"));
    CHECK_OK(rmdir("../gone"));
    CHECK_ERR(syscall(SYS_getcwd, path, sizeof path), ENOENT);
    CHECK_ERR(open("x", O_CREAT | O_WRONLY, 0600), ENOENT);
    CHECK_OK(chdir(".."));
    CHECK(inode("b/f") != 0);
}

int main(void) {
    scratch();
    dots_and_slashes();
    lengths();
    working_directory();
    return VERDICT();
}
