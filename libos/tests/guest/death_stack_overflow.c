/* Running out of stack without an alternate one ends the program as SIGSEGV. Expected status: 139 */
#include "check.h"

__attribute__((noinline)) static int descend(int depth) {
    volatile char frame[1024];
    frame[0] = (char)depth;
    return depth == INT_MAX ? 0 : descend(depth + 1) + frame[0];
}

int main(void) {
    return descend(0) & 1;
}
