/* Too much memory is ENOMEM or NULL, never the end of the program; afterwards all goes on. */
#include "check.h"
#include <sys/mman.h>
#include <sys/resource.h>

int main(void) {
    /* An address-space limit makes it the same on any machine. */
    struct rlimit limit = {(rlim_t)1 << 30, (rlim_t)1 << 30};
    NEED(setrlimit(RLIMIT_AS, &limit));
    size_t size = (size_t)64 << 20;
    void *blocks[64];
    int got = 0;
    while (got < 64 && (blocks[got] = malloc(size)))
        got++;
    CHECK(got < 17);
    CHECK_EQ(errno, ENOMEM);
    CHECK_ERR(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, size);
    CHECK_EQ(pthread_create(&thread, &attributes, (void *(*)(void *))abort, NULL), EAGAIN);
    for (int i = 0; i < got; i++)
        free(blocks[i]);
    char *again = malloc(size);
    CHECK(again != NULL);
    again[size - 1] = 1;
    free(again);
    return VERDICT();
}
