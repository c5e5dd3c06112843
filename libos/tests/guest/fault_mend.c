/* A SIGSEGV handler gives back the right to write, and the store is repeated, as some garbage collectors do. */
#include "check.h"
#include <sys/mman.h>

enum { PAGE = 4096 };

static volatile int faults;
static char *guarded;

static void on_segv(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    CHECK(info->si_addr == guarded);
    CHECK_OK(mprotect(guarded, PAGE, PROT_READ | PROT_WRITE));
    faults++;
}

int main(void) {
    guarded = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(guarded == MAP_FAILED ? -1 : 0);
    set_handler(SIGSEGV, on_segv, 0);
    *(volatile char *)guarded = 'w';
    CHECK_EQ(guarded[0], 'w');
    CHECK_EQ(faults, 1);
    return VERDICT();
}
