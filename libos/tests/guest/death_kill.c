/* SIGKILL cannot be blocked. Expected status: 137 */
#include "check.h"

int main(void) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    kill(getpid(), SIGKILL);
    sleep_ms(2000);
    return 1;
}
