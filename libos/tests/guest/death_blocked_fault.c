/* A fault whose signal is blocked or ignored still ends the program. Expected status: 139 */
#include "check.h"

int main(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGSEGV);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGSEGV, SIG_IGN);
    *(volatile char *)8 = 1;
    return 1;
}
