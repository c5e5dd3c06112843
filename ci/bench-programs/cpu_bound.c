/* Integer, floating-point and memory work without a system call; one operation is one round of all three. */
#include "measure.h"
#include <stdint.h>

enum { SIZE = 160, SIEVE = 1 << 20 };

static double left[SIZE][SIZE], right[SIZE][SIZE], product[SIZE][SIZE];
static unsigned char composite[SIEVE];

static uint64_t hash_words(uint64_t seed) {
    for (int i = 0; i < 8000000; i++) {
        seed ^= seed >> 33;
        seed *= 0xff51afd7ed558ccdULL;
        seed ^= (uint64_t)i;
    }
    return seed;
}

static double multiply(void) {
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            double sum = 0;
            for (int k = 0; k < SIZE; k++)
                sum += left[i][k] * right[k][j];
            product[i][j] = sum;
        }
    return product[SIZE / 2][SIZE / 2];
}

static int count_primes(void) {
    int count = 0;
    for (int i = 0; i < SIEVE; i++)
        composite[i] = 0;
    for (int i = 2; i < SIEVE; i++)
        if (!composite[i]) {
            count++;
            for (int j = 2 * i; j < SIEVE; j += i)
                composite[j] = 1;
        }
    return count;
}

int main(void) {
    enum { ROUNDS = 30 };
    volatile double sink = 0;
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            left[i][j] = i + j;
            right[i][j] = i - j;
        }
    double start = now_ns();
    for (int i = 0; i < ROUNDS; i++)
        sink += (double)(hash_words((uint64_t)i) & 1) + multiply() + count_primes();
    report(start, ROUNDS);
    return sink == 0.5;
}
