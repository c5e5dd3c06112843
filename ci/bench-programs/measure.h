/* For the benchmark programs: each prints one number, the nanoseconds that one operation takes. */
#ifndef MEASURE_H
#define MEASURE_H
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static inline void report(double start_ns, long operations) {
    printf("%.2f\n", (now_ns() - start_ns) / (double)operations);
}

static inline void require(int holds, const char *what) {
    if (!holds) {
        perror(what);
        exit(1);
    }
}
#endif
