/* Several threads on one socket: accepting, receiving and sending at once, each piece to exactly one of them. */
#include "net.h"

enum { THREADS = 6, EACH = 40 };

static int server, pair[2];
static int accepted_by[THREADS], received_by[THREADS];

static void *accept_some(void *argument) {
    int *count = argument, fd;
    while ((fd = accept(server, NULL, NULL)) >= 0) {
        (*count)++;
        close(fd);
    }
    CHECK_EQ(errno, EINVAL);
    return NULL;
}

static void *receive_some(void *argument) {
    int *count = argument;
    char text[4];
    while (recv(pair[0], text, 4, MSG_WAITALL) == 4) {
        CHECK_EQ(memcmp(text, "abcd", 4), 0);
        (*count)++;
    }
    return NULL;
}

static void *send_some(void *unused) {
    for (int i = 0; i < EACH; i++)
        CHECK_EQ(send(pair[1], "abcd", 4, MSG_NOSIGNAL), 4);
    return unused;
}

/* A full connection: writers of large pieces take turns; no piece is torn by another thread's. */
static void *send_large(void *argument) {
    static const size_t size = 300000;
    char *bytes = malloc(size);
    memset(bytes, *(char *)argument, size);
    send_all(pair[1], bytes, size);
    free(bytes);
    return NULL;
}

static int sum(const int *counts) {
    int total = 0;
    for (int i = 0; i < THREADS; i++)
        total += counts[i];
    return total;
}

int main(void) {
    pthread_t threads[2 * THREADS];
    address_t address;
    server = listener(AF_INET, 64, &address);
    for (int i = 0; i < THREADS; i++)
        threads[i] = start_thread(accept_some, &accepted_by[i]);
    for (int i = 0; i < EACH; i++)
        close(connected_to(&address));
    for (int i = 0; i < 500 && sum(accepted_by) < EACH; i++)
        sleep_ms(1);
    CHECK_EQ(sum(accepted_by), EACH);
    CHECK_OK(shutdown(server, SHUT_RDWR)); /* wakes all */
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);

    tcp_pair(pair);
    for (int i = 0; i < THREADS; i++) {
        threads[i] = start_thread(receive_some, &received_by[i]);
        threads[i + THREADS] = start_thread(send_some, NULL);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i + THREADS], NULL);
    CHECK_OK(shutdown(pair[1], SHUT_WR));
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(sum(received_by), THREADS * EACH);
    close_pair(pair);

    tcp_pair(pair);
    char letters[2] = {'x', 'y'}, *bytes = malloc(600000);
    for (int i = 0; i < 2; i++)
        threads[i] = start_thread(send_large, &letters[i]);
    CHECK_EQ(receive_all(pair[0], bytes, 600000), 600000);
    int changes = 0, xs = bytes[0] == 'x';
    for (int i = 1; i < 600000; i++) {
        changes += bytes[i] != bytes[i - 1];
        xs += bytes[i] == 'x';
    }
    CHECK_EQ(xs, 300000);
    CHECK_EQ(changes, 1); /* a blocking send keeps the socket until it is done */
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    free(bytes);
    close_pair(pair);
    return VERDICT();
}
