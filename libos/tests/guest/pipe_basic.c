/* pipe and pipe2: end of file, EPIPE and SIGPIPE, O_NONBLOCK, flags, FIONREAD. */
#include "check.h"
#include <sys/ioctl.h>

static volatile int broken;

static void on_broken_pipe(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
    broken++;
}

int main(void) {
    int ends[2], waiting = -1;
    char text[16] = "";
    struct stat status;
    NEED(pipe(ends));
    CHECK_EQ(fcntl(ends[0], F_GETFL) & O_ACCMODE, O_RDONLY);
    CHECK_EQ(fcntl(ends[1], F_GETFL) & O_ACCMODE, O_WRONLY);
    CHECK_OK(fstat(ends[0], &status));
    CHECK(S_ISFIFO(status.st_mode));
    CHECK_EQ(write(ends[1], "hello", 5), 5);
    CHECK_OK(ioctl(ends[0], FIONREAD, &waiting));
    CHECK_EQ(waiting, 5);
    CHECK_EQ(read(ends[0], text, 2), 2);
    CHECK_EQ(read(ends[0], text, 16), 3);
    CHECK(memcmp(text, "llo", 3) == 0);
    CHECK_EQ(write(ends[1], "", 0), 0);
    close(ends[1]);
    CHECK_EQ(read(ends[0], text, 16), 0);
    CHECK_EQ(read(ends[0], text, 16), 0);
    close(ends[0]);

    NEED(pipe2(ends, O_NONBLOCK | O_CLOEXEC));
    CHECK_EQ(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
    CHECK(fcntl(ends[1], F_GETFL) & O_NONBLOCK);
    CHECK_ERR(read(ends[0], text, 1), EAGAIN);
    static char page[4096];
    long total = 0, written;
    while ((written = write(ends[1], page, sizeof page)) > 0)
        total += written;
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(total, fcntl(ends[1], F_GETPIPE_SZ));
    CHECK_ERR(write(ends[1], "x", 1), EAGAIN);

    set_handler(SIGPIPE, on_broken_pipe, 0);
    close(ends[0]);
    CHECK_ERR(write(ends[1], "x", 1), EPIPE);
    CHECK_EQ(broken, 1);
    signal(SIGPIPE, SIG_IGN);
    CHECK_ERR(write(ends[1], "x", 1), EPIPE);
    CHECK_EQ(broken, 1);

    CHECK_ERR(pipe2(ends, O_APPEND), EINVAL);
    CHECK_ERR(syscall(SYS_pipe2, 16, 0), EFAULT);
    return VERDICT();
}
