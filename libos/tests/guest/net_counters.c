/* /proc/net/snmp, snmp6, netstat, sockstat: what goes over the loopback is counted. Others may use the network too, so that all is
 * a least. */
#include "net.h"

/* The value of `name` in the pair of lines of `section`; -2 if it is not there. */
static long pair_value(const char *path, const char *section, const char *name) {
    static char names[8192], values[8192];
    long found = -2;
    size_t length = strlen(section);
    FILE *file = fopen(path, "r");
    NEED(file != NULL);
    while (fgets(names, sizeof names, file) && fgets(values, sizeof values, file)) {
        if (strncmp(names, section, length) || names[length] != ':') continue;
        CHECK_EQ(strncmp(values, section, length), 0);
        char *rest_of_names, *rest_of_values;
        char *one = strtok_r(names, " \n", &rest_of_names), *value = strtok_r(values, " \n", &rest_of_values);
        for (; one && value; one = strtok_r(NULL, " \n", &rest_of_names), value = strtok_r(NULL, " \n", &rest_of_values))
            if (!strcmp(one, name)) found = atol(value);
        CHECK(one == NULL && value == NULL);
    }
    fclose(file);
    return found;
}

static long snmp(const char *section, const char *name) {
    return pair_value("/proc/net/snmp", section, name);
}

/* The number behind `name` in a line that begins with `section`. */
static long word_value(const char *path, const char *section, const char *name) {
    char line[512];
    long found = -2;
    FILE *file = fopen(path, "r");
    NEED(file != NULL);
    while (fgets(line, sizeof line, file)) {
        char *rest, *word = strtok_r(line, " \t\n", &rest);
        if (!word || strcmp(word, section)) continue;
        while (*name && word && strcmp(word, name)) word = strtok_r(NULL, " \t\n", &rest);
        if (word && (word = strtok_r(NULL, " \t\n", &rest))) found = atol(word);
    }
    fclose(file);
    return found;
}

static void datagrams(int family, long (*value)(const char *)) {
    static const char *names[] = { "OutDatagrams", "InDatagrams", "NoPorts" };
    long before[3];
    for (int i = 0; i < 3; i++) before[i] = value(names[i]);
    address_t one, two;
    int a = bound_socket(family, SOCK_DGRAM, &one), b = bound_socket(family, SOCK_DGRAM, &two);
    char text[8];
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(sendto(a, "x", 1, 0, &two.any, address_length(&two)), 1);
        CHECK_EQ(recv(b, text, sizeof text, 0), 1);
    }
    close(b);
    CHECK_EQ(sendto(a, "x", 1, 0, &two.any, address_length(&two)), 1);
    close(a);
    CHECK(before[0] >= 0 && before[1] >= 0 && before[2] >= 0);
    CHECK(value(names[0]) >= before[0] + 4);
    CHECK(value(names[1]) >= before[1] + 3);
    CHECK(value(names[2]) >= before[2] + 1);
}

static long udp4(const char *name) {
    return snmp("Udp", name);
}

static long udp6(const char *name) {
    char full[64];
    snprintf(full, sizeof full, "Udp6%s", name);
    return word_value("/proc/net/snmp6", full, "");
}

static void connections(void) {
    long active = snmp("Tcp", "ActiveOpens"), passive = snmp("Tcp", "PassiveOpens"), fails = snmp("Tcp", "AttemptFails");
    long alloc = word_value("/proc/net/sockstat", "TCP:", "alloc");
    int pair[2];
    CHECK_EQ(snmp("Tcp", "RtoMin"), 200);
    CHECK_EQ(snmp("Tcp", "MaxConn"), -1);
    tcp_pair(pair);
    CHECK(snmp("Tcp", "CurrEstab") >= 2);
    CHECK(word_value("/proc/net/sockstat", "TCP:", "inuse") >= 2);
    CHECK(alloc >= 0 && word_value("/proc/net/sockstat", "TCP:", "alloc") >= 2);
    CHECK(word_value("/proc/net/sockstat6", "TCP6:", "inuse") >= 0);
    close_pair(pair);
    address_t nobody;
    int fd = bound_socket(AF_INET, SOCK_STREAM, &nobody);
    close(fd);
    fd = new_socket(AF_INET, SOCK_STREAM);
    CHECK_ERR(connect(fd, &nobody.any, address_length(&nobody)), ECONNREFUSED);
    close(fd);
    CHECK(active >= 0 && snmp("Tcp", "ActiveOpens") >= active + 2);
    CHECK(passive >= 0 && snmp("Tcp", "PassiveOpens") >= passive + 1);
    CHECK(fails >= 0 && snmp("Tcp", "AttemptFails") >= fails + 1);
}

int main(void) {
    long requests = snmp("Ip", "OutRequests"), octets = pair_value("/proc/net/netstat", "IpExt", "InOctets");
    long requests6 = word_value("/proc/net/snmp6", "Ip6OutRequests", "");
    datagrams(AF_INET, udp4);
    datagrams(AF_INET6, udp6);
    connections();
    CHECK(requests >= 0 && snmp("Ip", "OutRequests") >= requests + 4);
    CHECK(snmp("Ip", "InReceives") >= 4 && snmp("Ip", "InDelivers") >= 4);
    CHECK(octets >= 0 && pair_value("/proc/net/netstat", "IpExt", "InOctets") >= octets + 4 * 29);
    CHECK(requests6 >= 0 && word_value("/proc/net/snmp6", "Ip6OutRequests", "") >= requests6 + 4);
    CHECK(snmp("Icmp", "InMsgs") >= 0 && snmp("Icmp", "OutEchoReps") >= 0 && snmp("UdpLite", "NoPorts") >= 0);
    CHECK(pair_value("/proc/net/netstat", "TcpExt", "ListenOverflows") >= 0);
    CHECK(word_value("/proc/net/sockstat", "UDP:", "mem") >= 0);
    CHECK(word_value("/proc/net/sockstat", "FRAG:", "memory") >= 0);
    CHECK(word_value("/proc/net/sockstat", "sockets:", "used") >= 0);
    return VERDICT();
}
