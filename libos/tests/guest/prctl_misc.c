/* prctl: dumpable, no_new_privs, parent-death signal, timer slack, capabilities; capget; personality. */
#include "check.h"
#include <linux/capability.h>
#include <sys/personality.h>
#include <sys/prctl.h>

int main(void) {
    CHECK_OK(prctl(PR_SET_DUMPABLE, 0));
    CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
    CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
    CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
    CHECK_ERR(prctl(PR_SET_DUMPABLE, 7), EINVAL);
    CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
    CHECK_ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
    int signal = 99;
    CHECK_OK(prctl(PR_SET_PDEATHSIG, SIGTERM));
    CHECK_OK(prctl(PR_GET_PDEATHSIG, &signal));
    CHECK_EQ(signal, SIGTERM);
    CHECK_ERR(prctl(PR_SET_PDEATHSIG, 99), EINVAL);
    CHECK_OK(prctl(PR_SET_PDEATHSIG, 0));
    CHECK(prctl(PR_GET_TIMERSLACK) > 0);
    CHECK_ERR(prctl(99999, 0, 0, 0, 0), EINVAL);
    int bounded = prctl(PR_CAPBSET_READ, CAP_CHOWN);
    CHECK(bounded == 0 || bounded == 1);
    CHECK_ERR(prctl(PR_CAPBSET_READ, 9999), EINVAL);

    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    CHECK_OK(syscall(SYS_capget, &header, data));
    if (geteuid() != 0)
        CHECK_EQ(data[0].effective, 0);
    header.version = 1;
    CHECK_ERR(syscall(SYS_capget, &header, data), EINVAL);
    CHECK_EQ(header.version, _LINUX_CAPABILITY_VERSION_3);
    CHECK_OK(personality(0xffffffff));
    return VERDICT();
}
