/* Writes of at most PIPE_BUF bytes to a pipe are not mixed with those of other threads. */
#include "check.h"

enum { WRITERS = 4, MESSAGES = 200, LENGTH = PIPE_BUF / 2 + 7 };

static int ends[2];

static void *write_messages(void *which) {
    static __thread char message[LENGTH];
    memset(message, 'a' + (int)(intptr_t)which, LENGTH);
    for (int i = 0; i < MESSAGES; i++)
        CHECK_EQ(write(ends[1], message, LENGTH), LENGTH);
    return NULL;
}

int main(void) {
    NEED(pipe(ends));
    pthread_t writers[WRITERS];
    for (intptr_t i = 0; i < WRITERS; i++)
        writers[i] = start_thread(write_messages, (void *)i);
    static char message[LENGTH];
    int mixed = 0, counts[WRITERS] = {0};
    for (int i = 0; i < WRITERS * MESSAGES; i++) {
        size_t filled = 0;
        while (filled < LENGTH)
            filled += (size_t)NEED(read(ends[0], message + filled, LENGTH - filled));
        for (int j = 1; j < LENGTH; j++)
            mixed += message[j] != message[0];
        counts[message[0] - 'a']++;
    }
    CHECK_EQ(mixed, 0);
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(writers[i], NULL);
        CHECK_EQ(counts[i], MESSAGES);
    }
    return VERDICT();
}
