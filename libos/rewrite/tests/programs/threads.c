/* Threads, mutex, condition, cancellation and thread exit. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int count;

static void *work(void *unused)
{
    for (int i = 0; i < 1000; i++) {
        pthread_mutex_lock(&mutex);
        count++;
        pthread_cond_signal(&condition);
        pthread_mutex_unlock(&mutex);
    }
    return unused;
}

static void *sleeper(void *unused)
{
    for (;;)
        pause();
    return unused;
}

int main(void)
{
    pthread_t threads[8], sleeping;
    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, work, NULL);
    pthread_mutex_lock(&mutex);
    while (count < 8000)
        pthread_cond_wait(&condition, &mutex);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    pthread_create(&sleeping, NULL, sleeper, NULL);
    usleep(20000);
    pthread_cancel(sleeping);
    void *result = NULL;
    pthread_join(sleeping, &result);
    printf("count %d cancelled %d\n", count, result == PTHREAD_CANCELED);
    return 0;
}
