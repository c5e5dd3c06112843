/* kill(getpid(), SIGTERM) without a handler ends the program. Expected status: 143 */
#include "check.h"

int main(void) {
    kill(getpid(), SIGTERM);
    for (;;)
        pause();
}
