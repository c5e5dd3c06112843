/* What most programs do: print, allocate, files, a thread, a lock, a pipe, waiting, a signal. ci/order runs it to learn which
 * functions of the libOS ordinary programs reach. */
#include "measure.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int is_ready;
static int ends[2];

static void on_signal(int number) { (void)number; }

static void *answer(void *argument) {
    pthread_mutex_lock(&lock);
    is_ready = 1;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
    usleep(1000);
    require(write(ends[1], "x", 1) == 1, "write to a pipe");
    return argument;
}

static void threads(void) {
    char byte;
    pthread_t thread;
    require(pipe(ends) == 0, "pipe");
    require(pthread_create(&thread, NULL, answer, NULL) == 0, "pthread_create");
    pthread_mutex_lock(&lock);
    while (!is_ready)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    require(read(ends[0], &byte, 1) == 1, "read from a pipe");
    pthread_join(thread, NULL);
    struct pollfd item = {.fd = ends[0], .events = POLLIN};
    require(poll(&item, 1, 1) == 0, "poll");
}

static void files(void) {
    char bytes[16];
    struct stat about;
    int file = open("/tmp/ordinary", O_RDWR | O_CREAT | O_TRUNC, 0600);
    require(file >= 0 && write(file, "text", 4) == 4, "write to a file");
    require(lseek(file, 0, SEEK_SET) == 0 && read(file, bytes, sizeof bytes) == 4, "read from a file");
    require(fstat(file, &about) == 0 && close(file) == 0, "fstat, close");
    require(stat("/tmp/ordinary", &about) == 0 && unlink("/tmp/ordinary") == 0, "stat, unlink");
}

int main(void) {
    files();
    threads();
    void *pages = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(pages != MAP_FAILED && munmap(pages, 1 << 20) == 0, "mmap, munmap");
    free(malloc(1 << 20));
    signal(SIGALRM, on_signal);
    alarm(1);
    pause();
    puts("done");
    return 0;
}
