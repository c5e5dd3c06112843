/* The loopback as programs see it: the SIOCGIF* ioctls, getifaddrs, names and indices, and raw route netlink. */
#include "net.h"
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>

static struct ifreq request(const char *name) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
    return request;
}

static void ioctls(void) {
    int fd = new_socket(AF_INET, SOCK_DGRAM);
    struct ifreq lo = request("lo");
    CHECK_OK(ioctl(fd, SIOCGIFINDEX, &lo));
    CHECK_EQ(lo.ifr_ifindex, 1);
    CHECK_OK(ioctl(fd, SIOCGIFNAME, &lo));
    CHECK_STR(lo.ifr_name, "lo");
    CHECK_OK(ioctl(fd, SIOCGIFFLAGS, &lo));
    CHECK_EQ(lo.ifr_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING), IFF_UP | IFF_LOOPBACK | IFF_RUNNING);
    CHECK_OK(ioctl(fd, SIOCGIFADDR, &lo));
    CHECK_EQ(((struct sockaddr_in *)&lo.ifr_addr)->sin_family, AF_INET);
    CHECK_EQ(((struct sockaddr_in *)&lo.ifr_addr)->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    CHECK_OK(ioctl(fd, SIOCGIFNETMASK, &lo));
    CHECK_EQ(((struct sockaddr_in *)&lo.ifr_netmask)->sin_addr.s_addr, htonl(0xff000000));
    CHECK_OK(ioctl(fd, SIOCGIFMTU, &lo));
    CHECK_EQ(lo.ifr_mtu, 65536);
    CHECK_OK(ioctl(fd, SIOCGIFHWADDR, &lo));
    CHECK_EQ(lo.ifr_hwaddr.sa_family, ARPHRD_LOOPBACK);
    struct ifreq none = request("none0");
    CHECK_ERR(ioctl(fd, SIOCGIFINDEX, &none), ENODEV);
    CHECK_ERR(ioctl(fd, SIOCGIFADDR, &none), ENODEV);
    none.ifr_ifindex = 9999;
    CHECK_ERR(ioctl(fd, SIOCGIFNAME, &none), ENODEV);
    CHECK_ERR(ioctl(fd, SIOCGIFINDEX, (void *)16), EFAULT);

    struct ifreq room[16];
    struct ifconf list = {.ifc_len = 0, .ifc_req = NULL};
    CHECK_OK(ioctl(fd, SIOCGIFCONF, &list));
    CHECK(list.ifc_len >= (int)sizeof room[0]);
    list = (struct ifconf){.ifc_len = sizeof room, .ifc_req = room};
    CHECK_OK(ioctl(fd, SIOCGIFCONF, &list));
    int found = 0;
    for (int i = 0; i < list.ifc_len / (int)sizeof room[0]; i++)
        found += strcmp(room[i].ifr_name, "lo") == 0;
    CHECK_EQ(found, 1);
    list.ifc_len = sizeof room[0] - 1;
    CHECK_OK(ioctl(fd, SIOCGIFCONF, &list));
    CHECK_EQ(list.ifc_len, 0);
    close(fd);
    /* On any socket, also of another family. */
    fd = new_socket(AF_UNIX, SOCK_DGRAM);
    lo = request("lo");
    CHECK_OK(ioctl(fd, SIOCGIFINDEX, &lo));
    close(fd);
}

static void library(void) {
    CHECK_EQ(if_nametoindex("lo"), 1);
    char name[IF_NAMESIZE] = "";
    CHECK_STR(if_indextoname(1, name), "lo");
    CHECK_EQ(if_nametoindex("none0"), 0);
    CHECK_EQ(errno, ENODEV);
    struct if_nameindex *names = if_nameindex();
    NEED(names ? 0 : -1);
    CHECK_STR(names[0].if_name, "lo");
    if_freenameindex(names);
    struct ifaddrs *all;
    NEED(getifaddrs(&all));
    int version4 = 0, version6 = 0, packet = 0;
    for (struct ifaddrs *one = all; one; one = one->ifa_next) {
        if (strcmp(one->ifa_name, "lo") != 0 || !one->ifa_addr)
            continue;
        CHECK(one->ifa_flags & IFF_LOOPBACK);
        address_t *address = (address_t *)one->ifa_addr;
        if (address->any.sa_family == AF_INET && address->v4.sin_addr.s_addr == htonl(INADDR_LOOPBACK)) {
            version4++;
            CHECK_EQ(((struct sockaddr_in *)one->ifa_netmask)->sin_addr.s_addr, htonl(0xff000000));
        }
        version6 += address->any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
        packet += address->any.sa_family == AF_PACKET;
    }
    CHECK_EQ(version4, 1);
    CHECK_EQ(version6, 1);
    CHECK_EQ(packet, 1);
    freeifaddrs(all);
}

/* Asks for a dump and counts the answers of the kind; checks sequence number, port and NLM_F_MULTI. */
static int dump(int fd, int kind, int answer_kind, int family) {
    struct {
        struct nlmsghdr header;
        struct rtgenmsg body;
    } ask = {{NLMSG_LENGTH(sizeof(struct rtgenmsg)), (uint16_t)kind, NLM_F_REQUEST | NLM_F_DUMP, 77, 0},
             {(unsigned char)family}};
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK}, own = {0};
    socklen_t length = sizeof own;
    NEED(sendto(fd, &ask, ask.header.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof kernel));
    NEED(getsockname(fd, (struct sockaddr *)&own, &length));
    static char room[65536];
    int count = 0;
    for (;;) {
        int left = (int)NEED(recv(fd, room, sizeof room, 0));
        for (struct nlmsghdr *h = (struct nlmsghdr *)room; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
            CHECK_EQ(h->nlmsg_seq, 77);
            CHECK_EQ(h->nlmsg_pid, own.nl_pid);
            CHECK(h->nlmsg_flags & NLM_F_MULTI);
            if (h->nlmsg_type == NLMSG_DONE)
                return count;
            if (h->nlmsg_type == NLMSG_ERROR)
                return -1;
            CHECK_EQ(h->nlmsg_type, answer_kind);
            count++;
        }
    }
}

static void netlink(void) {
    int fd = (int)NEED(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    struct sockaddr_nl own = {.nl_family = AF_NETLINK};
    NEED(bind(fd, (struct sockaddr *)&own, sizeof own));
    CHECK(dump(fd, RTM_GETLINK, RTM_NEWLINK, AF_UNSPEC) >= 1);
    CHECK(dump(fd, RTM_GETADDR, RTM_NEWADDR, AF_UNSPEC) >= 2);
    CHECK(dump(fd, RTM_GETADDR, RTM_NEWADDR, AF_INET) >= 1);
    CHECK(dump(fd, RTM_GETROUTE, RTM_NEWROUTE, AF_INET) >= 1);
    CHECK_ERR(recv(fd, &own, sizeof own, MSG_DONTWAIT), EAGAIN);
    close(fd);
    CHECK_ERR(socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE), ESOCKTNOSUPPORT);
    CHECK_ERR(socket(AF_NETLINK, SOCK_RAW, 77), EPROTONOSUPPORT);
}

int main(void) {
    ioctls();
    library();
    netlink();
    return VERDICT();
}
