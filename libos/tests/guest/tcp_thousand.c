/* A thousand TCP connections within one process: all open at once, each used several times, by epoll. */
#include "net.h"
#include <sys/epoll.h>
#include <sys/resource.h>

enum { CONNECTIONS = 1000, ROUNDS = 5 };

static int server;

/* Accepts all of them, and sends back what each sends until it ends. */
static void *serve(void *unused) {
    int epoll = (int)NEED(epoll_create1(0)), ended = 0;
    struct epoll_event events[64], event = {.events = EPOLLIN, .data.fd = server};
    NEED(epoll_ctl(epoll, EPOLL_CTL_ADD, server, &event));
    while (ended < CONNECTIONS) {
        int count = (int)NEED(epoll_wait(epoll, events, COUNT(events), 5000));
        NEED(count > 0 ? 0 : -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == server) {
                while ((fd = accept4(server, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    event = (struct epoll_event){.events = EPOLLIN | EPOLLET, .data.fd = fd};
                    NEED(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
                }
                continue;
            }
            char text[128];
            ssize_t length;
            while ((length = recv(fd, text, sizeof text, 0)) > 0)
                CHECK_EQ(send(fd, text, (size_t)length, MSG_NOSIGNAL), length);
            if (length == 0) {
                close(fd);
                ended++;
            }
        }
    }
    return unused;
}

int main(void) {
    static int clients[CONNECTIONS];
    struct rlimit limit;
    NEED(getrlimit(RLIMIT_NOFILE, &limit));
    if (limit.rlim_cur < 2 * CONNECTIONS + 50) {
        if (limit.rlim_max < 2 * CONNECTIONS + 50)
            SKIP("too few descriptors may be open");
        limit.rlim_cur = limit.rlim_max;
        NEED(setrlimit(RLIMIT_NOFILE, &limit));
    }
    address_t address;
    server = listener(AF_INET, 512, &address);
    set_nonblocking(server);
    pthread_t thread = start_thread(serve, NULL);
    for (int i = 0; i < CONNECTIONS; i++)
        clients[i] = connected_to(&address);
    for (int round = 0; round < ROUNDS; round++) {
        char text[128], wanted[128];
        for (int i = 0; i < CONNECTIONS; i++) {
            memset(text, 0, sizeof text);
            snprintf(text, sizeof text, "%d of %d", i, round);
            send_all(clients[i], text, sizeof text);
        }
        for (int i = CONNECTIONS - 1; i >= 0; i--) {
            memset(wanted, 0, sizeof wanted);
            snprintf(wanted, sizeof wanted, "%d of %d", i, round);
            CHECK_EQ(receive_all(clients[i], text, sizeof text), sizeof text);
            CHECK_EQ(memcmp(text, wanted, sizeof text), 0);
        }
    }
    for (int i = 0; i < CONNECTIONS; i++)
        close(clients[i]);
    pthread_join(thread, NULL);
    return VERDICT();
}
