/* tgkill and pthread_kill reach the thread that is meant; a process signal reaches one that does not block it. */
#include "check.h"

static volatile pid_t handled_by;
static int ready[2], empty[2];

static void on_signal(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
    handled_by = gettid();
}

static void *wait_in_read(void *tid) {
    char byte;
    *(pid_t *)tid = gettid();
    CHECK_EQ(write(ready[1], "x", 1), 1);
    CHECK_ERR(read(empty[0], &byte, 1), EINTR);
    return NULL;
}

static void *wait_in_pause(void *tid) {
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    *(pid_t *)tid = gettid();
    CHECK_EQ(write(ready[1], "x", 1), 1);
    CHECK_ERR(pause(), EINTR);
    return NULL;
}

static pthread_t start_and_wait(void *(*run)(void *), volatile pid_t *tid) {
    char byte;
    pthread_t thread = start_thread(run, (void *)tid);
    NEED(read(ready[0], &byte, 1));
    sleep_ms(20);
    return thread;
}

int main(void) {
    volatile pid_t tid;
    set_handler(SIGUSR1, on_signal, 0);
    NEED(pipe(ready));
    NEED(pipe(empty));
    pthread_t thread = start_and_wait(wait_in_read, &tid);
    CHECK_OK(syscall(SYS_tgkill, getpid(), tid, SIGUSR1));
    pthread_join(thread, NULL);
    CHECK_EQ(handled_by, tid);

    thread = start_and_wait(wait_in_read, &tid);
    CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
    pthread_join(thread, NULL);
    CHECK_EQ(handled_by, tid);

    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    NEED(pthread_sigmask(SIG_BLOCK, &blocked, NULL));
    thread = start_and_wait(wait_in_pause, &tid);
    handled_by = 0;
    CHECK_OK(kill(getpid(), SIGUSR1));
    pthread_join(thread, NULL);
    CHECK_EQ(handled_by, tid);

    CHECK_OK(syscall(SYS_tgkill, getpid(), gettid(), 0));
    CHECK_ERR(syscall(SYS_tgkill, getpid(), 9999999, 0), ESRCH);
    CHECK_ERR(syscall(SYS_tgkill, getpid(), gettid(), 65), EINVAL);
    CHECK_ERR(syscall(SYS_tgkill, -1, gettid(), 0), EINVAL);
    CHECK_ERR(kill(getpid(), 65), EINVAL);
    CHECK_ERR(kill(9999999, 0), ESRCH);
    return VERDICT();
}
