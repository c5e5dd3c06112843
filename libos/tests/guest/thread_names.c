/* Thread names: 15 bytes, through prctl and /proc; and ids of threads. */
#include "check.h"
#include <sys/prctl.h>

static int ends[2];

static void *named(void *unused) {
    char name[16] = "", path[64], text[32] = "";
    CHECK_EQ(pthread_setname_np(pthread_self(), "a-worker"), 0);
    CHECK_OK(prctl(PR_GET_NAME, name));
    CHECK_STR(name, "a-worker");
    CHECK(gettid() != getpid());
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", gettid());
    int fd = (int)CHECK_OK(open(path, O_RDONLY));
    CHECK_EQ(read(fd, text, sizeof text), 9);
    CHECK_STR(text, "a-worker\n");
    close(fd);
    CHECK_OK(prctl(PR_SET_NAME, "a name that is too long"));
    CHECK_OK(prctl(PR_GET_NAME, name));
    CHECK_STR(name, "a name that is ");
    CHECK_EQ(write(ends[1], "x", 1), 1);
    pause();
    return unused;
}

int main(void) {
    char name[16] = "", byte;
    NEED(pipe(ends));
    CHECK_EQ(gettid(), getpid());
    pthread_t thread = start_thread(named, NULL);
    NEED(read(ends[0], &byte, 1));
    CHECK_EQ(pthread_getname_np(thread, name, sizeof name), 0);
    CHECK_STR(name, "a name that is ");
    CHECK_EQ(pthread_setname_np(thread, "0123456789abcdef"), ERANGE);
    CHECK_EQ(pthread_setname_np(pthread_self(), "main-thread"), 0);
    CHECK_OK(prctl(PR_GET_NAME, name));
    CHECK_STR(name, "main-thread");
    CHECK_ERR(prctl(PR_GET_NAME, 16), EFAULT);
    return VERDICT();
}
