/* Interfaces as programs ask for them: getifaddrs, netlink, ioctl, proc/net, sys/class/net. */
#include "net.h"
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

static void by_getifaddrs(void) {
    struct ifaddrs *all = NULL;
    int four = 0, six = 0, link = 0;
    CHECK_OK(getifaddrs(&all));
    for (struct ifaddrs *one = all; one; one = one->ifa_next) {
        if (strcmp(one->ifa_name, "lo") != 0 || !one->ifa_addr)
            continue;
        CHECK_EQ(one->ifa_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING), IFF_UP | IFF_LOOPBACK | IFF_RUNNING);
        address_t *address = (address_t *)one->ifa_addr, *mask = (address_t *)one->ifa_netmask;
        if (address->any.sa_family == AF_INET && ntohl(address->v4.sin_addr.s_addr) == INADDR_LOOPBACK) {
            four++;
            CHECK_EQ(ntohl(mask->v4.sin_addr.s_addr), 0xff000000);
        }
        six += address->any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
        link += address->any.sa_family == AF_PACKET;
    }
    CHECK_EQ(four, 1);
    CHECK_EQ(six, 1);
    CHECK_EQ(link, 1);
    freeifaddrs(all);
}

static void by_ioctl(void) {
    char name[IF_NAMESIZE];
    CHECK_EQ(if_nametoindex("lo"), 1);
    CHECK_STR(if_indextoname(1, name), "lo");
    CHECK_EQ(if_nametoindex("no-such"), 0);
    CHECK(if_indextoname(9999, name) == NULL && errno == ENXIO);
    int fd = new_socket(AF_INET, SOCK_DGRAM);
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strcpy(request.ifr_name, "lo");
    CHECK_OK(ioctl(fd, SIOCGIFFLAGS, &request));
    CHECK_EQ(request.ifr_flags & (IFF_UP | IFF_LOOPBACK), IFF_UP | IFF_LOOPBACK);
    CHECK_OK(ioctl(fd, SIOCGIFMTU, &request));
    CHECK_EQ(request.ifr_mtu, 65536);
    CHECK_OK(ioctl(fd, SIOCGIFADDR, &request));
    CHECK_EQ(ntohl(((struct sockaddr_in *)&request.ifr_addr)->sin_addr.s_addr), INADDR_LOOPBACK);
    CHECK_OK(ioctl(fd, SIOCGIFNETMASK, &request));
    CHECK_EQ(ntohl(((struct sockaddr_in *)&request.ifr_addr)->sin_addr.s_addr), 0xff000000);
    CHECK_OK(ioctl(fd, SIOCGIFHWADDR, &request));
    CHECK_EQ(request.ifr_hwaddr.sa_family, 772);
    struct ifreq list[16];
    struct ifconf configuration = {.ifc_len = sizeof list, .ifc_req = list};
    CHECK_OK(ioctl(fd, SIOCGIFCONF, &configuration));
    CHECK(configuration.ifc_len >= (int)sizeof *list);
    CHECK_STR(list[0].ifr_name, "lo");
    strcpy(request.ifr_name, "no-such");
    CHECK_ERR(ioctl(fd, SIOCGIFFLAGS, &request), ENODEV);
    CHECK_ERR(ioctl(fd, SIOCGIFADDR, &request), ENODEV);
    CHECK_ERR(ioctl(fd, SIOCGIFFLAGS, NULL), EFAULT);
    close(fd);
}

/* What one request is answered by: the type of the first message, and its error if it is one. */
static int asked(int fd, int type, int flags, const void *payload, size_t length, int *error) {
    struct {
        struct nlmsghdr header;
        char payload[64];
    } request = {.header = {.nlmsg_len = (uint32_t)NLMSG_LENGTH(length), .nlmsg_type = (uint16_t)type,
                            .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags), .nlmsg_seq = 7}};
    static char answer[16384] __attribute__((aligned(4)));
    memcpy(request.payload, payload, length);
    CHECK_EQ(send(fd, &request, request.header.nlmsg_len, 0), request.header.nlmsg_len);
    NEED(recv(fd, answer, sizeof answer, 0));
    struct nlmsghdr *header = (struct nlmsghdr *)answer;
    CHECK_EQ(header->nlmsg_seq, 7);
    *error = header->nlmsg_type == NLMSG_ERROR ? ((struct nlmsgerr *)NLMSG_DATA(header))->error : 0;
    return header->nlmsg_type;
}

static void by_netlink(void) {
    int error;
    CHECK_ERR(socket(AF_NETLINK, SOCK_STREAM, 0), ESOCKTNOSUPPORT);
    CHECK_ERR(socket(AF_NETLINK, SOCK_RAW, 33), EPROTONOSUPPORT);
    int fd = (int)NEED(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
    struct sockaddr_nl own = {.nl_family = AF_NETLINK};
    socklen_t length = sizeof own;
    CHECK_OK(bind(fd, (struct sockaddr *)&own, sizeof own));
    CHECK_OK(getsockname(fd, (struct sockaddr *)&own, &length));
    CHECK_EQ(length, sizeof own);
    CHECK(own.nl_pid != 0);
    struct ifinfomsg link = {.ifi_index = 1};
    CHECK_EQ(asked(fd, RTM_GETLINK, 0, &link, sizeof link, &error), RTM_NEWLINK);
    link.ifi_index = 9999;
    CHECK_EQ(asked(fd, RTM_GETLINK, 0, &link, sizeof link, &error), NLMSG_ERROR);
    CHECK_EQ(error, -ENODEV);
    CHECK_EQ(asked(fd, RTM_MAX + 50, 0, &link, sizeof link, &error), NLMSG_ERROR);
    CHECK_EQ(error, -EOPNOTSUPP);
    CHECK_EQ(asked(fd, NLMSG_NOOP, NLM_F_ACK, &link, sizeof link, &error), NLMSG_ERROR);
    CHECK_EQ(error, 0);
    CHECK_ERR(recv(fd, &error, sizeof error, MSG_DONTWAIT), EAGAIN);
    int wanted = 1;
    CHECK_OK(setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &wanted, sizeof wanted));
    CHECK_EQ(option_of(fd, SOL_NETLINK, NETLINK_EXT_ACK), 1);
    CHECK_EQ(option_of(fd, SOL_SOCKET, SO_DOMAIN), AF_NETLINK);
    CHECK_ERR(listen(fd, 1), EOPNOTSUPP);
    close(fd);
}

static int contains(const char *path, const char *wanted) {
    static char text[65536];
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return 0;
    size_t length = 0;
    ssize_t got;
    while ((got = read(fd, text + length, sizeof text - 1 - length)) > 0)
        length += (size_t)got;
    close(fd);
    text[length] = 0;
    return strstr(text, wanted) != NULL;
}

static void by_files(void) {
    CHECK(contains("/proc/net/dev", "    lo: "));
    CHECK(contains("/proc/net/if_inet6", "00000000000000000000000000000001 01 80 10 80       lo"));
    CHECK(contains("/proc/net/route", "Iface\tDestination\tGateway"));
    CHECK(contains("/sys/class/net/lo/address", "00:00:00:00:00:00"));
    CHECK(contains("/sys/class/net/lo/ifindex", "1\n"));
    CHECK(contains("/sys/class/net/lo/type", "772"));
    CHECK(contains("/proc/sys/net/ipv4/ip_local_port_range", "\t"));
    address_t own;
    struct stat facts;
    char line[128];
    int fd = bound_socket(AF_INET, SOCK_DGRAM, &own);
    NEED(fstat(fd, &facts));
    sprintf(line, "0100007F:%04X 00000000:0000 07", port_of(&own));
    CHECK(contains("/proc/net/udp", line));
    sprintf(line, " %lu 2 ", (unsigned long)facts.st_ino);
    CHECK(contains("/proc/net/udp", line));
    CHECK(contains("/proc/self/net/udp", line));
    close(fd);
}

int main(void) {
    by_getifaddrs();
    by_ioctl();
    by_netlink();
    by_files();
    return VERDICT();
}
