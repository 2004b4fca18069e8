// Right for every step of lab 1: the whole lab in C.
// The functions below are the system's own, so that each can be looked up as it stands: `man 2 fork`, `man 3 exit`.

#define _GNU_SOURCE

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static const char USAGE[] =
    "usage: lab-fork twice | pids | memory | flush | exit return|exit|_exit 0..255 | family 0..64";

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

// Tells the user in one line, written at once. If stderr cannot be written to either, nobody is left to be told.
static void tell(const char *what, const char *why)
{
    char line[256];
    int length = snprintf(line, sizeof line, "fork: %s%s\n", what, why);
    put(STDERR_FILENO, line, (size_t)length);
}

// Waits until no child is left. Tells whether all of them succeeded.
static bool reap_all(void)
{
    bool all = true;
    for (;;) {
        int status;
        if (wait(&status) != -1) {
            all = all && WIFEXITED(status) && WEXITSTATUS(status) == 0;
        } else if (errno != EINTR) {
            return all && errno == ECHILD;
        }
    }
}

// Reports that a call failed. The caller's children are reaped first, so that none outlives the failure. `_exit`, because
// what is still in the buffers belongs to the parent, or to a job that has failed.
static _Noreturn void fail(const char *call)
{
    const char *reason = strerror(errno);
    reap_all();
    tell(call, reason);
    _exit(1);
}

// A child that failed has said why itself.
static void expect_success(bool all)
{
    if (!all)
        _exit(1);
}

// Writes a line at once, past the buffer of stdout.
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    char line[sizeof USAGE + 1]; // The usage is the longest of all lines.
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    line[length++] = '\n';
    if (!put(STDOUT_FILENO, line, (size_t)length))
        fail("write: ");
}

static pid_t must_fork(void)
{
    pid_t pid = fork();
    if (pid == -1)
        fail("fork: ");
    return pid;
}

static int twice(void)
{
    say("before");
    if (must_fork() == 0) {
        say("child: after");
        _exit(0);
    }
    say("parent: after");
    expect_success(reap_all());
    return 0;
}

static int pids(void)
{
    pid_t child = must_fork();
    if (child == 0) {
        say("child: pid %d, parent %d", (int)getpid(), (int)getppid());
        _exit(0);
    }
    say("parent: pid %d, child %d", (int)getpid(), (int)child);
    expect_success(reap_all());
    return 0;
}

static int memory(void)
{
    int a = 1;
    if (must_fork() == 0) {
        a = 10000;
        say("child: a = %d", a);
        _exit(0);
    }
    expect_success(reap_all());
    say("parent: a = %d", a);
    return 0;
}

static int flush(void)
{
    fputs("once ", stdout);
    if (fflush(stdout) == EOF)
        fail("write: ");
    if (must_fork() == 0) {
        say("child");
        _exit(0);
    }
    expect_success(reap_all());
    say("parent");
    return 0;
}

// What C has of Rust's `Drop`: run when the variable's block is left, but not by exit(3), which never comes back to it.
static void drop(const int *held)
{
    (void)held;
    fputs(" dropped", stdout);
}

static int leave(const char *how, int code)
{
    __attribute__((cleanup(drop))) const int held = 0;
    (void)held;
    fputs("buffered", stdout);
    if (strcmp(how, "exit") == 0)
        exit(code);
    if (strcmp(how, "_exit") == 0)
        _exit(code);
    return code;
}

static int family(int n)
{
    for (int i = 1; i <= n; i++) {
        if (must_fork() == 0) {
            say("child %d: pid %d", i, (int)getpid());
            _exit(0);
        }
    }
    expect_success(reap_all());
    say("parent: %d children", n);
    return 0;
}

static _Noreturn void usage(const char *what)
{
    tell(what, USAGE);
    _exit(2);
}

// The number from 0 to `max` that `text` stands for.
static int number(const char *text, unsigned long max)
{
    char *end;
    size_t digits = strspn(text, "0123456789");
    unsigned long n = strtoul(text, &end, 10);
    if (digits == 0 || text[digits] != '\0' || n > max)
        usage("a number is missing or out of range; ");
    return (int)n;
}

static bool is_way_to_exit(const char *name)
{
    return strcmp(name, "return") == 0 || strcmp(name, "exit") == 0 || strcmp(name, "_exit") == 0;
}

static int run(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(void);
    } steps[] = {{"twice", twice}, {"pids", pids}, {"memory", memory}, {"flush", flush}};

    if (argc < 2)
        usage("which step?; ");
    for (size_t i = 0; argc == 2 && i < sizeof steps / sizeof steps[0]; i++) {
        if (strcmp(argv[1], steps[i].name) == 0)
            return steps[i].run();
    }
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        say("%s", USAGE);
        return 0;
    }
    if (argc == 4 && strcmp(argv[1], "exit") == 0 && is_way_to_exit(argv[2]))
        return leave(argv[2], number(argv[3], 255));
    if (argc == 3 && strcmp(argv[1], "family") == 0)
        return family(number(argv[2], 64));
    usage("no such step; ");
}

int main(int argc, char **argv)
{
    // A parent may have left it ignored, and exec passes that on.
    signal(SIGPIPE, SIG_DFL);
    int code = run(argc, argv);
    // exit(3) flushes too, but tells nobody when that fails.
    if (fflush(stdout) == EOF)
        fail("write: ");
    return code;
}
