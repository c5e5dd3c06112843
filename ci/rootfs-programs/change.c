/* Changes a tree and prints what each call and the files then say. What is printed must be the same over a root image
 * and over a copy of the tree on the host. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void say(const char *what, long result) {
    printf("%s: %s\n", what, result < 0 ? strerrorname_np(errno) : "done");
}
#define SAY(call) say(#call, (errno = 0, (long)(call)))

static void look(const char *path) {
    static unsigned char buffer[65536];
    struct stat found;
    unsigned long hash = 5381;
    long long len = 0;
    ssize_t count;
    if (lstat(path, &found)) {
        printf("%s: %s\n", path, strerrorname_np(errno));
        return;
    }
    int fd = S_ISREG(found.st_mode) ? open(path, O_RDONLY) : -1;
    while (fd >= 0 && (count = read(fd, buffer, sizeof buffer)) > 0) {
        for (ssize_t i = 0; i < count; i++) hash = hash * 33 + buffer[i];
        len += count;
    }
    if (fd >= 0) close(fd);
    printf("%s: mode %o links %lu bytes %lld hash %lx\n", path, found.st_mode, (unsigned long)found.st_nlink, len,
           hash);
}

static void names(const char *path) {
    int count = 0;
    unsigned long sum = 0;
    struct dirent *entry;
    DIR *directory = opendir(path);
    while (directory && (entry = readdir(directory))) {
        count++;
        for (char *at = entry->d_name; *at; at++) sum += (unsigned long)*at * (unsigned char)entry->d_name[0];
    }
    if (directory) closedir(directory);
    printf("%s: %d names, sum %lu\n", path, count, sum);
}

static int put(const char *path, int flags, const char *text, off_t at) {
    int fd = open(path, O_WRONLY | flags, 0640);
    if (fd < 0) return -1;
    ssize_t count = flags & O_APPEND ? write(fd, text, strlen(text)) : pwrite(fd, text, strlen(text), at);
    close(fd);
    return (int)count;
}

int main(int argc, char **argv) {
    umask(022);
    if (argc < 2 || chdir(argv[1])) return 1;
    SAY(put("same", O_APPEND, "more", 0));
    look("file");
    SAY(unlink("file"));
    look("same");
    look("file");
    look("link");
    SAY(put("many/entry-7", O_CREAT | O_EXCL, "x", 0));
    SAY(put("many/new", O_CREAT | O_EXCL, "x", 0));
    names("many");
    SAY(rename("many/entry-5", "many/renamed"));
    SAY(rename("many/entry-6", "many/entry-7"));
    SAY(unlink("many/entry-8"));
    SAY(unlink("many/entry-8"));
    look("many/entry-7");
    look("many/renamed");
    names("many");
    SAY(rmdir("deep"));
    SAY(mkdir("deep/made", 0755));
    look("deep");
    SAY(rename("deep/directory-60", "moved"));
    look("moved");
    look("moved/directory-59");
    names("deep");
    SAY(truncate("long", 10));
    SAY(truncate("long", 5000));
    look("long");
    SAY(put("sparse", 0, "written", 1000000));
    look("sparse");
    SAY(truncate("sparse", 33000003));
    look("sparse");
    SAY(chmod("length-4097", 0600));
    SAY(put("length-4097", 0, "tail", 4095));
    look("length-4097");
    SAY(link("length-4096", "linked"));
    look("linked");
    SAY(symlink("x", "link"));
    SAY(rename("many", "sticky"));
    names("sticky");
    names(".");
    return 0;
}
