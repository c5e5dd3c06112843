/* A fault without a handler ends the program as SIGSEGV. Expected status: 139 */
#include "check.h"

int main(void) {
    *(volatile char *)8 = 1;
    return 1;
}
