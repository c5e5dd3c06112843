/* User, group, process, session ids: they agree; privileges can be dropped and not taken back. */
#include "check.h"
#include <grp.h>
#include <sys/fsuid.h>

int main(void) {
    uid_t real, effective, saved;
    gid_t real_group, effective_group, saved_group, groups[64];
    CHECK_OK(getresuid(&real, &effective, &saved));
    CHECK_EQ(real, getuid());
    CHECK_EQ(effective, geteuid());
    CHECK_OK(getresgid(&real_group, &effective_group, &saved_group));
    CHECK_EQ(real_group, getgid());
    CHECK_EQ(effective_group, getegid());
    CHECK(getpid() > 0);
    CHECK(getppid() >= 0);
    CHECK(getpgrp() >= 0);
    CHECK_OK(getsid(0));
    CHECK_EQ(getpgid(0), getpgrp());
    CHECK_EQ(syscall(SYS_getpgid, getpid()), getpgrp());
    int count = (int)CHECK_OK(getgroups(0, NULL));
    if (count > 1)
        CHECK_ERR(getgroups(1, groups), EINVAL);
    CHECK_EQ(getgroups(64, groups), count);
    CHECK_ERR(getpgid(9999999), ESRCH);
    CHECK_ERR(getsid(9999999), ESRCH);
    CHECK_ERR(syscall(SYS_getresuid, 16, 16, 16), EFAULT);
    CHECK_OK(setuid(getuid()));
    CHECK_OK(setresuid(-1, -1, -1));
    CHECK_EQ(setfsuid(-1), geteuid());
    if (geteuid() == 0) {
        CHECK_OK(setgroups(1, (gid_t[]){5}));
        CHECK_EQ(getgroups(64, groups), 1);
        CHECK_EQ(groups[0], 5);
        CHECK_OK(setresgid(1001, 1002, 1003));
        CHECK_EQ(getegid(), 1002);
        CHECK_OK(setresuid(1001, 1002, 1003));
        CHECK_EQ(getuid(), 1001);
        CHECK_EQ(geteuid(), 1002);
        CHECK_OK(seteuid(1003));
        CHECK_OK(seteuid(1001));
        CHECK_OK(setresuid(1001, 1001, 1001));
    }
    CHECK_ERR(setuid(0), EPERM);
    CHECK_ERR(setresuid(0, -1, -1), EPERM);
    CHECK_ERR(setgid(12345), EPERM);
    CHECK_ERR(setgroups(1, (gid_t[]){0}), EPERM);
    return VERDICT();
}
