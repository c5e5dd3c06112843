/* brk: grows zeroed, shrinks, answers the old value when it cannot. */
#include "check.h"
#include <sys/resource.h>

static char *program_break(void *wanted) {
    return (char *)syscall(SYS_brk, wanted);
}

int main(void) {
    char *start = program_break(NULL);
    CHECK(start != NULL);
    CHECK(program_break(start + 100000) == start + 100000);
    int dirty = 0;
    for (int i = 0; i < 100000; i++)
        dirty += start[i] != 0;
    CHECK_EQ(dirty, 0);
    memset(start, 'b', 100000);
    CHECK(program_break(start) == start);
    CHECK(program_break(start + 100000) == start + 100000);
    CHECK_EQ(start[99999], 0);
    CHECK(program_break((void *)16) == start + 100000);
    CHECK(program_break((void *)(UINTPTR_MAX - 4096)) == start + 100000);
    CHECK(program_break(start + ((size_t)1 << 46)) == start + 100000);
    CHECK(program_break(start + 5) == start + 5);
    CHECK(program_break(NULL) == start + 5);
    CHECK(sbrk(4096) == start + 5 || sbrk(0) != NULL);
    return VERDICT();
}
