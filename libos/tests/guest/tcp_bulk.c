/* Many megabytes through a TCP connection, both ways at once, in pieces of all sizes: every byte arrives once, in order. */
#include "net.h"

enum { TOTAL = 24 << 20, LARGEST = 200000 };

struct end {
    int fd;
    unsigned seed;
};

static unsigned next_random(unsigned *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static unsigned char byte_at(size_t position, unsigned seed) {
    return (unsigned char)((position * 2654435761u + seed) >> 13);
}

static size_t piece(unsigned *state, size_t left) {
    size_t length = next_random(state) % 4 ? next_random(state) % 3000 + 1 : next_random(state) % LARGEST + 1;
    return length < left ? length : left;
}

static void *send_all_bytes(void *argument) {
    struct end *end = argument;
    unsigned state = end->seed;
    unsigned char *bytes = malloc(LARGEST);
    for (size_t done = 0; done < TOTAL;) {
        size_t length = piece(&state, TOTAL - done);
        for (size_t i = 0; i < length; i++)
            bytes[i] = byte_at(done + i, end->seed);
        send_all(end->fd, bytes, length);
        done += length;
    }
    CHECK_OK(shutdown(end->fd, SHUT_WR));
    free(bytes);
    return NULL;
}

static void *receive_all_bytes(void *argument) {
    struct end *end = argument;
    unsigned state = end->seed + 1;
    unsigned char *bytes = malloc(LARGEST);
    size_t done = 0;
    for (;;) {
        ssize_t length = NEED(recv(end->fd, bytes, piece(&state, LARGEST), 0));
        if (length == 0)
            break;
        size_t wrong = 0;
        for (size_t i = 0; i < (size_t)length; i++)
            wrong += bytes[i] != byte_at(done + i, end->seed);
        done += (size_t)length;
        if (wrong) {
            CHECK_EQ(wrong, 0);
            break;
        }
    }
    CHECK_EQ(done, TOTAL);
    free(bytes);
    return NULL;
}

static void transfer(int family, int buffer_bytes) {
    int pair[2];
    tcp_pair_of(family, pair);
    if (buffer_bytes) {
        CHECK_OK(set_option(pair[0], SOL_SOCKET, SO_SNDBUF, buffer_bytes));
        CHECK_OK(set_option(pair[1], SOL_SOCKET, SO_RCVBUF, buffer_bytes));
    }
    struct end out[2] = {{pair[0], 7}, {pair[1], 8}}, in[2] = {{pair[1], 7}, {pair[0], 8}};
    pthread_t threads[4];
    for (int i = 0; i < 2; i++) {
        threads[i] = start_thread(send_all_bytes, &out[i]);
        threads[i + 2] = start_thread(receive_all_bytes, &in[i]);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    close_pair(pair);
}

int main(void) {
    transfer(AF_INET, 0);
    transfer(AF_INET6, 100000);
    return VERDICT();
}
