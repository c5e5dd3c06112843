/* The auxiliary vector, arguments and environment: what libc reads at start-up is there and right. */
#include "check.h"
#include <elf.h>
#include <sys/auxv.h>

extern char **environ;
extern int main(int, char **);

int main(int argc, char **argv) {
    CHECK(argc >= 1);
    CHECK(argv[0] != NULL && argv[0][0] != 0);
    CHECK(argv[argc] == NULL);
    CHECK(environ == argv + argc + 1);
    CHECK_EQ(getauxval(AT_PAGESZ), 4096);
    CHECK_EQ(getauxval(AT_CLKTCK), 100);
    CHECK_EQ(getauxval(AT_UID), getuid());
    CHECK_EQ(getauxval(AT_EUID), geteuid());
    CHECK_EQ(getauxval(AT_GID), getgid());
    CHECK_EQ(getauxval(AT_SECURE), 0);
    CHECK_EQ(getauxval(AT_PHENT), sizeof(Elf64_Phdr));
    CHECK(getauxval(AT_RANDOM) != 0);
    CHECK_STR((char *)getauxval(AT_PLATFORM), "x86_64");
    CHECK((char *)getauxval(AT_EXECFN) != NULL);
    const Elf64_Phdr *headers = (const Elf64_Phdr *)getauxval(AT_PHDR);
    size_t count = getauxval(AT_PHNUM);
    CHECK(headers != NULL && count > 0);
    int loads = 0, tls = 0;
    for (size_t i = 0; i < count; i++) {
        loads += headers[i].p_type == PT_LOAD;
        tls += headers[i].p_type == PT_TLS;
    }
    CHECK(loads >= 2);
    CHECK_EQ(tls, 1);
    CHECK(getauxval(AT_ENTRY) != 0);
    /* AT_HWCAP is CPUID leaf 1's EDX; bit 26 is SSE2, which every x86-64 has. glibc answers something
       else for it, so this looks at the vector itself, which follows the environment. */
    char **end = environ;
    while (*end)
        end++;
    const Elf64_auxv_t *entry = (const Elf64_auxv_t *)(end + 1);
    while (entry->a_type != AT_NULL && entry->a_type != AT_HWCAP)
        entry++;
    CHECK_EQ(entry->a_type, AT_HWCAP);
    CHECK(entry->a_un.a_val & 1UL << 26);
    CHECK_EQ((uintptr_t)__builtin_frame_address(0) % 16, 0);
    CHECK_OK(setenv("GUEST_TEST", "value", 1));
    CHECK_STR(getenv("GUEST_TEST"), "value");
    return VERDICT();
}
