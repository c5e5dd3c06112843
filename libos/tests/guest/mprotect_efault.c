/* mprotect: system calls respect it (EFAULT), stores and loads fault, and rights can be given back. */
#include "check.h"
#include <setjmp.h>
#include <sys/mman.h>

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE };

static sigjmp_buf landing;
static volatile int code;

static void on_fault(int signal, siginfo_t *info, void *context) {
    (void)context;
    code = info->si_code;
    siglongjmp(landing, signal);
}

static int store_faults(volatile char *at) {
    int signal = sigsetjmp(landing, 1);
    if (!signal)
        *at = 1;
    return signal;
}

static int load_faults(volatile char *at) {
    int signal = sigsetjmp(landing, 1);
    if (!signal)
        (void)*at;
    return signal;
}

int main(void) {
    int ends[2];
    NEED(pipe(ends));
    char *at = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(at == MAP_FAILED ? -1 : 0);
    memset(at, 'm', 4 * PAGE);
    CHECK_OK(mprotect(at + PAGE, PAGE, PROT_READ));
    CHECK_OK(mprotect(at + 2 * PAGE, PAGE, PROT_NONE));

    CHECK_EQ(write(ends[1], at + PAGE, 4), 4);
    CHECK_ERR(read(ends[0], at + PAGE, 4), EFAULT);
    CHECK_ERR(write(ends[1], at + 2 * PAGE, 4), EFAULT);
    CHECK_ERR(pipe((int *)(at + PAGE)), EFAULT);
    CHECK_ERR(open(at + 2 * PAGE, O_RDONLY), EFAULT);
    struct timespec *time = (struct timespec *)(at + 2 * PAGE);
    CHECK_ERR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, time), EFAULT);
    CHECK_ERR(syscall(SYS_nanosleep, time, NULL), EFAULT);

    set_handler(SIGSEGV, on_fault, 0);
    CHECK_EQ(store_faults(at), 0);
    CHECK_EQ(load_faults(at + PAGE), 0);
    CHECK_EQ(store_faults(at + PAGE), SIGSEGV);
    CHECK_EQ(code, SEGV_ACCERR);
    CHECK_EQ(load_faults(at + 2 * PAGE), SIGSEGV);
    CHECK_EQ(code, SEGV_ACCERR);
    CHECK_OK(mprotect(at + PAGE, 2 * PAGE, RW));
    CHECK_EQ(store_faults(at + PAGE), 0);
    CHECK_EQ(at[2 * PAGE], 'm');
    CHECK_OK(munmap(at + 3 * PAGE, PAGE));
    CHECK_EQ(load_faults(at + 3 * PAGE), SIGSEGV);
    CHECK_EQ(code, SEGV_MAPERR);
    CHECK_ERR(write(ends[1], at + 3 * PAGE, 1), EFAULT);

    CHECK_ERR(mprotect(at + 1, PAGE, RW), EINVAL);
    CHECK_ERR(mprotect(at, PAGE, 0x1000), EINVAL);
    CHECK_OK(mprotect(at, 0, RW));
    CHECK_ERR(mprotect(at + 3 * PAGE, PAGE, RW), ENOMEM);
    return VERDICT();
}
