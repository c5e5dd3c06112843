/* abort() ends the program as SIGABRT, even where the signal is blocked and ignored. Expected status: 134 */
#include "check.h"

int main(void) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    signal(SIGABRT, SIG_IGN);
    abort();
}
