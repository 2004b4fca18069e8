// Right for every step of lab 5: the whole lab in C.
// A format becomes an array of fields, a record is a buffer, and each peer has one of its own.

#define _GNU_SOURCE

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LIMIT = 1 << 20, PAUSE = 1000 };

// Writes it all. Tells whether that was possible.
static bool put(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, bytes, length);
        if (n >= 0) {
            bytes += n;
            length -= (size_t)n;
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

// Tells in one line, and ends.
static _Noreturn void end(const char *what, const char *why, int status)
{
    char line[256];
    int length = snprintf(line, sizeof line, "struct: %s%s\n", what, why);
    put(STDERR_FILENO, line, (size_t)length);
    exit(status);
}

static _Noreturn void fail(const char *call)
{
    char what[64];
    snprintf(what, sizeof what, "%s: ", call);
    end(what, strerror(errno), 1);
}

static _Noreturn void refuse(const char *what)
{
    end(what, "", 2);
}

static void *enough(void *memory, size_t size)
{
    memory = realloc(memory, size + 1);
    if (memory == NULL)
        fail("realloc");
    return memory;
}

// Text that grows.
struct text {
    char *bytes;
    size_t length, room;
};

static void add(struct text *text, const char *bytes, size_t length)
{
    if (text->length + length > text->room) {
        text->room = 2 * (text->length + length);
        text->bytes = enough(text->bytes, text->room);
    }
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

static void say(struct text *line)
{
    add(line, "\n", 1);
    if (!put(STDOUT_FILENO, line->bytes, line->length))
        fail("write");
    line->length = 0;
}

// Fields of one code; `s` has one value of `size` bytes.
struct field {
    char code;
    size_t count, size, offset;
};

struct format {
    struct field *fields;
    size_t length, size, values;
    bool native, big;
};

static size_t native_size(char code)
{
    switch (code) {
    case 'x': case 'c': case 's': case 'b': case 'B': return 1;
    case '?': return sizeof(_Bool);
    case 'h': case 'H': return sizeof(short);
    case 'i': case 'I': return sizeof(int);
    case 'l': case 'L': return sizeof(long);
    case 'q': case 'Q': return sizeof(long long);
    case 'f': return sizeof(float);
    case 'd': return sizeof(double);
    default: return 0;
    }
}

#define ALIGNMENT(type) offsetof(struct { char c; type t; }, t)

static size_t alignment(char code)
{
    switch (code) {
    case 'h': case 'H': return ALIGNMENT(short);
    case 'i': case 'I': return ALIGNMENT(int);
    case 'l': case 'L': return ALIGNMENT(long);
    case 'q': case 'Q': return ALIGNMENT(long long);
    case 'f': return ALIGNMENT(float);
    case 'd': return ALIGNMENT(double);
    default: return 1;
    }
}

static size_t standard_size(char code)
{
    return code == 'l' || code == 'L' ? 4 : native_size(code);
}

static bool little_here(void)
{
    return *(const char *)&(const short){1} == 1;
}

static struct format parse(const char *text)
{
    struct format format = {.native = true, .big = !little_here()};
    if (*text != '\0' && strchr("@=<>!", *text) != NULL) {
        format.native = *text == '@';
        format.big = *text == '>' || *text == '!' || (*text != '<' && !little_here());
        text++;
    }
    format.fields = enough(NULL, strlen(text) * sizeof(struct field));
    for (; *text != '\0'; text++) {
        if (strchr(" \t\n\v\f\r", *text) != NULL)
            continue;
        size_t count = 0, bytes;
        bool counted = isdigit((unsigned char)*text);
        for (; isdigit((unsigned char)*text); text++)
            if (__builtin_mul_overflow(count, 10, &count) || __builtin_add_overflow(count, *text - '0', &count))
                refuse("a count overflows");
        if (*text == '\0')
            refuse("a count and no code");
        size_t size = format.native ? native_size(*text) : standard_size(*text);
        size_t align = format.native ? alignment(*text) : 1;
        if (size == 0)
            refuse("an unknown code");
        if (!counted)
            count = 1;
        size_t offset = (format.size + align - 1) / align * align;
        if (__builtin_mul_overflow(count, size, &bytes) || __builtin_add_overflow(offset, bytes, &format.size)
            || format.size > PTRDIFF_MAX)
            refuse("the size overflows");
        if (*text == 'x')
            continue;
        struct field field = {*text, count, size, offset};
        if (*text == 's')
            field = (struct field){'s', 1, bytes, offset};
        format.fields[format.length++] = field;
        format.values += field.count;
    }
    return format;
}

// Brings the bytes of a number from this machine's order into the format's, or back.
static void arrange(const struct format *format, unsigned char *number, size_t size)
{
    if (format->big == !little_here())
        return;
    for (size_t i = 0; i < size / 2; i++) {
        unsigned char byte = number[i];
        number[i] = number[size - 1 - i];
        number[size - 1 - i] = byte;
    }
}

static void pack_integer(const char *text, bool is_signed, size_t size, unsigned char *place)
{
    unsigned __int128 n = 0;
    bool negative = *text == '-';
    const char *digits = text + (*text == '-' || *text == '+');
    if (*digits == '\0')
        refuse("not an integer");
    for (; *digits != '\0'; digits++) {
        if (!isdigit((unsigned char)*digits))
            refuse("not an integer");
        if (n < (unsigned __int128)1 << 70)
            n = n * 10 + (unsigned)(*digits - '0');
    }
    unsigned __int128 half = (unsigned __int128)1 << (8 * size - 1);
    unsigned __int128 most = is_signed ? (negative ? half : half - 1) : (negative ? 0 : 2 * half - 1);
    if (n > most)
        refuse("an integer that does not fit");
    uint64_t bits = negative ? -(uint64_t)n : (uint64_t)n;
    for (size_t i = 0; i < size; i++)
        place[little_here() ? i : size - 1 - i] = (unsigned char)(bits >> 8 * i);
}

static void pack_float(const struct format *format, const char *text, size_t size, unsigned char *place)
{
    char *rest;
    double n = strtod(text, &rest);
    if (*text == '\0' || *rest != '\0' || strpbrk(text, "xXpP( \t\n\v\f\r") != NULL)
        refuse("not a number");
    if (size == sizeof n) {
        memcpy(place, &n, size);
        return;
    }
    float narrow = (float)n;
    if (!format->native && isinf(narrow) && !isinf(n))
        refuse("a number that does not fit");
    memcpy(place, &narrow, size);
}

static void pack_value(const struct format *format, const struct field *field, const char *text, unsigned char *place)
{
    size_t length = strlen(text);
    switch (field->code) {
    case 's':
        memcpy(place, text, length < field->size ? length : field->size);
        break;
    case 'c':
        if (length != 1)
            refuse("not one byte");
        *place = (unsigned char)*text;
        break;
    case '?':
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
            refuse("neither true nor false");
        *place = *text == 't';
        break;
    case 'f': case 'd':
        pack_float(format, text, field->size, place);
        arrange(format, place, field->size);
        break;
    default:
        pack_integer(text, islower((unsigned char)field->code), field->size, place);
        arrange(format, place, field->size);
    }
}

static unsigned char *pack(const struct format *format, char **texts, size_t count)
{
    if (count != format->values)
        refuse("another number of values");
    unsigned char *record = enough(NULL, format->size);
    memset(record, 0, format->size);
    for (size_t i = 0; i < format->length; i++) {
        const struct field *field = &format->fields[i];
        for (size_t j = 0; j < field->count; j++)
            pack_value(format, field, *texts++, record + field->offset + j * field->size);
    }
    return record;
}

// The fewest digits that stand for this number; an exponent where Rust's {:?} has one.
static void show_float(struct text *line, double n, bool single)
{
    char digits[40], out[64];
    if (isnan(n) || isinf(n)) {
        const char *name = isnan(n) ? "NaN" : n < 0 ? "-inf" : "inf";
        add(line, name, strlen(name));
        return;
    }
    int precision = 0;
    do
        snprintf(digits, sizeof digits, "%.*e", precision++, fabs(n));
    while (single ? strtof(digits, NULL) != (float)fabs(n) : strtod(digits, NULL) != fabs(n));
    int exponent = atoi(strchr(digits, 'e') + 1);
    const char *sign = signbit(n) ? "-" : "";
    if (n != 0 && (exponent < -4 || exponent >= 16)) {
        *strchr(digits, 'e') = '\0';
        snprintf(out, sizeof out, "%s%se%d", sign, digits, exponent);
    } else {
        int places = precision - 1 - exponent;
        snprintf(out, sizeof out, "%s%.*f", sign, places > 1 ? places : 1, strtod(digits, NULL));
    }
    add(line, out, strlen(out));
}

static void show_bytes(struct text *line, const unsigned char *bytes, size_t length)
{
    add(line, "\"", 1);
    for (size_t i = 0; i < length; i++) {
        char out[8];
        const char *special = bytes[i] != '\0' ? strchr("\tt\rr\nn\"\"''\\\\", bytes[i]) : NULL;
        if (special != NULL && strchr("\t\r\n\"'\\", bytes[i]) != NULL)
            snprintf(out, sizeof out, "\\%c", special[1]);
        else if (bytes[i] >= 0x20 && bytes[i] < 0x7f)
            snprintf(out, sizeof out, "%c", bytes[i]);
        else
            snprintf(out, sizeof out, "\\x%02x", bytes[i]);
        add(line, out, strlen(out));
    }
    add(line, "\"", 1);
}

static void show_number(struct text *line, const struct format *format, const struct field *field, const unsigned char *place)
{
    unsigned char bytes[8];
    memcpy(bytes, place, field->size);
    arrange(format, bytes, field->size);
    if (field->code == 'f') {
        float n;
        memcpy(&n, bytes, sizeof n);
        show_float(line, n, true);
        return;
    }
    if (field->code == 'd') {
        double n;
        memcpy(&n, bytes, sizeof n);
        show_float(line, n, false);
        return;
    }
    uint64_t bits = 0;
    for (size_t i = 0; i < field->size; i++)
        bits |= (uint64_t)bytes[little_here() ? i : field->size - 1 - i] << 8 * i;
    char out[32];
    int unused = 64 - 8 * (int)field->size;
    if (islower((unsigned char)field->code))
        snprintf(out, sizeof out, "%lld", (long long)(bits << unused) >> unused);
    else
        snprintf(out, sizeof out, "%llu", (unsigned long long)bits);
    add(line, out, strlen(out));
}

static void show(struct text *line, const struct format *format, const unsigned char *record)
{
    const char *between = "(";
    if (format->values == 0)
        add(line, "(", 1);
    for (size_t i = 0; i < format->length; i++) {
        const struct field *field = &format->fields[i];
        for (size_t j = 0; j < field->count; j++, between = ", ") {
            const unsigned char *place = record + field->offset + j * field->size;
            add(line, between, strlen(between));
            if (field->code == 's' || field->code == 'c')
                show_bytes(line, place, field->size);
            else if (field->code == '?')
                add(line, *place ? "true" : "false", *place ? 4 : 5);
            else
                show_number(line, format, field, place);
        }
    }
    add(line, ")", 1);
}

static void unpack(const struct format *format, const char *hex)
{
    if (strlen(hex) != 2 * format->size)
        refuse("hex of the wrong length");
    unsigned char *record = enough(NULL, format->size);
    for (size_t i = 0; i < format->size; i++) {
        if (!isxdigit((unsigned char)hex[2 * i]) || !isxdigit((unsigned char)hex[2 * i + 1]))
            refuse("not a hex digit");
        record[i] = (unsigned char)strtol((char[]){hex[2 * i], hex[2 * i + 1], '\0'}, NULL, 16);
    }
    struct text line = {0};
    show(&line, format, record);
    say(&line);
}

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static union address address(const char *text)
{
    union address address = {0};
    const char *colon = strrchr(text, ':');
    char host[64], *rest;
    size_t length = colon != NULL ? (size_t)(colon - text) : 0;
    if (colon == NULL || length >= sizeof host || !isdigit((unsigned char)colon[1]))
        refuse("not an address");
    unsigned long port = strtoul(colon + 1, &rest, 10);
    memcpy(host, text, length);
    host[length] = '\0';
    bool v6 = length > 1 && host[0] == '[' && host[length - 1] == ']';
    if (v6)
        host[length - 1] = '\0';
    int family = v6 ? AF_INET6 : AF_INET;
    void *place = v6 ? (void *)&address.v6.sin6_addr : (void *)&address.v4.sin_addr;
    if (*rest != '\0' || port > 65535 || inet_pton(family, host + v6, place) != 1)
        refuse("not an address");
    address.any.sa_family = (sa_family_t)family;
    *(v6 ? &address.v6.sin6_port : &address.v4.sin_port) = htons((uint16_t)port);
    return address;
}

static void show_address(struct text *line, const union address *address)
{
    char host[64], out[80];
    bool v6 = address->any.sa_family == AF_INET6;
    inet_ntop(address->any.sa_family, v6 ? (const void *)&address->v6.sin6_addr : (const void *)&address->v4.sin_addr, host, sizeof host);
    snprintf(out, sizeof out, v6 ? "[%s]:%d" : "%s:%d", host, ntohs(v6 ? address->v6.sin6_port : address->v4.sin_port));
    add(line, out, strlen(out));
}

static void send_record(const union address *to, const unsigned char *record, size_t size)
{
    int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1)
        fail("socket");
    while (connect(fd, &to->any, sizeof *to) == -1)
        if (errno != EINTR)
            fail("connect");
    while (size > 0) {
        ssize_t n = send(fd, record, size, MSG_NOSIGNAL);
        if (n == -1 && errno != EINTR)
            fail("send");
        if (n > 0) {
            record += n;
            size -= (size_t)n;
        }
    }
}

struct peer {
    int fd;
    union address name;
    unsigned char *begun;
    size_t length;
};

static struct peer *peers;
static struct pollfd *fds; // signals, listener, peers
static size_t count;

static void part(struct peer *peer, size_t size)
{
    if (peer->length > 0) {
        struct text line = {0};
        char out[64];
        add(&line, "struct: ", 8);
        show_address(&line, &peer->name);
        snprintf(out, sizeof out, ": record cut short: %zu of %zu bytes\n", peer->length, size);
        add(&line, out, strlen(out));
        put(STDERR_FILENO, line.bytes, line.length);
        free(line.bytes);
    }
    close(peer->fd);
    free(peer->begun);
}

// Reads no more than the record that has begun needs; what is left in the socket makes poll return at once.
static bool talk(struct peer *peer, const struct format *format, struct text *line)
{
    ssize_t n = recv(peer->fd, peer->begun + peer->length, format->size - peer->length, MSG_DONTWAIT);
    if (n == -1 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n <= 0) {
        part(peer, format->size);
        return false;
    }
    peer->length += (size_t)n;
    if (peer->length == format->size) {
        show_address(line, &peer->name);
        add(line, " ", 1);
        show(line, format, peer->begun);
        say(line);
        peer->length = 0;
    }
    return true;
}

// Tells whether it makes sense to go on listening.
static bool accept_all(int listener, const struct format *format)
{
    for (;;) {
        struct peer peer = {0};
        socklen_t length = sizeof peer.name;
        peer.fd = accept4(listener, &peer.name.any, &length, SOCK_CLOEXEC);
        if (peer.fd == -1) {
            if (errno == EAGAIN)
                return true;
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                return false;
            continue; // that peer had gone already
        }
        peer.begun = enough(NULL, format->size);
        peers = enough(peers, (count + 1) * sizeof *peers);
        peers[count++] = peer;
    }
}

static int listen_at(union address *at)
{
    int fd = socket(at->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t length = sizeof *at;
    if (fd == -1)
        fail("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(fd, &at->any, length) == -1)
        fail("bind");
    if (listen(fd, 4096) == -1)
        fail("listen");
    if (getsockname(fd, &at->any, &length) == -1)
        fail("getsockname");
    return fd;
}

static void recv_records(union address at, const struct format *format)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    int signals = signalfd(-1, &ends, SFD_CLOEXEC), listener = listen_at(&at);
    struct text line = {0};
    add(&line, "listening on ", 13);
    show_address(&line, &at);
    say(&line);
    bool accepting = true;
    for (;;) {
        fds = enough(fds, (count + 2) * sizeof *fds);
        fds[0] = (struct pollfd){signals, POLLIN, 0};
        fds[1] = (struct pollfd){listener, accepting ? POLLIN : 0, 0};
        for (size_t i = 0; i < count; i++)
            fds[i + 2] = (struct pollfd){peers[i].fd, POLLIN, 0};
        int ready = poll(fds, count + 2, accepting || count > 0 ? -1 : PAUSE);
        if (ready == -1 && errno != EINTR)
            fail("poll");
        if (ready == -1)
            continue;
        if (fds[0].revents != 0)
            return;
        size_t before = count;
        count = 0;
        for (size_t i = 0; i < before; i++)
            if (fds[i + 2].revents == 0 || talk(&peers[i], format, &line))
                peers[count++] = peers[i];
        accepting = accepting || count < before || ready == 0;
        if (fds[1].revents != 0)
            accepting = accept_all(listener, format);
    }
}

static struct format bounded(const char *text, bool on_the_wire)
{
    struct format format = parse(text);
    if (format.size > LIMIT)
        refuse("a record over 1 MiB");
    if (on_the_wire && format.size == 0)
        refuse("a record of 0 bytes");
    return format;
}

int main(int argc, char **argv)
{
    static const char USAGE[] = "usage: lab-struct calcsize FMT | pack FMT VALUE... | unpack FMT HEX | recv ADDR FMT | send ADDR FMT VALUE...";
    const char *step = argc > 1 ? argv[1] : "";
    struct text line = {0};
    if (strcmp(step, "--help") == 0 && argc == 2) {
        add(&line, USAGE, strlen(USAGE));
        say(&line);
    } else if (strcmp(step, "calcsize") == 0 && argc == 3) {
        char out[32];
        snprintf(out, sizeof out, "%zu", parse(argv[2]).size);
        add(&line, out, strlen(out));
        say(&line);
    } else if (strcmp(step, "pack") == 0 && argc >= 3) {
        struct format format = bounded(argv[2], false);
        unsigned char *record = pack(&format, argv + 3, (size_t)argc - 3);
        for (size_t i = 0; i < format.size; i++) {
            char out[3];
            snprintf(out, sizeof out, "%02x", record[i]);
            add(&line, out, 2);
        }
        say(&line);
    } else if (strcmp(step, "unpack") == 0 && argc == 4) {
        struct format format = bounded(argv[2], false);
        unpack(&format, argv[3]);
    } else if (strcmp(step, "recv") == 0 && argc == 4) {
        union address at = address(argv[2]);
        struct format format = bounded(argv[3], true);
        recv_records(at, &format);
    } else if (strcmp(step, "send") == 0 && argc >= 4) {
        union address to = address(argv[2]);
        struct format format = bounded(argv[3], true);
        send_record(&to, pack(&format, argv + 4, (size_t)argc - 4), format.size);
    } else {
        refuse(USAGE);
    }
}
