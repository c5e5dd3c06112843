/* Says that it is up, then sleeps: for measuring the memory of a program that does nothing. */
#include <stdio.h>
#include <unistd.h>

int main(void) {
    puts("up");
    fflush(stdout);
    sleep(60);
    return 0;
}
