/* A C program on glibc, linked statically.
 *
 *     $ gcc -static -O2 -o target/c-glibc examples/c-glibc/main.c
 *     $ cargo libos image target/c-glibc -o target/c-glibc.libos
 *     $ libos-tender run target/c-glibc.libos -- one two
 *     libc: glibc
 *     argument 1: one
 *     argument 2: two
 *     sorted: 1 2 3 5 8 13
 *     file: read back 11 bytes: hello, file
 *     threads: 4 threads summed 1..1000 to 500500
 *     errno: No such file or directory
 *     time: the clock moved forward
 *     at exit: goodbye
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4, LAST = 1000 };

static int sum;
static pthread_mutex_t sum_lock = PTHREAD_MUTEX_INITIALIZER;

static int compare(const void *left, const void *right) {
    return *(const int *)left - *(const int *)right;
}

static void sort_numbers(void) {
    int numbers[] = {13, 1, 8, 2, 5, 3};
    size_t count = sizeof numbers / sizeof *numbers;
    qsort(numbers, count, sizeof *numbers, compare);
    printf("sorted:");
    for (size_t i = 0; i < count; i++)
        printf(" %d", numbers[i]);
    printf("\n");
}

static void use_a_file(void) {
    FILE *file = tmpfile();
    char text[32] = "";
    if (!file) {
        perror("tmpfile");
        exit(1);
    }
    fputs("hello, file", file);
    rewind(file);
    size_t length = fread(text, 1, sizeof text - 1, file);
    printf("file: read back %zu bytes: %s\n", length, text);
    fclose(file);
}

static void *add_share(void *first) {
    for (long number = (long)first; number <= LAST; number += THREADS) {
        pthread_mutex_lock(&sum_lock);
        sum += (int)number;
        pthread_mutex_unlock(&sum_lock);
    }
    return NULL;
}

static void use_threads(void) {
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, add_share, (void *)(i + 1))) {
            perror("pthread_create");
            exit(1);
        }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("threads: %d threads summed 1..%d to %d\n", THREADS, LAST, sum);
}

static void show_errno(void) {
    if (access("/no/such/file", F_OK) == -1)
        printf("errno: %s\n", strerror(errno));
}

static void show_time(void) {
    struct timespec before, after, pause = {.tv_nsec = 1000000};
    clock_gettime(CLOCK_MONOTONIC, &before);
    nanosleep(&pause, NULL);
    clock_gettime(CLOCK_MONOTONIC, &after);
    long moved = (after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec;
    printf("time: the clock %s\n", moved >= pause.tv_nsec ? "moved forward" : "is wrong");
}

static void goodbye(void) {
    printf("at exit: goodbye\n");
}

int main(int argc, char **argv) {
    atexit(goodbye);
#ifdef __GLIBC__
    printf("libc: glibc\n");
#else
    printf("libc: musl\n");
#endif
    for (int i = 1; i < argc; i++)
        printf("argument %d: %s\n", i, argv[i]);
    sort_numbers();
    use_a_file();
    use_threads();
    show_errno();
    show_time();
    return 0;
}
