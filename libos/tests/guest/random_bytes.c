/* getrandom, /dev/urandom, AT_RANDOM: different each time, partial lengths, flags, refusals. */
#include "check.h"
#include <sys/auxv.h>
#include <sys/random.h>

static int distinct(const unsigned char *bytes, size_t length) {
    int seen[256] = {0}, count = 0;
    for (size_t i = 0; i < length; i++)
        count += !seen[bytes[i]]++;
    return count;
}

int main(void) {
    static unsigned char first[4096], second[4096], big[1 << 20];
    CHECK_EQ(getrandom(first, sizeof first, 0), sizeof first);
    CHECK_EQ(getrandom(second, sizeof second, GRND_NONBLOCK), sizeof second);
    CHECK(memcmp(first, second, sizeof first) != 0);
    CHECK(distinct(first, sizeof first) > 250);
    CHECK_EQ(getrandom(first, 0, 0), 0);
    CHECK_EQ(getrandom(big, sizeof big, 0), sizeof big);
    CHECK(distinct(big + sizeof big - 4096, 4096) > 250);
    CHECK_EQ(getrandom(first, 16, GRND_RANDOM), 16);
    CHECK_EQ(getrandom(first, 16, GRND_INSECURE), 16);
    CHECK_ERR(getrandom(first, 16, 0x100), EINVAL);
    CHECK_ERR(getrandom(first, 16, GRND_RANDOM | GRND_INSECURE), EINVAL);
    CHECK_ERR(getrandom((void *)16, 16, 0), EFAULT);
    const char *devices[] = {"/dev/urandom", "/dev/random"};
    for (int i = 0; i < 2; i++) {
        int fd = (int)CHECK_OK(open(devices[i], O_RDONLY));
        CHECK_EQ(read(fd, second, 256), 256);
        CHECK(memcmp(first, second, 16) != 0);
        CHECK(distinct(second, 256) > 100);
        close(fd);
    }
    const unsigned char *start = (const unsigned char *)getauxval(AT_RANDOM);
    CHECK(start != NULL && distinct(start, 16) > 4);
    return VERDICT();
}
