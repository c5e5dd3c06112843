/* Two threads pass a byte to and fro over a TCP connection on loopback. */
#include "measure.h"
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROUNDS = 100000 };

static void *answer(void *argument) {
    int listener = *(int *)argument;
    int fd = accept(listener, NULL, NULL);
    require(fd >= 0, "accept");
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    char byte;
    while (read(fd, &byte, 1) == 1)
        require(write(fd, &byte, 1) == 1, "write");
    close(fd);
    return NULL;
}

int main(void) {
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    require(bind(listener, (struct sockaddr *)&address, length) == 0, "bind");
    require(listen(listener, 1) == 0, "listen");
    require(getsockname(listener, (struct sockaddr *)&address, &length) == 0, "getsockname");
    pthread_t thread;
    require(pthread_create(&thread, NULL, answer, &listener) == 0, "pthread_create");
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    require(connect(fd, (struct sockaddr *)&address, length) == 0, "connect");
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    char byte = 1;
    double start = now_ns();
    for (int i = 0; i < ROUNDS; i++) {
        require(write(fd, &byte, 1) == 1, "write");
        require(read(fd, &byte, 1) == 1, "read");
    }
    report(start, ROUNDS);
    close(fd);
    pthread_join(thread, NULL);
    return 0;
}
