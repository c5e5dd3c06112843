/* first_byte RUNS COMMAND...: the median time from exec to the first byte on stdout, in microseconds. Not made an
 * image: it measures other programs from outside. */
#define _GNU_SOURCE
#include "measure.h"
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static double one_run(char **command) {
    int ends[2];
    char byte;
    pid_t child;
    posix_spawn_file_actions_t actions;
    require(pipe2(ends, O_CLOEXEC) == 0, "pipe2");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    double start = now_ns();
    require(posix_spawn(&child, command[0], &actions, NULL, command, environ) == 0, command[0]);
    close(ends[1]);
    require(read(ends[0], &byte, 1) == 1, "no output");
    double first = now_ns();
    while (read(ends[0], &byte, 1) == 1) {
    }
    close(ends[0]);
    waitpid(child, NULL, 0);
    posix_spawn_file_actions_destroy(&actions);
    return (first - start) / 1000;
}

static int compare(const void *left, const void *right) {
    double difference = *(const double *)left - *(const double *)right;
    return difference < 0 ? -1 : difference > 0;
}

int main(int argc, char **argv) {
    int runs = argc > 2 ? atoi(argv[1]) : 0;
    if (runs < 1) {
        fprintf(stderr, "usage: first_byte RUNS COMMAND...\n");
        return 2;
    }
    double *times = calloc((size_t)runs, sizeof *times);
    for (int i = 0; i < runs; i++)
        times[i] = one_run(argv + 2);
    qsort(times, (size_t)runs, sizeof *times, compare);
    printf("%.2f\n", times[runs / 2]);
    return 0;
}
