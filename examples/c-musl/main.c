/* A C program on musl, linked statically.
 *
 *     $ musl-gcc -static -O2 -o target/c-musl examples/c-musl/main.c
 *     $ cargo libos image target/c-musl -o target/c-musl.libos
 *     $ libos-tender run target/c-musl.libos
 *     environment: GREETING is not set
 *     pipe: the thread sent "through the pipe"
 *     directory: 3 entries
 *     jump: came back with 7
 *     float: square root of 2 is 1.4142135624
 */
#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int ends[2];
static jmp_buf landing;

static void check(int status, const char *what) {
    if (status < 0) {
        perror(what);
        exit(1);
    }
}

static void *send_message(void *unused) {
    const char message[] = "through the pipe";
    check((int)write(ends[1], message, sizeof message), "write");
    close(ends[1]);
    return unused;
}

static void use_a_pipe(void) {
    pthread_t sender;
    char text[32] = "";
    check(pipe(ends), "pipe");
    pthread_create(&sender, NULL, send_message, NULL);
    check((int)read(ends[0], text, sizeof text - 1), "read");
    pthread_join(sender, NULL);
    printf("pipe: the thread sent \"%s\"\n", text);
}

static void list_a_directory(void) {
    char home[] = "/tmp/c-musl-XXXXXX";
    char path[64];
    int entries = 0;
    check(mkdtemp(home) ? 0 : -1, "mkdtemp");
    snprintf(path, sizeof path, "%s/inner", home);
    check(mkdir(path, 0700), "mkdir");
    DIR *directory = opendir(home);
    while (directory && readdir(directory))
        entries++; /* ".", ".." and "inner" */
    closedir(directory);
    check(rmdir(path), "rmdir");
    check(rmdir(home), "rmdir");
    printf("directory: %d entries\n", entries);
}

static void jump(void) {
    longjmp(landing, 7);
}

int main(void) {
    const char *greeting = getenv("GREETING");
    printf("environment: GREETING is %s\n", greeting ? greeting : "not set");
    use_a_pipe();
    list_a_directory();
    int value = setjmp(landing);
    if (value == 0)
        jump();
    printf("jump: came back with %d\n", value);
    volatile double two = 2.0;
    printf("float: square root of 2 is %.10f\n", sqrt(two));
    return 0;
}
