/* One system call that does next to nothing. */
#include "measure.h"
#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
    enum { CALLS = 2000000 };
    double start = now_ns();
    for (long i = 0; i < CALLS; i++)
        syscall(SYS_getppid);
    report(start, CALLS);
    return 0;
}
