/* A file removed while open: its content stays readable and writable, its name is free. */
#include "check.h"

int main(void) {
    scratch();
    struct stat old, new;
    char text[16] = "";
    int fd = (int)NEED(open(make_file("f", "old"), O_RDWR));
    CHECK_OK(unlink("f"));
    CHECK_ERR(open("f", O_RDONLY), ENOENT);
    CHECK_ERR(unlink("f"), ENOENT);
    CHECK_EQ(pwrite(fd, "er!", 3, 3), 3);
    CHECK_EQ(pread(fd, text, 15, 0), 6);
    CHECK_STR(text, "older!");
    make_file("f", "new");
    CHECK_OK(fstat(fd, &old));
    CHECK_OK(stat("f", &new));
    CHECK(old.st_ino != new.st_ino);
    CHECK_EQ(old.st_nlink, 0);
    CHECK_EQ(new.st_nlink, 1);
    CHECK_OK(ftruncate(fd, 1));
    CHECK_OK(stat("f", &new));
    CHECK_EQ(new.st_size, 3);
    /* The way to it through /proc says that it is gone, and still opens it. */
    char link[64], target[PATH_MAX] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    CHECK(readlink(link, target, sizeof target - 1) > 0);
    CHECK(strstr(target, "f (deleted)") != NULL);
    int again = (int)CHECK_OK(open(link, O_RDONLY));
    memset(text, 0, sizeof text);
    CHECK_EQ(read(again, text, 15), 1);
    CHECK_STR(text, "o");
    return VERDICT();
}
