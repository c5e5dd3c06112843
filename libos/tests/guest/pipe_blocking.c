/* A blocked reader wakes for data and for the last writer's close; a blocked writer for room. */
#include "check.h"

static int ends[2];
static long total;

static void *read_all(void *unused) {
    char buffer[3000];
    long count;
    while ((count = read(ends[0], buffer, sizeof buffer)) > 0)
        total += count;
    CHECK_EQ(count, 0);
    return unused;
}

static void *read_one(void *unused) {
    char byte = 0;
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    CHECK_EQ(byte, 'x');
    return unused;
}

int main(void) {
    static char data[1 << 20];
    NEED(pipe(ends));
    pthread_t reader = start_thread(read_one, NULL);
    sleep_ms(20);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    pthread_join(reader, NULL);

    /* One blocking write of far more than the capacity returns only when all of it is written. */
    reader = start_thread(read_all, NULL);
    CHECK_EQ(write(ends[1], data, sizeof data), sizeof data);
    sleep_ms(20);
    close(ends[1]);
    pthread_join(reader, NULL);
    CHECK_EQ(total, sizeof data);
    return VERDICT();
}
