/* A program that makes system calls which no rewriter sees: the two bytes of the instruction lie inside the
 * immediate of another one, and its address is known at run time only.
 *
 *   hostile hidden NUMBER [ARGUMENT…]     `syscall`
 *   hostile hidden80 NUMBER [ARGUMENT…]   `int $0x80`
 *   hostile agree                         calls with an effect, made both ways: the answers must be the same
 *   hostile visible                       nothing hostile: ends with status 90
 *
 * An argument is a number or text, which is passed by address. Status 90: the call came back; its result is
 * on standard output. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* mov $0x90c3050f, %r11d and mov $0x90c380cd, %r11d: `syscall; ret` and `int $0x80; ret` from their third
 * byte on. */
__asm__(".pushsection .text\n"
        "carrier: .byte 0x41, 0xbb, 0x0f, 0x05, 0xc3, 0x90; ret\n"
        "carrier80: .byte 0x41, 0xbb, 0xcd, 0x80, 0xc3, 0x90; ret\n"
        ".popsection\n");
extern char carrier[], carrier80[];

static volatile unsigned long two = 2;

static long call_at(char *code, long number, const long *a) {
    long result = number;
    register long r10 __asm__("r10") = a[3];
    register long r8 __asm__("r8") = a[4];
    register long r9 __asm__("r9") = a[5];
    __asm__ volatile("sub $128, %%rsp; call *%[code]; add $128, %%rsp"
                     : "+a"(result), "+r"(r10), "+r"(r8), "+r"(r9)
                     : [code] "r"(code), "D"(a[0]), "S"(a[1]), "d"(a[2]), "b"(a[0])
                     : "rcx", "r11", "memory", "cc");
    return result;
}

static long hidden(long number, long a, long b, long c) {
    long arguments[6] = {a, b, c, 0, 0, 0};
    return call_at(carrier + two, number, arguments);
}

static long argument(const char *text) {
    char *end;
    long value = strtol(text, &end, 0);
    return *end ? (long)text : value;
}

static int check(const char *what, long got, long expected) {
    if (got == expected)
        return 0;
    printf("%s: expected %ld, found %ld\n", what, expected, got);
    return 1;
}

static int agree(void) {
    int wrong = 0, ends[2];
    char text[8] = "";
    wrong += check("getpid", hidden(SYS_getpid, 0, 0, 0), getpid());
    wrong += check("gettid", hidden(SYS_gettid, 0, 0, 0), gettid());
    wrong += check("getuid", hidden(SYS_getuid, 0, 0, 0), getuid());
    wrong += check("close", hidden(SYS_close, 12345, 0, 0), -EBADF);
    wrong += check("a number without a call", hidden(600, 0, 0, 0), -ENOSYS);
    if (pipe(ends))
        return 1;
    wrong += check("write", hidden(SYS_write, ends[1], (long)"seven", 5), 5);
    wrong += check("read", read(ends[0], text, sizeof text), 5);
    wrong += check("what was read", memcmp(text, "seven", 5), 0);
    wrong += check("write", write(ends[1], "eight", 5), 5);
    wrong += check("read", hidden(SYS_read, ends[0], (long)text, sizeof text), 5);
    wrong += check("what was read", memcmp(text, "eight", 5), 0);
    puts(wrong ? "disagree" : "agree");
    return wrong != 0;
}

int main(int count, char **words) {
    if (count > 1 && !strcmp(words[1], "visible"))
        return 90;
    if (count > 1 && !strcmp(words[1], "agree"))
        return agree();
    if (count < 3)
        return 100;
    long arguments[6] = {0};
    for (int i = 3; i < count && i < 9; i++)
        arguments[i - 3] = argument(words[i]);
    char *code = strcmp(words[1], "hidden80") ? carrier : carrier80;
    printf("%ld\n", call_at(code + two, strtol(words[2], 0, 0), arguments));
    fflush(stdout);
    return 90;
}
