/* Prints everything below a directory, a line each, in order of names: what stat, readlink and the extended
 * attributes say, a checksum of the content, and the first path with the same inode. Two trees are the same if
 * the lines are. Sizes of directories and inode numbers, which file systems choose as they like, are left out. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

struct seen {
    ino_t ino;
    char *path;
};
static struct seen *seen;
static size_t seen_count;

static const char *first_path(ino_t ino, const char *path) {
    for (size_t i = 0; i < seen_count; i++)
        if (seen[i].ino == ino) return seen[i].path;
    seen = realloc(seen, (seen_count + 1) * sizeof *seen);
    seen[seen_count++] = (struct seen){ino, strdup(path)};
    return path;
}

static uint64_t checksum(int at, const char *name) {
    static unsigned char buffer[65536];
    uint64_t hash = 14695981039346656037u;
    int fd = openat(at, name, O_RDONLY | O_NOFOLLOW);
    ssize_t count;
    if (fd < 0) return errno;
    while ((count = read(fd, buffer, sizeof buffer)) > 0)
        for (ssize_t i = 0; i < count; i++) hash = (hash ^ buffer[i]) * 1099511628211u;
    close(fd);
    return count < 0 ? (uint64_t)errno : hash;
}

static int compare(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static void show_xattrs(int at, const char *name) {
    static char names[65536], value[65536];
    char *sorted[64];
    size_t count = 0;
    int fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return;
    ssize_t len = flistxattr(fd, names, sizeof names);
    for (char *at_name = names; len > 0 && at_name < names + len && count < 64; at_name += strlen(at_name) + 1)
        if (strcmp(at_name, "security.selinux")) sorted[count++] = at_name;
    qsort(sorted, count, sizeof *sorted, compare);
    for (size_t i = 0; i < count; i++) {
        ssize_t value_len = fgetxattr(fd, sorted[i], value, sizeof value);
        printf(" %s=", sorted[i]);
        for (ssize_t byte = 0; byte < value_len; byte++) printf("%02x", (unsigned char)value[byte]);
    }
    close(fd);
}

static void show(int at, const char *name, const char *path) {
    struct stat found;
    char target[4096];
    if (fstatat(at, name, &found, AT_SYMLINK_NOFOLLOW)) {
        printf("%s: %s\n", path, strerror(errno));
        return;
    }
    printf("%s: %o %u:%u links %lu mtime %lld.%09ld", path, found.st_mode, found.st_uid, found.st_gid,
           (unsigned long)found.st_nlink, (long long)found.st_mtim.tv_sec, found.st_mtim.tv_nsec);
    if (S_ISLNK(found.st_mode)) {
        ssize_t len = readlinkat(at, name, target, sizeof target - 1);
        target[len < 0 ? 0 : len] = 0;
        printf(" to %s", target);
    } else if (S_ISREG(found.st_mode)) {
        printf(" size %lld content %016llx", (long long)found.st_size, (unsigned long long)checksum(at, name));
        if (found.st_nlink > 1) printf(" is %s", first_path(found.st_ino, path));
    } else if (!S_ISDIR(found.st_mode)) {
        printf(" device %u:%u", major(found.st_rdev), minor(found.st_rdev));
    }
    if (S_ISREG(found.st_mode) || S_ISDIR(found.st_mode)) show_xattrs(at, name);
    printf("\n");
}

static void walk(int at, const char *above) {
    struct dirent *entry;
    char **names = NULL;
    size_t count = 0;
    DIR *directory = fdopendir(at);
    if (!directory) return;
    while ((entry = readdir(directory))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        names = realloc(names, (count + 1) * sizeof *names);
        names[count++] = strdup(entry->d_name);
    }
    if (count) qsort(names, count, sizeof *names, compare);
    for (size_t i = 0; i < count; i++) {
        char path[8192];
        snprintf(path, sizeof path, "%s/%s", above, names[i]);
        show(at, names[i], path);
        int below = openat(at, names[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (below >= 0) walk(below, path);
        free(names[i]);
    }
    free(names);
    closedir(directory);
}

int main(int argc, char **argv) {
    int root = open(argc > 1 ? argv[1] : ".", O_RDONLY | O_DIRECTORY);
    if (root < 0) {
        perror(argc > 1 ? argv[1] : ".");
        return 1;
    }
    show(root, ".", ".");
    walk(root, "");
    return 0;
}
