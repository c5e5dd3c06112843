/* uname, sysinfo, hostname, sysconf: plausible and consistent. */
#include "check.h"
#include <sys/sysinfo.h>
#include <sys/utsname.h>

int main(void) {
    struct utsname names;
    struct sysinfo info;
    char host[256] = "";
    CHECK_OK(uname(&names));
    CHECK_STR(names.sysname, "Linux");
    CHECK_STR(names.machine, "x86_64");
    int major = 0, minor = 0;
    CHECK_EQ(sscanf(names.release, "%d.%d", &major, &minor), 2);
    CHECK(major >= 4);
    CHECK(names.version[0] != 0);
    CHECK_OK(gethostname(host, sizeof host));
    CHECK_STR(host, names.nodename);
    CHECK_ERR(uname((struct utsname *)16), EFAULT);
    CHECK_OK(sysinfo(&info));
    CHECK(info.totalram > 0);
    CHECK(info.freeram <= info.totalram);
    CHECK(info.mem_unit > 0);
    CHECK(info.procs >= 1);
    CHECK(info.uptime >= 0);
    CHECK_ERR(sysinfo((struct sysinfo *)16), EFAULT);
    CHECK_EQ(sysconf(_SC_PAGESIZE), 4096);
    CHECK(sysconf(_SC_PHYS_PAGES) > 0);
    CHECK(sysconf(_SC_OPEN_MAX) >= 256);
    return VERDICT();
}
