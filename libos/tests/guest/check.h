/* Checks for the guest test programs: small C programs that test one property of the Linux ABI each.
 *
 * A check that fails prints one line (where, what, expected, found) and the program goes on, so that one
 * run shows all that is wrong. NEED ends the program, where nothing after it would make sense.
 * `return VERDICT();` ends main: status 0 if every check held, else 1. SKIP ends with status 77.
 *
 * The programs must pass on Linux itself: if Linux fails a check, the check is wrong. They need no
 * root, no network and no second process, and end within five seconds.
 */
#ifndef CHECK_H
#define CHECK_H
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define CHECK(condition) check_true(!!(condition), #condition, __FILE__, __LINE__)
#define CHECK_EQ(found, expected)                                                                  \
    check_equal((long long)(found), (long long)(expected), #found, #expected, __FILE__, __LINE__)
/* The call's value, which must not be -1. */
#define CHECK_OK(call) check_success((errno = 0, (long)(call)), #call, __FILE__, __LINE__)
/* The call must return -1 with this errno. */
#define CHECK_ERR(call, wanted)                                                                    \
    check_error((errno = 0, (long)(call)), wanted, #call, __FILE__, __LINE__)
#define CHECK_STR(found, expected) check_text(found, expected, #found, __FILE__, __LINE__)
/* As CHECK_OK, but ends the program at once. */
#define NEED(call) check_needed((long)(call), #call, __FILE__, __LINE__)
#define SKIP(reason) (printf("skipped: %s\n", reason), exit(77))
#define VERDICT() (check_failures != 0)
#define COUNT(array) (sizeof(array) / sizeof *(array))

static int check_failures;

static inline const char *check_errno_name(int number) {
    const char *name = number ? strerrorname_np(number) : "no error";
    return name ? name : "unknown errno";
}

static inline void check_failed(void) {
    __atomic_add_fetch(&check_failures, 1, __ATOMIC_RELAXED);
    fflush(stdout);
}

static inline int check_true(int holds, const char *what, const char *file, int line) {
    if (!holds) {
        printf("%s:%d: expected %s\n", file, line, what);
        check_failed();
    }
    return holds;
}

static inline void check_equal(long long found, long long expected, const char *what,
                               const char *meaning, const char *file, int line) {
    if (found != expected) {
        printf("%s:%d: %s: expected %lld (%s), found %lld\n", file, line, what, expected, meaning,
               found);
        check_failed();
    }
}

static inline long check_success(long result, const char *what, const char *file, int line) {
    if (result == -1) {
        printf("%s:%d: %s: expected success, found %s\n", file, line, what, check_errno_name(errno));
        check_failed();
    }
    return result;
}

static inline void check_error(long result, int wanted, const char *what, const char *file,
                               int line) {
    int found = errno;
    if (result != -1)
        printf("%s:%d: %s: expected %s, found success (%ld)\n", file, line, what,
               check_errno_name(wanted), result);
    else if (found != wanted)
        printf("%s:%d: %s: expected %s, found %s\n", file, line, what, check_errno_name(wanted),
               check_errno_name(found));
    else
        return;
    check_failed();
}

static inline void check_text(const char *found, const char *expected, const char *what,
                              const char *file, int line) {
    if (!found || strcmp(found, expected) != 0) {
        printf("%s:%d: %s: expected \"%s\", found \"%s\"\n", file, line, what, expected,
               found ? found : "(null)");
        check_failed();
    }
}

static inline long check_needed(long result, const char *what, const char *file, int line) {
    if (check_success(result, what, file, line) == -1)
        _exit(1);
    return result;
}

/* A fresh directory, made the working directory and removed at exit. */
static char check_scratch[PATH_MAX];

static int check_remove(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status, (void)place;
    if (kind == FTW_D || kind == FTW_DP)
        chmod(path, 0700);
    return remove(path);
}

static void check_remove_scratch(void) {
    if (chdir("/") == 0)
        nftw(check_scratch, check_remove, 32, FTW_DEPTH | FTW_PHYS);
}

static inline void scratch(void) {
    const char *parent = getenv("TMPDIR");
    snprintf(check_scratch, sizeof check_scratch, "%s/guest-XXXXXX", parent ? parent : "/tmp");
    NEED(mkdtemp(check_scratch) ? 0 : -1);
    NEED(chdir(check_scratch));
    atexit(check_remove_scratch);
}

/* A file with this text; its name. */
static inline const char *make_file(const char *name, const char *text) {
    int fd = (int)NEED(open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644));
    size_t length = strlen(text);
    CHECK_EQ(write(fd, text, length), length);
    close(fd);
    return name;
}

static inline long long now_ns(clockid_t clock) {
    struct timespec now;
    NEED(clock_gettime(clock, &now));
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static inline void sleep_ms(long ms) {
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&pause, &pause) == -1 && errno == EINTR) {
    }
}

static inline pthread_t start_thread(void *(*run)(void *), void *argument) {
    pthread_t thread;
    int status = pthread_create(&thread, NULL, run, argument);
    if (status != 0) {
        errno = status;
        NEED(-1);
    }
    return thread;
}

static inline void set_handler(int signal, void (*handler)(int, siginfo_t *, void *), int flags) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    sigemptyset(&action.sa_mask);
    NEED(sigaction(signal, &action, NULL));
}
#endif
