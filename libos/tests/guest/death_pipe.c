/* Writing to a pipe without a reader ends the program as SIGPIPE. Expected status: 141 */
#include "check.h"

int main(void) {
    int ends[2];
    NEED(pipe(ends));
    close(ends[0]);
    NEED(write(ends[1], "x", 1));
    return 1;
}
