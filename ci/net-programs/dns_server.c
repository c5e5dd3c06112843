/* dns_server ADDRESS NAME=ADDRESS...
 *
 * A name server for tests, on UDP port 53 of the address: A and AAAA of the names that it was given, no such name for
 * others. Prints "up" when it listens, and runs until it is ended. One question a message, no compression but that
 * of the question's own name. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEADER = 12, LONGEST = 512, TYPE_A = 1, TYPE_AAAA = 28, CLASS_IN = 1, NO_SUCH_NAME = 3, TTL_SECONDS = 60 };

static int names;
static char **known;

static void require(int holds, const char *what) {
    if (!holds) {
        perror(what);
        exit(1);
    }
}

/* Turns the name at `at` into text with dots; where it ends, or 0 if it is not a name. */
static size_t read_name(const unsigned char *message, size_t length, size_t at, char *text) {
    size_t written = 0;
    while (at < length && message[at] != 0) {
        size_t label = message[at++];
        if (label > 63 || at + label > length || written + label + 1 > 255)
            return 0;
        memcpy(text + written, message + at, label);
        written += label;
        text[written++] = '.';
        at += label;
    }
    text[written > 0 ? written - 1 : 0] = 0;
    return at < length ? at + 1 : 0;
}

static size_t put16(unsigned char *message, size_t at, unsigned value) {
    message[at] = (unsigned char)(value >> 8);
    message[at + 1] = (unsigned char)value;
    return at + 2;
}

/* Appends the addresses of the kind that the name has; where the message ends then. */
static size_t append_answers(unsigned char *message, size_t at, const char *name, unsigned type, int *is_known) {
    unsigned count = 0;
    for (int i = 0; i < names; i++) {
        const char *value = strchr(known[i], '=');
        if (!value || strncasecmp(known[i], name, (size_t)(value - known[i])) || name[value - known[i]])
            continue;
        *is_known = 1;
        unsigned char address[16];
        size_t size = type == TYPE_A ? 4 : 16;
        if (inet_pton(type == TYPE_A ? AF_INET : AF_INET6, value + 1, address) != 1 || at + 12 + size > LONGEST)
            continue;
        at = put16(message, at, 0xc000 | HEADER); /* the name: that of the question */
        at = put16(message, at, type);
        at = put16(message, at, CLASS_IN);
        at = put16(message, at, 0);
        at = put16(message, at, TTL_SECONDS);
        at = put16(message, at, (unsigned)size);
        memcpy(message + at, address, size);
        at += size;
        count++;
    }
    put16(message, 6, count);
    return at;
}

/* Makes the question into its answer; its length, or 0 for what is no question. */
static size_t answer(unsigned char *message, size_t length) {
    char name[256];
    int is_known = 0;
    if (length < HEADER || (message[2] & 0xf8) || message[4] || message[5] != 1)
        return 0;
    size_t at = read_name(message, length, HEADER, name);
    if (at == 0 || at + 4 > length)
        return 0;
    unsigned type = (unsigned)message[at] << 8 | message[at + 1];
    message[2] = (unsigned char)(0x84 | (message[2] & 1)); /* an answer, from authority; recursion as desired */
    message[3] = 0x80;
    memset(message + 6, 0, 6);
    size_t end = at + 4;
    if (type == TYPE_A || type == TYPE_AAAA)
        end = append_answers(message, end, name, type, &is_known);
    else
        append_answers((unsigned char[LONGEST]){0}, end, name, TYPE_A, &is_known);
    if (!is_known)
        message[3] |= NO_SUCH_NAME;
    return end;
}

int main(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(53)}, from;
    if (argc < 3 || inet_pton(AF_INET, argv[1], &address.sin_addr) != 1) {
        fputs("usage: dns_server ADDRESS NAME=ADDRESS...\n", stderr);
        return 2;
    }
    known = argv + 2;
    names = argc - 2;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    require(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0, "port 53");
    puts("up");
    fflush(stdout);
    for (;;) {
        unsigned char message[LONGEST];
        socklen_t length = sizeof from;
        ssize_t size = recvfrom(fd, message, sizeof message, 0, (struct sockaddr *)&from, &length);
        size_t answered = size > 0 ? answer(message, (size_t)size) : 0;
        if (answered)
            sendto(fd, message, answered, 0, (struct sockaddr *)&from, length);
    }
}
