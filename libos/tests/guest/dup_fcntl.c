/* dup, dup2, dup3, fcntl: numbers, flags of descriptor and of description, the descriptor limit. */
#include "check.h"
#include <sys/resource.h>

int main(void) {
    scratch();
    int fd = (int)NEED(open(make_file("f", "text"), O_RDWR | O_CLOEXEC));
    int copy = (int)CHECK_OK(dup(fd));
    CHECK_EQ(fcntl(copy, F_GETFD), 0);
    CHECK_EQ(dup2(fd, 100), 100);
    CHECK_EQ(dup2(fd, fd), fd);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(dup3(fd, 101, O_CLOEXEC), 101);
    CHECK_EQ(fcntl(101, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(fd, F_DUPFD, 200), 200);
    CHECK_EQ(fcntl(fd, F_DUPFD, 200), 201);
    CHECK_EQ(fcntl(fd, F_DUPFD_CLOEXEC, 200), 202);
    CHECK_EQ(fcntl(202, F_GETFD), FD_CLOEXEC);
    CHECK_OK(fcntl(202, F_SETFD, 0));
    CHECK_EQ(fcntl(202, F_GETFD), 0);
    /* Status flags belong to the description: seen through every copy. */
    CHECK_OK(fcntl(copy, F_SETFL, O_NONBLOCK | O_APPEND));
    CHECK_EQ(fcntl(100, F_GETFL) & (O_NONBLOCK | O_APPEND | O_ACCMODE),
             O_NONBLOCK | O_APPEND | O_RDWR);
    /* dup2 closes what was there. */
    int ends[2];
    NEED(pipe(ends));
    CHECK_EQ(dup2(fd, ends[1]), ends[1]);
    char byte;
    CHECK_EQ(read(ends[0], &byte, 1), 0);

    CHECK_ERR(dup(-1), EBADF);
    CHECK_ERR(dup(500), EBADF);
    CHECK_ERR(dup2(500, 3), EBADF);
    CHECK_ERR(dup2(500, 500), EBADF);
    CHECK_ERR(dup2(fd, -1), EBADF);
    CHECK_ERR(dup3(fd, fd, 0), EINVAL);
    CHECK_ERR(dup3(fd, 300, O_APPEND), EINVAL);
    CHECK_ERR(fcntl(500, F_GETFD), EBADF);
    CHECK_ERR(fcntl(fd, 9999), EINVAL);
    CHECK_ERR(fcntl(fd, F_DUPFD, -1), EINVAL);
    CHECK_ERR(close(-1), EBADF);
    CHECK_ERR(close(500), EBADF);

    struct rlimit limit = {20, 20};
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
    CHECK_ERR(dup2(fd, (int)limit.rlim_cur), EBADF);
    CHECK_ERR(fcntl(fd, F_DUPFD, (int)limit.rlim_cur), EINVAL);
    limit.rlim_cur = 30;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    int opened = 0, last;
    while ((last = open("f", O_RDONLY)) != -1 && opened < 100)
        opened++;
    CHECK_EQ(errno, EMFILE);
    CHECK(opened > 10 && opened < 30);
    CHECK_ERR(dup(fd), EMFILE);
    CHECK_ERR(pipe(ends), EMFILE);
    CHECK_ERR(dup2(fd, 30), EBADF);
    return VERDICT();
}
