/* Running past a thread's stack faults with SIGSEGV at an address of the guard, handled on an altstack. */
#include "check.h"
#include <setjmp.h>

static sigjmp_buf landing;
static uintptr_t fault_address;

static void on_fault(int signal, siginfo_t *info, void *context) {
    (void)context;
    fault_address = (uintptr_t)info->si_addr;
    siglongjmp(landing, signal);
}

__attribute__((noinline)) static int descend(int depth) {
    volatile char frame[1024];
    frame[0] = (char)depth;
    return depth == INT_MAX ? 0 : descend(depth + 1) + frame[0];
}

static void *overflow(void *unused) {
    pthread_attr_t attributes;
    void *lowest;
    size_t size;
    stack_t alternate = {.ss_sp = malloc(65536), .ss_size = 65536};
    NEED(sigaltstack(&alternate, NULL));
    NEED(pthread_getattr_np(pthread_self(), &attributes));
    NEED(pthread_attr_getstack(&attributes, &lowest, &size));
    volatile int signal = sigsetjmp(landing, 1);
    if (!signal)
        descend(0);
    CHECK_EQ(signal, SIGSEGV);
    CHECK(fault_address < (uintptr_t)lowest && fault_address >= (uintptr_t)lowest - 65536);
    return unused;
}

int main(void) {
    pthread_attr_t attributes;
    pthread_t thread;
    set_handler(SIGSEGV, on_fault, SA_ONSTACK);
    pthread_attr_init(&attributes);
    NEED(pthread_attr_setstacksize(&attributes, 256 * 1024));
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(pthread_create(&thread, &attributes, overflow, NULL), 0);
        pthread_join(thread, NULL);
    }
    return VERDICT();
}
