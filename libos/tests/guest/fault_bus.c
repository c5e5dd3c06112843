/* Reading a file map past the end of the file is SIGBUS with the address. */
#include "check.h"
#include <setjmp.h>
#include <sys/mman.h>

static sigjmp_buf landing;
static volatile siginfo_t seen;

static void on_fault(int signal, siginfo_t *info, void *context) {
    (void)context;
    seen = *info;
    siglongjmp(landing, signal);
}

int main(void) {
    scratch();
    set_handler(SIGBUS, on_fault, 0);
    int fd = (int)NEED(open(make_file("f", "short"), O_RDWR));
    char *map = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
    NEED(map == MAP_FAILED ? -1 : 0);
    int signal = sigsetjmp(landing, 1);
    if (!signal)
        (void)*(volatile char *)(map + 4096);
    CHECK_EQ(signal, SIGBUS);
    CHECK_EQ(seen.si_code, BUS_ADRERR);
    CHECK(seen.si_addr == map + 4096);
    return VERDICT();
}
