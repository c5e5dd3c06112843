/* futex: wait, wake, requeue, cmp_requeue, wake_op, bitsets; counts and refusals. */
#include "check.h"
#include <linux/futex.h>

enum { WAITERS = 5 };

static uint32_t first, second;
static int awake;

static long futex(uint32_t *word, int op, uint32_t value, uintptr_t timeout, uint32_t *word2,
                  uint32_t value3) {
    return syscall(SYS_futex, word, op, value, timeout, word2, value3);
}

static void *wait_on_first(void *mask) {
    int op = FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG;
    CHECK_OK(futex(&first, op, 0, 0, NULL, (uint32_t)(uintptr_t)mask));
    __atomic_add_fetch(&awake, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void start(pthread_t *threads, uint32_t mask) {
    __atomic_store_n(&awake, 0, __ATOMIC_SEQ_CST);
    for (int i = 0; i < WAITERS; i++)
        threads[i] = start_thread(wait_on_first, (void *)(uintptr_t)mask);
    sleep_ms(50); /* Nothing else tells that they wait. */
}

static void expect_awake(int count) {
    for (int i = 0; i < 1000 && __atomic_load_n(&awake, __ATOMIC_SEQ_CST) < count; i++)
        sleep_ms(1);
    sleep_ms(5);
    CHECK_EQ(__atomic_load_n(&awake, __ATOMIC_SEQ_CST), count);
}

static void join(pthread_t *threads) {
    for (int i = 0; i < WAITERS; i++)
        pthread_join(threads[i], NULL);
}

int main(void) {
    pthread_t threads[WAITERS];
    int private = FUTEX_PRIVATE_FLAG;
    CHECK_EQ(futex(&first, FUTEX_WAKE | private, INT_MAX, 0, NULL, 0), 0);
    CHECK_ERR(futex(&first, FUTEX_WAIT | private, 1, 0, NULL, 0), EAGAIN);

    start(threads, ~0U);
    CHECK_EQ(futex(&first, FUTEX_WAKE | private, 2, 0, NULL, 0), 2);
    expect_awake(2);
    CHECK_EQ(futex(&first, FUTEX_WAKE | private, INT_MAX, 0, NULL, 0), 3);
    join(threads);

    /* Requeue: one wakes, two move to the other word, two stay. */
    start(threads, ~0U);
    CHECK_EQ(futex(&first, FUTEX_REQUEUE | private, 1, 2, &second, 0), 3);
    expect_awake(1);
    CHECK_EQ(futex(&second, FUTEX_WAKE | private, INT_MAX, 0, NULL, 0), 2);
    expect_awake(3);
    CHECK_ERR(futex(&first, FUTEX_CMP_REQUEUE | private, 1, 1, &second, 77), EAGAIN);
    CHECK_EQ(futex(&first, FUTEX_CMP_REQUEUE | private, 0, INT_MAX, &second, 0), 2);
    CHECK_EQ(futex(&first, FUTEX_WAKE | private, INT_MAX, 0, NULL, 0), 0);
    CHECK_EQ(futex(&second, FUTEX_WAKE | private, INT_MAX, 0, NULL, 0), 2);
    join(threads);

    /* Bit sets: only those whose bits meet wake. */
    start(threads, 0x5);
    CHECK_EQ(futex(&first, FUTEX_WAKE_BITSET | private, INT_MAX, 0, NULL, 0xa), 0);
    CHECK_EQ(futex(&first, FUTEX_WAKE_BITSET | private, INT_MAX, 0, NULL, 0x4), WAITERS);
    join(threads);
    CHECK_ERR(futex(&first, FUTEX_WAKE_BITSET | private, 1, 0, NULL, 0), EINVAL);
    CHECK_ERR(futex(&first, FUTEX_WAIT_BITSET | private, 0, 0, NULL, 0), EINVAL);

    /* wake_op: *second += 3, and as its old value was 4, also wakes there. */
    start(threads, ~0U);
    second = 4;
    int op = FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 4);
    CHECK_EQ(futex(&second, FUTEX_WAKE_OP | private, 1, INT_MAX, &second, (uint32_t)op), 0);
    CHECK_EQ(second, 7);
    CHECK_EQ(futex(&first, FUTEX_WAKE_OP | private, 2, INT_MAX, &second, (uint32_t)op), 2);
    CHECK_EQ(second, 10);
    first = 0;
    op = FUTEX_OP(FUTEX_OP_SET, 9, FUTEX_OP_CMP_LT, 100);
    CHECK_EQ(futex(&second, FUTEX_WAKE_OP | private, 0, INT_MAX, &first, (uint32_t)op), 3);
    CHECK_EQ(first, 9);
    first = 0;
    join(threads);

    CHECK_ERR(futex((uint32_t *)((char *)&first + 1), FUTEX_WAIT, 0, 0, NULL, 0), EINVAL);
    CHECK_ERR(futex((uint32_t *)16, FUTEX_WAIT, 0, 0, NULL, 0), EFAULT);
    CHECK_ERR(futex(&first, 99, 0, 0, NULL, 0), ENOSYS);
    return VERDICT();
}
