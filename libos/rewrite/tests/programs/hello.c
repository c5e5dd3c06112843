/* Console, heap, files, signals, fork and environment: one line each, the same on every run. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t seen;

static void handler(int number) { seen = number; }

int main(int argc, char **argv)
{
    printf("hello %d %s\n", argc, argc > 1 ? argv[1] : "-");
    char *block = malloc(1 << 20);
    memset(block, 7, 1 << 20);
    printf("heap %d\n", block[12345]);
    void *mapping = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("mmap %d\n", mapping != MAP_FAILED && *(char *)mapping == 0);
    printf("open %d errno %d\n", open("/nonexistent", O_RDONLY), errno);
    signal(SIGUSR1, handler);
    raise(SIGUSR1);
    printf("signal %d\n", (int)seen == SIGUSR1);
    signal(SIGALRM, handler);
    alarm(1);
    int paused = pause();
    printf("pause %d errno %d signal %d\n", paused, errno, (int)seen == SIGALRM);
    struct timespec pause_time = {0, 2000000};
    printf("sleep %d\n", nanosleep(&pause_time, NULL));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(33);
    int status = 0;
    waitpid(child, &status, 0);
    printf("child %d\n", WEXITSTATUS(status));
    return 5;
}
