/* The smallest honest echo server on epoll, level-triggered: what forkroom's own are compared with by `just bench servers`.
 * What the kernel does not take at once is kept, and the client is read no further until it has been sent. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 64 * 1024, BATCH = 1024, BACKLOG = 4096 };

/* What a client is owed, by descriptor. */
static struct { char *bytes; size_t from, len; } *owed;
static char buffer[BUFFER];
static int ep;

static void die(const char *call) {
    perror(call);
    exit(1);
}

static void watch(int op, int fd, unsigned events) {
    struct epoll_event event = { .events = events, .data.fd = fd };
    if (epoll_ctl(ep, op, fd, &event) < 0)
        die("epoll_ctl");
}

static void drop(int fd) {
    free(owed[fd].bytes);
    memset(&owed[fd], 0, sizeof owed[fd]);
    close(fd);
}

/* How much the kernel has taken, or -1 if the client has gone. */
static ssize_t give(int fd, const char *bytes, size_t len) {
    ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
    return n < 0 && errno == EAGAIN ? 0 : n;
}

static void talk(int fd) {
    ssize_t len = read(fd, buffer, BUFFER);
    if (len < 0 && errno == EAGAIN)
        return;
    ssize_t n = len <= 0 ? -1 : give(fd, buffer, len);
    if (n < 0) {
        drop(fd);
    } else if (n < len) {
        owed[fd].len = len - n;
        owed[fd].from = 0;
        if (!(owed[fd].bytes = malloc(len - n)))
            die("malloc");
        memcpy(owed[fd].bytes, buffer + n, len - n);
        watch(EPOLL_CTL_MOD, fd, EPOLLOUT);
    }
}

static void pay(int fd) {
    ssize_t n = give(fd, owed[fd].bytes + owed[fd].from, owed[fd].len);
    if (n < 0) {
        drop(fd);
        return;
    }
    owed[fd].from += n;
    if ((owed[fd].len -= n) == 0) {
        free(owed[fd].bytes);
        owed[fd].bytes = NULL;
        watch(EPOLL_CTL_MOD, fd, EPOLLIN);
    }
}

static void let_in(int listener) {
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;)
        watch(EPOLL_CTL_ADD, fd, EPOLLIN);
}

static int listen_at(const char *text) {
    struct sockaddr_in addr = { .sin_family = AF_INET };
    char host[16], shown[16];
    unsigned short port;
    socklen_t len = sizeof addr;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (sscanf(text, "%15[0-9.]:%hu", host, &port) != 2 || inet_pton(AF_INET, host, &addr.sin_addr) != 1) {
        fputs("usage: echo IP:PORT\n", stderr);
        exit(2);
    }
    addr.sin_port = htons(port);
    /* The accepted sockets take TCP_NODELAY over from the listener. */
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0
        || bind(fd, (void *)&addr, sizeof addr) < 0 || listen(fd, BACKLOG) < 0
        || getsockname(fd, (void *)&addr, &len) < 0)
        die("listen");
    inet_ntop(AF_INET, &addr.sin_addr, shown, sizeof shown);
    printf("listening on %s:%d\n", shown, ntohs(addr.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv) {
    static struct epoll_event batch[BATCH];
    struct rlimit files;
    int listener = listen_at(argc == 2 ? argv[1] : "");
    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || !(owed = calloc(files.rlim_cur, sizeof *owed))
        || (ep = epoll_create1(EPOLL_CLOEXEC)) < 0)
        die("start");
    watch(EPOLL_CTL_ADD, listener, EPOLLIN);
    for (;;) {
        int n = epoll_wait(ep, batch, BATCH, -1), waiting = 0;
        if (n < 0 && errno != EINTR)
            die("epoll_wait");
        for (int i = 0; i < n; i++) {
            int fd = batch[i].data.fd;
            if (fd == listener)
                waiting = 1;
            else if (owed[fd].bytes)
                pay(fd);
            else
                talk(fd);
        }
        /* After the others: a new client may get the number of one that has just been closed. */
        if (waiting)
            let_in(listener);
    }
}
