/* prlimit, getrlimit, setrlimit: every resource can be asked for; limits may go down; refusals. */
#include "check.h"
#include <sys/resource.h>

int main(void) {
    struct rlimit limit, old;
    for (int resource = 0; resource < RLIM_NLIMITS; resource++) {
        CHECK_OK(getrlimit(resource, &limit));
        CHECK(limit.rlim_cur <= limit.rlim_max);
    }
    CHECK_OK(getrlimit(RLIMIT_STACK, &limit));
    CHECK(limit.rlim_cur >= 65536);
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &old));
    limit = (struct rlimit){old.rlim_cur - 1, old.rlim_max};
    CHECK_OK(prlimit(0, RLIMIT_NOFILE, &limit, &limit));
    CHECK_EQ(limit.rlim_cur, old.rlim_cur);
    CHECK_OK(prlimit(getpid(), RLIMIT_NOFILE, NULL, &limit));
    CHECK_EQ(limit.rlim_cur, old.rlim_cur - 1);
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &old));
    limit = (struct rlimit){10, 5};
    CHECK_ERR(setrlimit(RLIMIT_NOFILE, &limit), EINVAL);
    CHECK_ERR(getrlimit(99, &limit), EINVAL);
    CHECK_ERR(setrlimit(99, &old), EINVAL);
    CHECK_ERR(prlimit(9999999, RLIMIT_NOFILE, NULL, &limit), ESRCH);
    CHECK_ERR(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, 16, NULL), EFAULT);
    CHECK_ERR(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, 16), EFAULT);
    /* A file-size limit: EFBIG and SIGXFSZ. */
    scratch();
    int fd = (int)NEED(open("f", O_CREAT | O_WRONLY, 0600));
    limit = (struct rlimit){1000, RLIM_INFINITY};
    NEED(getrlimit(RLIMIT_FSIZE, &old));
    limit.rlim_max = old.rlim_max;
    NEED(setrlimit(RLIMIT_FSIZE, &limit));
    signal(SIGXFSZ, SIG_IGN);
    static char data[2000];
    CHECK_EQ(write(fd, data, sizeof data), 1000);
    CHECK_ERR(write(fd, data, 1), EFBIG);
    CHECK_ERR(ftruncate(fd, 1001), EFBIG);
    CHECK_OK(setrlimit(RLIMIT_FSIZE, &old));
    return VERDICT();
}
