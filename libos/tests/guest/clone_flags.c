/* clone and clone3: flag sets that Linux refuses, thread ids stored and cleared, TLS set. */
#include "check.h"
#include <linux/futex.h>
#include <linux/sched.h>
#include <sched.h>

static int parent_tid, child_tid, ran;

static int child(void *argument) {
    __atomic_store_n(&ran, *(int *)argument, __ATOMIC_SEQ_CST);
    return 0;
}

int main(void) {
    enum { STACK = 65536 };
    char *stack = malloc(STACK);
    int value = 42;
    int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID;
    /* The child shares our thread-local storage, so it must not call libc. */
    child_tid = -1;
    int tid = (int)NEED(clone(child, stack + STACK, flags, &value, &parent_tid, NULL, &child_tid));
    CHECK_EQ(parent_tid, tid);
    CHECK(tid != gettid());
    /* At its end the kernel stores 0 and wakes the futex there. */
    int seen;
    while ((seen = __atomic_load_n(&child_tid, __ATOMIC_SEQ_CST)) != 0)
        syscall(SYS_futex, &child_tid, FUTEX_WAIT, seen, NULL, NULL, 0);
    CHECK_EQ(ran, 42);
    CHECK_ERR(syscall(SYS_tgkill, getpid(), tid, 0), ESRCH);

    CHECK_ERR(syscall(SYS_clone, CLONE_THREAD, stack + STACK, NULL, NULL, 0), EINVAL);
    CHECK_ERR(syscall(SYS_clone, CLONE_SIGHAND, stack + STACK, NULL, NULL, 0), EINVAL);
    CHECK_ERR(syscall(SYS_clone, CLONE_THREAD | CLONE_SIGHAND, stack + STACK, NULL, NULL, 0),
              EINVAL);
    CHECK_ERR(syscall(SYS_clone, CLONE_FS | CLONE_NEWNS, stack + STACK, NULL, NULL, 0), EINVAL);

    struct clone_args arguments = {.flags = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD,
                                   .exit_signal = SIGCHLD,
                                   .stack = (uintptr_t)stack,
                                   .stack_size = STACK};
    CHECK_ERR(syscall(SYS_clone3, &arguments, 8), EINVAL);
    CHECK_ERR(syscall(SYS_clone3, &arguments, 100000), E2BIG);
    CHECK_ERR(syscall(SYS_clone3, 16, sizeof arguments), EFAULT);
    CHECK_ERR(syscall(SYS_clone3, &arguments, sizeof arguments), EINVAL);
    arguments.exit_signal = 0;
    arguments.stack_size = 0;
    CHECK_ERR(syscall(SYS_clone3, &arguments, sizeof arguments), EINVAL);
    arguments.stack = 0;
    arguments.flags = 1ULL << 63;
    CHECK_ERR(syscall(SYS_clone3, &arguments, sizeof arguments), EINVAL);
    CHECK_OK(syscall(SYS_set_tid_address, &child_tid));
    return VERDICT();
}
