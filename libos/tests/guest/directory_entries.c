/* getdents64 over 3000 entries: each once, with type and inode; rewind; EINVAL for a tiny buffer. */
#include "check.h"
#include <dirent.h>

enum { ENTRIES = 3000 };

static void read_all(DIR *dir, unsigned char *seen) {
    int dots = 0;
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.') {
            CHECK_EQ(entry->d_type, DT_DIR);
            dots++;
            continue;
        }
        int number = atoi(entry->d_name + 1);
        CHECK(number >= 0 && number < ENTRIES);
        CHECK(entry->d_ino != 0);
        CHECK_EQ(entry->d_type, number % 100 ? DT_REG : DT_LNK);
        seen[number]++;
    }
    CHECK_EQ(dots, 2);
}

static int wrong_counts(const unsigned char *seen) {
    int wrong = 0;
    for (int i = 0; i < ENTRIES; i++)
        wrong += seen[i] != 1;
    return wrong;
}

int main(void) {
    scratch();
    static unsigned char seen[ENTRIES];
    char name[32], tiny[8], buffer[4096];
    NEED(mkdir("d", 0755));
    for (int i = 0; i < ENTRIES; i++) {
        snprintf(name, sizeof name, "d/e%d", i);
        if (i % 100)
            close((int)NEED(open(name, O_CREAT | O_WRONLY, 0600)));
        else
            NEED(symlink("target", name));
    }
    DIR *dir = opendir("d");
    NEED(dir ? 0 : -1);
    read_all(dir, seen);
    CHECK_EQ(wrong_counts(seen), 0);
    memset(seen, 0, sizeof seen);
    rewinddir(dir);
    read_all(dir, seen);
    CHECK_EQ(wrong_counts(seen), 0);
    closedir(dir);

    /* Removing while reading: every entry that stays is seen once, none twice. */
    memset(seen, 0, sizeof seen);
    dir = opendir("d");
    struct dirent *entry;
    int removed = 0;
    while ((entry = readdir(dir)))
        if (entry->d_name[0] == 'e') {
            seen[atoi(entry->d_name + 1)]++;
            snprintf(name, sizeof name, "d/%.20s", entry->d_name);
            removed += unlink(name) == 0;
        }
    closedir(dir);
    CHECK_EQ(wrong_counts(seen), 0);
    CHECK_EQ(removed, ENTRIES);
    CHECK_OK(rmdir("d"));

    int fd = (int)NEED(open(".", O_RDONLY));
    CHECK_ERR(syscall(SYS_getdents64, fd, tiny, sizeof tiny), EINVAL);
    CHECK_ERR(syscall(SYS_getdents64, -1, buffer, sizeof buffer), EBADF);
    CHECK_ERR(syscall(SYS_getdents64, fd, (void *)16, sizeof buffer), EFAULT);
    int file = (int)NEED(open(make_file("f", ""), O_RDONLY));
    CHECK_ERR(syscall(SYS_getdents64, file, buffer, sizeof buffer), ENOTDIR);
    CHECK(syscall(SYS_getdents64, fd, buffer, sizeof buffer) > 0);
    CHECK_EQ(syscall(SYS_getdents64, fd, buffer, sizeof buffer), 0);
    return VERDICT();
}
