/* SA_RESTART: which interrupted calls go on and which answer EINTR; the remaining time of a sleep. */
#include "check.h"
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/time.h>

static int ends[2];
static volatile int handled;
static pthread_t main_thread;

static void on_signal(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
    handled++;
}

static void *interrupt_then_write(void *unused) {
    sleep_ms(20);
    pthread_kill(main_thread, SIGUSR1);
    sleep_ms(20);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    return unused;
}

static void *interrupt(void *unused) {
    sleep_ms(20);
    pthread_kill(main_thread, SIGUSR1);
    return unused;
}

/* A futex wait with a timeout returns EINTR behind a handler with SA_RESTART: made again, its time would
 * begin anew, and a timer that fires more often would keep it for ever. */
static void futex_with_timeout(void) {
    static unsigned word = 5;
    struct timespec limit = {0, 300000000};
    struct itimerval often = {{0, 20000}, {0, 20000}}, never = {{0, 0}, {0, 0}};
    set_handler(SIGALRM, on_signal, SA_RESTART);
    CHECK_OK(setitimer(ITIMER_REAL, &often, NULL));
    long waited = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 5, &limit, NULL, 0);
    CHECK(waited == -1 && errno == EINTR);
    CHECK_OK(setitimer(ITIMER_REAL, &never, NULL));
    errno = 0;
    waited = syscall(SYS_restart_syscall);
    CHECK(waited == -1 && errno == EINTR);
}

int main(void) {
    char byte;
    struct pollfd ready;
    struct timespec pause = {2, 0}, left = {0, 0};
    main_thread = pthread_self();
    NEED(pipe(ends));
    set_handler(SIGUSR1, on_signal, SA_RESTART);
    pthread_t other = start_thread(interrupt_then_write, NULL);
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    CHECK_EQ(handled, 1);
    pthread_join(other, NULL);

    /* poll, epoll_wait and nanosleep never restart. */
    ready = (struct pollfd){ends[0], POLLIN, 0};
    other = start_thread(interrupt, NULL);
    CHECK_ERR(poll(&ready, 1, 3000), EINTR);
    pthread_join(other, NULL);
    struct epoll_event event;
    int ep = (int)NEED(epoll_create1(0));
    other = start_thread(interrupt, NULL);
    CHECK_ERR(epoll_wait(ep, &event, 1, 3000), EINTR);
    pthread_join(other, NULL);
    other = start_thread(interrupt, NULL);
    CHECK_ERR(nanosleep(&pause, &left), EINTR);
    CHECK(left.tv_sec == 1 && left.tv_nsec > 0);
    pthread_join(other, NULL);
    other = start_thread(interrupt, NULL);
    CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, &left), EINTR);
    pthread_join(other, NULL);

    set_handler(SIGUSR1, on_signal, 0);
    other = start_thread(interrupt, NULL);
    CHECK_ERR(read(ends[0], &byte, 1), EINTR);
    pthread_join(other, NULL);
    /* An ignored signal interrupts nothing. */
    signal(SIGUSR1, SIG_IGN);
    other = start_thread(interrupt, NULL);
    pause = (struct timespec){0, 50000000};
    CHECK_OK(nanosleep(&pause, NULL));
    pthread_join(other, NULL);
    other = start_thread(interrupt_then_write, NULL);
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    pthread_join(other, NULL);
    futex_with_timeout();
    return VERDICT();
}
