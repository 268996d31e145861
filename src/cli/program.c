/* SPDX-License-Identifier: MIT
 * posix_spawn and not fork: fork handlers would close what the command shall
 * inherit. A pipe that nobody writes to tells whether anyone who inherited it
 * is left: it ends with the last of them. */
#include "cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/command.h"
#include "cli/speak.h"

static const int signals[] = {SIGINT, SIGQUIT, SIGTERM,
                              SIGHUP, SIGUSR1, SIGUSR2};
enum { N_SIGNALS = sizeof signals / sizeof signals[0] };

static volatile sig_atomic_t child;

/* The terminal signals its whole foreground group, the command included. */
static void
forward(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (child > 0 && info->si_code != SI_KERNEL)
        kill((pid_t)child, number);
}

static void
set_mask(sigset_t *ret)
{
    sigemptyset(ret);
    for (int i = 0; i < N_SIGNALS; i++)
        sigaddset(ret, signals[i]);
}

/* What was ignored at the start stays ignored, here and in the command. */
static void
catch_signals(void)
{
    for (int i = 0; i < N_SIGNALS; i++) {
        struct sigaction now, new = {.sa_sigaction = forward,
                                     .sa_flags = SA_SIGINFO | SA_RESTART};
        sigemptyset(&new.sa_mask);
        if (sigaction(signals[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
            sigaction(signals[i], &new, NULL);
    }
    struct sigaction plain = {.sa_handler = SIG_DFL};
    sigaction(SIGCHLD, &plain, NULL); /* ignored, it would hide the end */
}

static int
spawn(char *const *argv, const posix_spawnattr_t *attributes, pid_t *ret)
{
    int rc = posix_spawnp(ret, argv[0], NULL, attributes, argv, environ);
    if (rc != ENOEXEC)
        return rc;
    /* A script without "#!": the shell runs those itself. */
    size_t n = 0;
    while (argv[n])
        n++;
    RLK_AUTOFREE char **shell = rlk_calloc(n + 4, sizeof *shell);
    if (!shell)
        return ENOMEM;
    char name[] = "sh", option[] = "-c", run[] = "exec \"$0\" \"$@\"";
    shell[0] = name;
    shell[1] = option;
    shell[2] = run;
    memcpy(shell + 3, argv, n * sizeof *argv);
    return posix_spawn(ret, "/bin/sh", NULL, attributes, shell, environ);
}

/* Started with the signals blocked, so that none comes before child is set. */
static int
start(char *const *argv)
{
    sigset_t block, before;
    posix_spawnattr_t attributes;
    set_mask(&block);
    sigprocmask(SIG_BLOCK, &block, &before);
    catch_signals();
    int rc = posix_spawnattr_init(&attributes);
    if (rc == 0) {
        posix_spawnattr_setsigmask(&attributes, &before);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
        pid_t pid;
        rc = spawn(argv, &attributes, &pid);
        if (rc == 0)
            child = pid;
        posix_spawnattr_destroy(&attributes);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return rc;
}

/* Until the program ends; a kernel without pidfds watches nothing. */
static void
watch_it(pid_t pid, const struct rlk_program_watch *watch)
{
    struct pollfd fds[] = {{.fd = pidfd_open(pid, 0), .events = POLLIN},
                           {.fd = watch->fd, .events = POLLIN}};
    while (fds[0].fd >= 0 && !fds[0].revents) {
        if (poll(fds, 2, -1) < 0) {
            fds[0].revents = 0; /* a signal, which was passed on */
            continue;
        }
        if (fds[1].revents && !watch->on_news(watch->arg))
            fds[1].fd = -1;
    }
    if (fds[0].fd >= 0)
        close(fds[0].fd);
}

static int
wait_for_end(const struct rlk_program_watch *watch)
{
    int status = 0;
    pid_t pid = (pid_t)child;
    if (watch)
        watch_it(pid, watch);
    /* Looked at before it is reaped: its number cannot be another's then. */
    siginfo_t info;
    while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) &&
           errno == EINTR) {
    }
    child = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status))
        return RLK_EXIT_SIGNAL + WTERMSIG(status);
    return WEXITSTATUS(status);
}

static bool
is_inherited(int pipe_end)
{
    struct pollfd p = {pipe_end, POLLIN, 0};
    return poll(&p, 1, 0) == 0;
}

static int
say_cannot_run(const char *name, int number)
{
    rowlock_error err = {0};
    errno = number;
    rlk_fail_errno(&err, ROWLOCK_IO, "could not run \"%s\"", name);
    if (number == ENOENT)
        rlk_hint(&err, "What follows \"--\" is a command with its arguments; "
                       "for a line of the shell write -- sh -c 'LINE'.");
    rlk_speak_error("lock", &err);
    return number == ENOENT ? RLK_EXIT_NOT_FOUND : RLK_EXIT_CANNOT_RUN;
}

int
rlk_program_run(char *const *argv, const struct rlk_program_watch *watch,
                bool *ret_left)
{
    int ends[2] = {-1, -1};
    *ret_left = false;
    /* Without a pipe we only cannot tell who is left. */
    bool piped = pipe(ends) == 0;
    if (piped)
        fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    int rc = start(argv);
    if (piped)
        close(ends[1]);
    int status = rc ? say_cannot_run(argv[0], rc) : wait_for_end(watch);
    *ret_left = rc == 0 && piped && is_inherited(ends[0]);
    if (piped)
        close(ends[0]);
    return status;
}
