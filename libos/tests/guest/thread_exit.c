/* The process lives as long as any thread: the first thread may end first, with the others going on. */
#include "check.h"

static pthread_t first;
static int cleaned;
static pthread_key_t key;

static void destroy(void *value) {
    CHECK_EQ((intptr_t)value, 5);
    cleaned++;
}

static void *keyed(void *unused) {
    pthread_setspecific(key, (void *)5);
    pthread_exit(unused);
}

static void *outlive(void *unused) {
    (void)unused;
    CHECK_EQ(pthread_join(first, NULL), 0);
    CHECK(getpid() > 0);
    sleep_ms(20);
    /* The process id is still signalled and still has its files. */
    CHECK_OK(kill(getpid(), 0));
    CHECK_EQ(cleaned, 1);
    exit(VERDICT());
}

int main(void) {
    NEED(pthread_key_create(&key, destroy));
    void *value = NULL;
    pthread_join(start_thread(keyed, (void *)9), &value);
    CHECK_EQ((intptr_t)value, 9);
    first = pthread_self();
    pthread_detach(start_thread(outlive, NULL));
    pthread_exit(NULL);
}
