/* The smallest honest chat room over UDP: what forkroom's is compared with by `just bench chat`. It speaks the protocol of
 * lab 7, and every message costs it one sendto a member; with --mmsg, one sendmmsg for all of them.
 * What it lacks: it neither looks whether a text is UTF-8, nor gives reasons, nor notices who is gone. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { LONGEST = 1024, NAME = 32, MOST = 1024, RECEIVE = 4 * 1024 * 1024 };

static struct { struct sockaddr_in peer; char name[NAME + 1]; } members[MOST];
static int count, room, at_once;
static char out[LONGEST + 64];

static void die(const char *call) {
    perror(call);
    exit(1);
}

static int same(const struct sockaddr_in *a, const struct sockaddr_in *b) {
    return a->sin_port == b->sin_port && a->sin_addr.s_addr == b->sin_addr.s_addr;
}

static int find(const struct sockaddr_in *peer) {
    for (int i = 0; i < count; i++)
        if (same(&members[i].peer, peer))
            return i;
    return -1;
}

static int in_use(const char *name) {
    for (int i = 0; i < count; i++)
        if (!strcmp(members[i].name, name))
            return 1;
    return 0;
}

static void answer(const struct sockaddr_in *peer, const char *text) {
    sendto(room, text, strlen(text), 0, (void *)peer, sizeof *peer);
}

/* Sends what is in `out` to all but one. */
static void tell(int but, size_t len) {
    static struct mmsghdr all[MOST];
    struct iovec text = { out, len };
    int n = 0;
    for (int i = 0; i < count; i++) {
        if (i == but)
            continue;
        if (at_once)
            all[n++].msg_hdr = (struct msghdr){ .msg_name = &members[i].peer, .msg_namelen = sizeof members[i].peer,
                                                .msg_iov = &text, .msg_iovlen = 1 };
        else
            sendto(room, out, len, 0, (void *)&members[i].peer, sizeof members[i].peer);
    }
    for (int sent, from = 0; from < n; from += sent)
        if ((sent = sendmmsg(room, all + from, n - from, 0)) < 0)
            die("sendmmsg");
}

static void enter(const struct sockaddr_in *peer, const char *name) {
    size_t len = strlen(name);
    if (len < 1 || len > NAME || strchr(name, ' ') || count == MOST || find(peer) >= 0 || in_use(name))
        return;
    answer(peer, "OK");
    tell(-1, sprintf(out, "%s entered the chat room", name));
    members[count].peer = *peer;
    strcpy(members[count++].name, name);
}

static void leave(int who) {
    answer(&members[who].peer, "EXIT");
    size_t len = sprintf(out, "%s left the chat room", members[who].name);
    tell(who, len);
    memmove(&members[who], &members[who + 1], (--count - who) * sizeof *members);
}

static void hear(const struct sockaddr_in *peer, char *message) {
    char kind = message[0], *name = message + 2, *text = strchr(name, ' ');
    int who = find(peer);
    if (kind == 'L')
        enter(peer, name);
    if (kind == 'C' && text)
        *text++ = 0;
    if (who < 0 || strcmp(members[who].name, name))
        return;
    if (kind == 'Q')
        leave(who);
    if (kind == 'C' && text) {
        for (char *c = text; *c; c++)
            if ((unsigned char)*c < ' ' || *c == 127)
                *c = '?';
        tell(who, sprintf(out, "%s: %s", name, text));
    }
}

int main(int argc, char **argv) {
    struct sockaddr_in addr = { .sin_family = AF_INET };
    socklen_t len = sizeof addr;
    char host[16], message[LONGEST + 2];
    unsigned short port;
    int receive = RECEIVE;
    at_once = argc == 3 && !strcmp(argv[1], "--mmsg");
    if (argc != 2 + at_once || sscanf(argv[argc - 1], "%15[0-9.]:%hu", host, &port) != 2
        || inet_pton(AF_INET, host, &addr.sin_addr) != 1) {
        fputs("usage: room [--mmsg] IP:PORT\n", stderr);
        return 2;
    }
    addr.sin_port = htons(port);
    if ((room = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0
        || setsockopt(room, SOL_SOCKET, SO_RCVBUF, &receive, sizeof receive) < 0
        || bind(room, (void *)&addr, sizeof addr) < 0 || getsockname(room, (void *)&addr, &len) < 0)
        die("bind");
    printf("chat room on %s:%d\n", host, ntohs(addr.sin_port));
    fflush(stdout);
    for (;;) {
        struct sockaddr_in peer;
        len = sizeof peer;
        ssize_t n = recvfrom(room, message, LONGEST + 1, 0, (void *)&peer, &len);
        if (n < 3 || n > LONGEST || message[1] != ' ')
            continue;
        message[n] = 0;
        hear(&peer, message);
    }
}
