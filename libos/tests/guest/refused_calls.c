/* Calls that no program here may make: ENOSYS for what does not exist, and bad flags of what does. */
#include "check.h"
#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/prctl.h>

int main(void) {
    CHECK_ERR(syscall(9999), ENOSYS);
    CHECK_ERR(syscall(-1), ENOSYS);
    CHECK_ERR(syscall(SYS_nfsservctl), ENOSYS);
    CHECK_ERR(syscall(SYS_create_module), ENOSYS);
    CHECK_ERR(syscall(SYS_uselib), ENOSYS);
    int commands = (int)syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
    CHECK(commands >= 0 || errno == ENOSYS);
    if (commands > 0) {
        CHECK_ERR(syscall(SYS_membarrier, 1 << 30, 0, 0), EINVAL);
        CHECK_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 99, 0), EINVAL);
        if (commands & MEMBARRIER_CMD_GLOBAL)
            CHECK_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
        if (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED) {
            CHECK_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), EPERM);
            CHECK_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
            CHECK_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
        }
    }
    /* arch_prctl: FS base is readable and is this thread's. */
    unsigned long base = 0, self;
    __asm__("mov %%fs:0, %0" : "=r"(self));
    CHECK_OK(syscall(SYS_arch_prctl, 0x1003, &base));
    CHECK_EQ(base, self);
    CHECK_ERR(syscall(SYS_arch_prctl, 0x9999, &base), EINVAL);
    CHECK_ERR(syscall(SYS_arch_prctl, 0x1003, 16), EFAULT);
    return VERDICT();
}
