/* Floating-point and vector registers survive handlers that use them, sent and timed; so does the x87 word. */
#include "check.h"
#include <immintrin.h>
#include <sys/time.h>

static volatile int handled;
static volatile double scrap;

static void on_signal(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
    double x = 3.7;
    for (int i = 0; i < 50; i++)
        x = x * 1.01 + 2.2;
    scrap = x;
    uint16_t control = 0x0f7f;
    uint32_t mxcsr = 0x5f80;
    __asm__ volatile("fldcw %0; ldmxcsr %1" ::"m"(control), "m"(mxcsr));
    __asm__ volatile("pcmpeqd %%xmm0, %%xmm0; movdqa %%xmm0, %%xmm5; movdqa %%xmm0, %%xmm9;"
                     "movdqa %%xmm0, %%xmm15" ::
                         : "xmm0", "xmm5", "xmm9", "xmm15");
    handled++;
}

__attribute__((target("avx"))) static int avx_survives(void) {
    double pattern[8] = {1, 2, 3, 4, 5, 6, 7, 8}, back[8];
    int before = handled;
    __asm__ volatile("vmovupd (%0), %%ymm5; vmovupd 32(%0), %%ymm15" ::"r"(pattern)
                     : "xmm5", "xmm15");
    /* A spin without system calls: a timer's signal falls into it. */
    __asm__ volatile("1: cmpl %0, %1; je 1b" ::"r"(before), "m"(handled));
    __asm__ volatile("vmovupd %%ymm5, (%0); vmovupd %%ymm15, 32(%0); vzeroupper" ::"r"(back)
                     : "memory");
    return memcmp(pattern, back, sizeof back) == 0;
}

static int sse_survives(void) {
    double pattern[4] = {9, 10, 11, 12}, back[4];
    int before = handled;
    __asm__ volatile("movupd (%0), %%xmm5; movupd 16(%0), %%xmm9" ::"r"(pattern) : "xmm5", "xmm9");
    __asm__ volatile("1: cmpl %0, %1; je 1b" ::"r"(before), "m"(handled));
    __asm__ volatile("movupd %%xmm5, (%0); movupd %%xmm9, 16(%0)" ::"r"(back) : "memory");
    return memcmp(pattern, back, sizeof back) == 0;
}

int main(void) {
    set_handler(SIGALRM, on_signal, 0);
    struct itimerval timer = {{0, 2000}, {0, 2000}};
    uint16_t control, control_after;
    __asm__ volatile("fnstcw %0" : "=m"(control));
    uint32_t mxcsr = _mm_getcsr() & ~0x3fU;
    NEED(setitimer(ITIMER_REAL, &timer, NULL));
    int lost = 0;
    for (int i = 0; i < 50; i++)
        lost += !sse_survives();
    CHECK_EQ(lost, 0);
    if (__builtin_cpu_supports("avx"))
        for (int i = 0; i < 50; i++)
            lost += !avx_survives();
    CHECK_EQ(lost, 0);
    timer = (struct itimerval){{0, 0}, {0, 0}};
    NEED(setitimer(ITIMER_REAL, &timer, NULL));
    __asm__ volatile("fnstcw %0" : "=m"(control_after));
    CHECK_EQ(control_after, control);
    CHECK_EQ(_mm_getcsr() & ~0x3fU, mxcsr);
    return VERDICT();
}
