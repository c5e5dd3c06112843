/* executed OUT COMMAND...: runs a program step by step and writes each address that it executed, in the order of the
 * first time, one a line in hexadecimal; then "maps" and the process's memory map as of the last 50,000 steps. */
#define _GNU_SOURCE
#include "measure.h"
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOTS = 1 << 20, MOST_STEPS = 20000000, MAP_EVERY = 50000 };
static uint64_t seen[SLOTS];
static char map[1 << 16];

/* Whether the address is new; the table never fills, since no program here has half as many instructions. */
static int note(uint64_t address) {
    size_t slot = (address * 0x9e3779b97f4a7c15ULL) >> 44;
    while (seen[slot] != 0 && seen[slot] != address)
        slot = (slot + 1) % SLOTS;
    int is_new = seen[slot] == 0;
    seen[slot] = address;
    return is_new;
}

static void read_map(pid_t child) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/maps", child);
    FILE *file = fopen(path, "r");
    require(file != NULL, path);
    map[fread(map, 1, sizeof map - 1, file)] = 0;
    fclose(file);
}

int main(int argc, char **argv) {
    require(argc > 2, "usage: executed OUT COMMAND...");
    FILE *out = fopen(argv[1], "w");
    require(out != NULL, argv[1]);
    pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        execv(argv[2], argv + 2);
        _exit(127);
    }
    int status, signal = 0;
    waitpid(child, &status, 0);
    for (long step = 0; step < MOST_STEPS && WIFSTOPPED(status); step++) {
        uint64_t address = (uint64_t)ptrace(PTRACE_PEEKUSER, child, offsetof(struct user_regs_struct, rip), NULL);
        if (note(address))
            fprintf(out, "%llx\n", (unsigned long long)address);
        if (step % MAP_EVERY == 0)
            read_map(child);
        require(ptrace(PTRACE_SINGLESTEP, child, NULL, (void *)(intptr_t)signal) == 0, "PTRACE_SINGLESTEP");
        waitpid(child, &status, 0);
        signal = WIFSTOPPED(status) && WSTOPSIG(status) != SIGTRAP ? WSTOPSIG(status) : 0;
    }
    if (WIFSTOPPED(status)) {
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
    }
    fprintf(out, "maps\n%s", map);
    require(fclose(out) == 0, argv[1]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
