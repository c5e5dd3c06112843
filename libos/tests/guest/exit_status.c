/* exit_group ends every thread at once; the status is its low byte. Expected status: 7 */
#include "check.h"

static void *spin(void *unused) {
    for (volatile long i = 0;; i++) {
    }
    return unused;
}

static void *end_it(void *unused) {
    (void)unused;
    sleep_ms(20);
    exit(0x1207);
}

int main(void) {
    for (int i = 0; i < 3; i++)
        start_thread(spin, NULL);
    start_thread(end_it, NULL);
    pause();
    return 1;
}
