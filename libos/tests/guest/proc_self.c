/* /proc/self: exe, cmdline, environ, status, stat, statm, comm, cwd, fd, task, limits, auxv. */
#include "check.h"
#include <dirent.h>

static char text[65536];

static size_t slurp(const char *path) {
    int fd = (int)CHECK_OK(open(path, O_RDONLY));
    size_t filled = 0;
    ssize_t count;
    while (fd >= 0 && (count = read(fd, text + filled, sizeof text - 1 - filled)) > 0)
        filled += (size_t)count;
    text[filled] = 0;
    close(fd);
    return filled;
}

static long field(const char *name) {
    char *at = strstr(text, name);
    return at ? strtol(at + strlen(name), NULL, 10) : -1;
}

static int count_entries(const char *path) {
    DIR *dir = opendir(path);
    CHECK(dir != NULL);
    int count = 0;
    struct dirent *entry;
    while (dir && (entry = readdir(dir)))
        count += entry->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return count;
}

static void *wait_forever(void *unused) {
    pause();
    return unused;
}

int main(int argc, char **argv) {
    (void)argc;
    char link[PATH_MAX] = "", cwd[PATH_MAX] = "", path[64];
    scratch();
    CHECK(readlink("/proc/self/exe", link, sizeof link - 1) > 0);
    CHECK_EQ(link[0], '/');
    CHECK(slurp("/proc/self/cmdline") > 0);
    CHECK_STR(text, argv[0]);
    CHECK_OK(open("/proc/self/environ", O_RDONLY));
    CHECK(slurp("/proc/self/comm") > 1);
    CHECK(readlink("/proc/self/cwd", link, sizeof link - 1) > 0);
    CHECK(getcwd(cwd, sizeof cwd) != NULL);
    CHECK(strncmp(link, cwd, strlen(cwd)) == 0);
    memset(link, 0, sizeof link);
    CHECK(readlink("/proc/self", link, sizeof link - 1) > 0);
    CHECK_EQ(atoi(link), getpid());

    CHECK(slurp("/proc/self/status") > 0);
    CHECK_EQ(field("\nPid:\t"), getpid());
    CHECK_EQ(field("\nTgid:\t"), getpid());
    CHECK_EQ(field("\nUid:\t"), getuid());
    CHECK_EQ(field("\nThreads:\t"), 1);
    CHECK(field("\nVmRSS:\t") > 0);
    CHECK(field("\nVmSize:\t") > 0);
    pthread_detach(start_thread(wait_forever, NULL));
    slurp("/proc/self/status");
    CHECK_EQ(field("\nThreads:\t"), 2);
    CHECK_EQ(count_entries("/proc/self/task"), 2);

    CHECK(slurp("/proc/self/stat") > 0);
    CHECK_EQ(atoi(text), getpid());
    int fields = 0;
    for (char *at = strrchr(text, ')'); at && *at; at++)
        fields += *at == ' ';
    CHECK_EQ(fields, 50);
    CHECK(slurp("/proc/self/statm") > 0);
    CHECK(atol(text) > 0);
    CHECK(slurp("/proc/self/limits") > 0);
    CHECK(strstr(text, "Max open files") != NULL);
    CHECK(slurp("/proc/self/auxv") >= 32);
    CHECK(slurp("/proc/self/mounts") > 0);
    CHECK(strstr(text, " / ") != NULL);
    CHECK(slurp("/proc/self/mountinfo") > 0);
    CHECK(slurp("/proc/self/cgroup") >= 1);

    int fd = (int)NEED(open(make_file("f", "content"), O_RDWR));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    memset(link, 0, sizeof link);
    CHECK(readlink(path, link, sizeof link - 1) > 0);
    CHECK_STR(link + strlen(link) - 2, "/f");
    int again = (int)CHECK_OK(open(path, O_RDONLY));
    CHECK_EQ(read(again, text, 7), 7);
    lseek(fd, 3, SEEK_SET);
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    slurp(path);
    CHECK_EQ(field("pos:\t"), 3);
    int before = count_entries("/proc/self/fd");
    int extra = (int)NEED(dup(fd));
    CHECK_EQ(count_entries("/proc/self/fd"), before + 1);
    close(extra);
    CHECK_ERR(readlink("/proc/self/fd/999", link, sizeof link), ENOENT);
    CHECK_ERR(open("/proc/self/missing", O_RDONLY), ENOENT);
    CHECK_ERR(open("/proc/self/new", O_CREAT | O_WRONLY, 0600), ENOENT);
    CHECK_ERR(open("/proc/9999999/status", O_RDONLY), ENOENT);
    return VERDICT();
}
