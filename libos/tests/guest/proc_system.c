/* What runtimes read of the machine: cpuinfo, meminfo, uptime, loadavg, version, stat, sys entries. */
#include "check.h"

static char text[1 << 17];

static int holds(const char *path, const char *needle) {
    int fd = open(path, O_RDONLY);
    size_t filled = 0;
    ssize_t count;
    while (fd >= 0 && (count = read(fd, text + filled, sizeof text - 1 - filled)) > 0)
        filled += (size_t)count;
    text[filled] = 0;
    if (fd >= 0)
        close(fd);
    int found = filled > 0 && strstr(text, needle) != NULL;
    if (!found) {
        printf("%s: expected \"%s\", found %s\n", path, needle,
               fd < 0 ? check_errno_name(errno) : text);
        check_failed();
    }
    return found;
}

int main(void) {
    double up = 0, idle = 0, load = -1;
    holds("/proc/cpuinfo", "processor\t: 0");
    holds("/proc/cpuinfo", "flags\t\t: ");
    CHECK(strstr(text, "sse2") != NULL);
    if (holds("/proc/meminfo", "MemTotal:"))
        CHECK(strtol(strstr(text, "MemTotal:") + 9, NULL, 10) > 0);
    holds("/proc/meminfo", "MemAvailable:");
    if (holds("/proc/uptime", "."))
        CHECK_EQ(sscanf(text, "%lf %lf", &up, &idle), 2);
    CHECK(up > 0);
    if (holds("/proc/loadavg", "."))
        CHECK_EQ(sscanf(text, "%lf", &load), 1);
    CHECK(load >= 0);
    holds("/proc/version", "Linux version");
    holds("/proc/stat", "cpu ");
    holds("/proc/filesystems", "tmpfs");
    holds("/proc/sys/kernel/osrelease", ".");
    holds("/proc/sys/kernel/ostype", "Linux");
    holds("/proc/sys/kernel/hostname", "\n");
    holds("/proc/sys/kernel/pid_max", "\n");
    holds("/proc/sys/kernel/random/boot_id", "-");
    holds("/proc/sys/kernel/random/uuid", "-");
    holds("/proc/sys/vm/overcommit_memory", "\n");
    holds("/proc/sys/vm/max_map_count", "\n");
    holds("/proc/sys/fs/file-max", "\n");
    holds("/proc/mounts", "proc");
    holds("/sys/devices/system/cpu/online", "0");
    holds("/sys/devices/system/cpu/possible", "0");
    struct stat status;
    CHECK_OK(stat("/proc/meminfo", &status));
    CHECK(S_ISREG(status.st_mode));
    CHECK_EQ(status.st_size, 0);
    return VERDICT();
}
