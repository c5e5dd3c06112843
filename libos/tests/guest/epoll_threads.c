/* epoll with threads: a waiter wakes for an event and for a file added meanwhile; timeouts; one wake each. */
#include "check.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>

enum { WAITERS = 4 };

static int ep;
static int handled;

static void *wait_for_one(void *unused) {
    struct epoll_event found;
    CHECK_EQ(epoll_wait(ep, &found, 1, 3000), 1);
    return unused;
}

/* With EPOLLET, each of several waiters handles a share of the events and none is lost. */
static void *take_tokens(void *counter) {
    struct epoll_event found;
    while (epoll_wait(ep, &found, 1, 3000) == 1) {
        eventfd_t value;
        if (found.data.fd != *(int *)counter)
            break;
        while (eventfd_read(*(int *)counter, &value) == 0)
            __atomic_add_fetch(&handled, (int)value, __ATOMIC_RELAXED);
    }
    return NULL;
}

int main(void) {
    ep = (int)NEED(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN}, found;
    int counter = (int)NEED(eventfd(0, EFD_NONBLOCK));
    event.data.fd = counter;
    NEED(epoll_ctl(ep, EPOLL_CTL_ADD, counter, &event));
    pthread_t waiter = start_thread(wait_for_one, NULL);
    sleep_ms(20);
    CHECK_OK(eventfd_write(counter, 1));
    pthread_join(waiter, NULL);
    NEED(epoll_ctl(ep, EPOLL_CTL_DEL, counter, NULL));

    waiter = start_thread(wait_for_one, NULL);
    sleep_ms(20);
    NEED(epoll_ctl(ep, EPOLL_CTL_ADD, counter, &event));
    pthread_join(waiter, NULL);
    eventfd_t drained;
    CHECK_OK(eventfd_read(counter, &drained));

    long long start = now_ns(CLOCK_MONOTONIC);
    CHECK_EQ(epoll_wait(ep, &found, 1, 30), 0);
    CHECK(now_ns(CLOCK_MONOTONIC) - start >= 30000000);
    struct timespec timeout = {0, 10000000};
    start = now_ns(CLOCK_MONOTONIC);
    CHECK_EQ(syscall(SYS_epoll_pwait2, ep, &found, 1, &timeout, NULL, 8), 0);
    CHECK(now_ns(CLOCK_MONOTONIC) - start >= 10000000);

    event.events = EPOLLIN | EPOLLET;
    NEED(epoll_ctl(ep, EPOLL_CTL_MOD, counter, &event));
    pthread_t waiters[WAITERS];
    for (int i = 0; i < WAITERS; i++)
        waiters[i] = start_thread(take_tokens, &counter);
    for (int i = 0; i < 2000; i++)
        CHECK_OK(eventfd_write(counter, 1));
    while (__atomic_load_n(&handled, __ATOMIC_RELAXED) < 2000)
        sleep_ms(1);
    /* A level-triggered stop that nobody takes reaches them all. */
    int stop = (int)NEED(eventfd(1, 0));
    struct epoll_event last = {.events = EPOLLIN, .data.fd = stop};
    NEED(epoll_ctl(ep, EPOLL_CTL_ADD, stop, &last));
    for (int i = 0; i < WAITERS; i++)
        pthread_join(waiters[i], NULL);
    CHECK_EQ(handled, 2000);
    return VERDICT();
}
