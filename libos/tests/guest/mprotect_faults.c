/* Loads and stores that mprotect or munmap forbids fault, with the code that tells which it was. */
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
    set_handler(SIGSEGV, on_fault, 0);
    char *at = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(at == MAP_FAILED ? -1 : 0);
    memset(at, 'm', 4 * PAGE);
    CHECK_OK(mprotect(at + PAGE, PAGE, PROT_READ));
    CHECK_OK(mprotect(at + 2 * PAGE, PAGE, PROT_NONE));
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
    return VERDICT();
}
