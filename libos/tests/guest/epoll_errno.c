/* epoll_ctl, epoll_wait, epoll_create: the errno of each refusal; nesting and its loops. */
#include "check.h"
#include <sys/epoll.h>

int main(void) {
    scratch();
    int ends[2], ep = (int)NEED(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN}, found[4];
    NEED(pipe(ends));
    CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &event));
    CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &event), EEXIST);
    CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_MOD, ends[1], &event), ENOENT);
    CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_DEL, ends[1], &event), ENOENT);
    CHECK_ERR(epoll_ctl(ep, 99, ends[0], &event), EINVAL);
    CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, 999, &event), EBADF);
    CHECK_ERR(epoll_ctl(999, EPOLL_CTL_ADD, ends[0], &event), EBADF);
    CHECK_ERR(epoll_ctl(ends[0], EPOLL_CTL_ADD, ends[1], &event), EINVAL);
    CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &event), EINVAL);
    CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, (int)NEED(open(make_file("f", ""), O_RDONLY)), &event),
              EPERM);
    CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, (int)NEED(open(".", O_RDONLY)), &event), EPERM);
    CHECK_ERR(syscall(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, ends[1], 16), EFAULT);
    CHECK_OK(syscall(SYS_epoll_ctl, ep, EPOLL_CTL_DEL, ends[0], NULL));
    CHECK_ERR(epoll_wait(ep, found, 0, 0), EINVAL);
    CHECK_ERR(epoll_wait(ep, found, -1, 0), EINVAL);
    CHECK_ERR(epoll_wait(999, found, 4, 0), EBADF);
    CHECK_ERR(epoll_wait(ends[0], found, 4, 0), EINVAL);
    CHECK_ERR(epoll_create1(0x7), EINVAL);
    CHECK_ERR(syscall(SYS_epoll_create, 0), EINVAL);
    CHECK_OK(syscall(SYS_epoll_create, 1));

    /* EPOLLEXCLUSIVE: only with ADD, only with some events, not on an epoll descriptor. */
    event.events = EPOLLIN | EPOLLEXCLUSIVE;
    CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &event));
    CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_MOD, ends[0], &event), EINVAL);
    event.events = EPOLLIN;
    CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_MOD, ends[0], &event), EINVAL);
    event.events = EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT;
    CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ends[1], &event), EINVAL);
    int inner = (int)NEED(epoll_create1(0));
    event.events = EPOLLIN | EPOLLEXCLUSIVE;
    CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, inner, &event), EINVAL);

    /* Nested: readiness goes through; a loop is ELOOP; so is too deep a nest. */
    event.events = EPOLLIN;
    CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, inner, &event));
    CHECK_ERR(epoll_ctl(inner, EPOLL_CTL_ADD, ep, &event), ELOOP);
    int inner_ends[2];
    NEED(pipe(inner_ends));
    CHECK_OK(epoll_ctl(inner, EPOLL_CTL_ADD, inner_ends[0], &event));
    CHECK_EQ(epoll_wait(ep, found, 4, 0), 0);
    NEED(write(inner_ends[1], "x", 1));
    CHECK_EQ(epoll_wait(ep, found, 4, 1000), 1);
    CHECK_EQ(epoll_wait(inner, found, 4, 0), 1);
    int chain = inner, refused = 0;
    for (int i = 0; i < 8 && !refused; i++) {
        int outer = (int)NEED(epoll_create1(0));
        refused = epoll_ctl(outer, EPOLL_CTL_ADD, chain, &event) == -1 ? errno : 0;
        chain = outer;
    }
    CHECK(refused == ELOOP || refused == EINVAL);
    return VERDICT();
}
