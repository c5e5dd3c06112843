/* epoll: level-triggered, edge-triggered, one-shot; user data; the limit of events. */
#include "check.h"
#include <sys/epoll.h>

static int ep, ends[2];

static void watch(int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.u64 = 0x123456789abcdef0};
    NEED(epoll_ctl(ep, operation, ends[0], &event));
}

static int ready(uint32_t *events) {
    struct epoll_event found[8];
    int count = (int)CHECK_OK(epoll_wait(ep, found, 8, 0));
    if (count > 0) {
        CHECK(found[0].data.u64 == 0x123456789abcdef0);
        *events = found[0].events;
    }
    return count;
}

static void drain(void) {
    char buffer[64];
    while (read(ends[0], buffer, sizeof buffer) > 0) {
    }
}

int main(void) {
    uint32_t events = 0;
    ep = (int)NEED(epoll_create1(EPOLL_CLOEXEC));
    NEED(pipe2(ends, O_NONBLOCK));

    watch(EPOLL_CTL_ADD, EPOLLIN);
    CHECK_EQ(ready(&events), 0);
    NEED(write(ends[1], "x", 1));
    CHECK_EQ(ready(&events), 1);
    CHECK_EQ(events, EPOLLIN);
    CHECK_EQ(ready(&events), 1);
    drain();
    CHECK_EQ(ready(&events), 0);

    watch(EPOLL_CTL_MOD, EPOLLIN | EPOLLET);
    NEED(write(ends[1], "x", 1));
    CHECK_EQ(ready(&events), 1);
    CHECK_EQ(ready(&events), 0);
    NEED(write(ends[1], "y", 1));
    CHECK_EQ(ready(&events), 1);
    CHECK_EQ(ready(&events), 0);
    /* MOD re-arms the edge. */
    watch(EPOLL_CTL_MOD, EPOLLIN | EPOLLET);
    CHECK_EQ(ready(&events), 1);
    drain();

    watch(EPOLL_CTL_MOD, EPOLLIN | EPOLLONESHOT);
    NEED(write(ends[1], "x", 1));
    CHECK_EQ(ready(&events), 1);
    CHECK_EQ(ready(&events), 0);
    NEED(write(ends[1], "x", 1));
    CHECK_EQ(ready(&events), 0);
    watch(EPOLL_CTL_MOD, EPOLLIN | EPOLLONESHOT);
    CHECK_EQ(ready(&events), 1);
    drain();

    /* EPOLLHUP is reported unasked. */
    watch(EPOLL_CTL_MOD, 0);
    close(ends[1]);
    CHECK_EQ(ready(&events), 1);
    CHECK_EQ(events, EPOLLHUP);
    /* Closing the last descriptor takes the entry out. */
    close(ends[0]);
    CHECK_EQ(ready(&events), 0);

    /* More ready files than room: all are reported in turn. */
    int pipes[10][2], seen[10] = {0};
    for (int i = 0; i < 10; i++) {
        NEED(pipe(pipes[i]));
        NEED(write(pipes[i][1], "x", 1));
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        NEED(epoll_ctl(ep, EPOLL_CTL_ADD, pipes[i][0], &event));
    }
    for (int round = 0; round < 5; round++) {
        struct epoll_event found[3];
        int count = (int)CHECK_OK(epoll_wait(ep, found, 3, 0));
        CHECK_EQ(count, 3);
        for (int i = 0; i < count; i++)
            seen[found[i].data.u32]++;
    }
    for (int i = 0; i < 10; i++)
        CHECK(seen[i] > 0);
    return VERDICT();
}
