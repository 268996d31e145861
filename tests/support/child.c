/* SPDX-License-Identifier: MIT
 * Children. Each has one socket pair of whole messages to its parent: a step is
 * told on one side and heard on the other. Invariant: only the child holds its
 * own end, so its death reads as the end of the line, and no call waits for a
 * dead child until the limit. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/internal.h"
#include "support/support.h"

static int parent_link = -1; /* in a child: its end */

/* In the fork: become the child, run, and never return. */
static void
run_child(int link, pid_t parent, void (*body)(void *arg), void *arg)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before the line above */
        _exit(SUPPORT_CHILD_FAILED);
    support_in_child = true;
    parent_link = link;
    body(arg);
    fflush(NULL);
    _exit(0);
}

void
child_start(struct child *ret, void (*body)(void *arg), void *arg)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
        support_fail("could not make a socket pair: %s", strerror(errno));
    fflush(NULL);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        support_fail("could not fork: %s", strerror(errno));
    if (pid == 0) {
        close(ends[0]);
        run_child(ends[1], parent, body, arg);
    }
    close(ends[1]);
    ret->pid = pid;
    ret->link = ends[0];
    ret->handle = (int)syscall(SYS_pidfd_open, pid, 0);
    if (ret->handle < 0)
        support_fail("could not open a pidfd: %s", strerror(errno));
}

static bool
is_ready(int fd, int limit_ms)
{
    int64_t end = support_now_ms() + limit_ms;
    for (;;) {
        int64_t left = end - support_now_ms();
        struct pollfd p = {fd, POLLIN, 0};
        int n = poll(&p, 1, left > 0 ? (int)left : 0);
        if (n >= 0 || errno != EINTR)
            return n > 0;
    }
}

static void
send_text(int link, const char *format, va_list args)
{
    char text[SUPPORT_TEXT];
    int len = vsnprintf(text, sizeof text, format, args);
    if (len < 0 || len >= SUPPORT_TEXT)
        support_fail("a message is too long: \"%s\"", format);
    if (send(link, text, (size_t)len + 1, MSG_NOSIGNAL) < 0)
        support_fail("could not tell \"%s\": %s", text, strerror(errno));
}

static void
receive_text(int link, const char *expected, char ret_text[SUPPORT_TEXT])
{
    const char *wanted = expected ? expected : "a message";
    if (!is_ready(link, SUPPORT_LIMIT_S * 1000))
        support_fail("waited %d s in vain for \"%s\"", SUPPORT_LIMIT_S, wanted);
    ssize_t len = recv(link, ret_text, SUPPORT_TEXT, 0);
    if (len <= 0)
        support_fail("the other side ended before it said \"%s\"", wanted);
    if (expected && strcmp(ret_text, expected) != 0)
        support_fail("expected \"%s\", heard \"%s\"", expected, ret_text);
}

void
child_tell(struct child *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    send_text(c->link, format, args);
    va_end(args);
}

void
child_expect(struct child *c, const char *text)
{
    char heard[SUPPORT_TEXT];
    receive_text(c->link, text, heard);
}

void
child_hear(struct child *c, char ret_text[SUPPORT_TEXT])
{
    receive_text(c->link, NULL, ret_text);
}

bool
child_has_said(struct child *c)
{
    char first;
    return recv(c->link, &first, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void
parent_tell(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    send_text(parent_link, format, args);
    va_end(args);
}

void
parent_expect(const char *text)
{
    char heard[SUPPORT_TEXT];
    receive_text(parent_link, text, heard);
}

void
parent_hear(char ret_text[SUPPORT_TEXT])
{
    receive_text(parent_link, NULL, ret_text);
}

static int
reap(struct child *c)
{
    int status = 0;
    while (waitpid(c->pid, &status, 0) < 0)
        if (errno != EINTR)
            support_fail("waitpid: %s", strerror(errno));
    close(c->handle);
    close(c->link);
    c->pid = 0;
    return status;
}

int
child_wait(struct child *c)
{
    if (!is_ready(c->handle, SUPPORT_LIMIT_S * 1000)) {
        pid_t pid = c->pid;
        child_kill(c);
        support_fail("child %d did not end in %d s", (int)pid, SUPPORT_LIMIT_S);
    }
    return reap(c);
}

void
child_end(struct child *c)
{
    pid_t pid = c->pid;
    int status = child_wait(c);
    if (WIFSIGNALED(status))
        support_fail("child %d died of signal %d", (int)pid, WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        support_fail("child %d ended with %d", (int)pid, WEXITSTATUS(status));
}

void
child_kill(struct child *c)
{
    kill(c->pid, SIGKILL);
    reap(c);
}

void
child_stop(struct child *c)
{
    siginfo_t info;
    kill(c->pid, SIGSTOP);
    if (waitid(P_PID, (id_t)c->pid, &info, WSTOPPED | WEXITED | WNOWAIT))
        support_fail("waitid: %s", strerror(errno));
    if (info.si_code != CLD_STOPPED)
        support_fail("child %d ended before it stopped", (int)c->pid);
}

void
child_resume(struct child *c)
{
    kill(c->pid, SIGCONT);
}

/* What stands behind the name in a stat file of /proc: the state, a letter, and
 * then numbers. "" when there is no such file. */
static void
read_stat(const char *path, char ret_text[SUPPORT_TEXT])
{
    char line[2 * SUPPORT_TEXT] = "";
    FILE *f = fopen(path, "re");
    ret_text[0] = 0;
    if (!f)
        return;
    char *got = fgets(line, SUPPORT_TEXT, f);
    fclose(f);
    const char *name_end = got ? strrchr(line, ')') : NULL;
    if (name_end && name_end[1])
        snprintf(ret_text, SUPPORT_TEXT, "%s", name_end + 2);
}

bool
process_lives(pid_t pid)
{
    enum { PF_EXITING = 4 }; /* set before its files are closed */
    char path[SUPPORT_TEXT], text[SUPPORT_TEXT], state;
    unsigned flags;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    read_stat(path, text);
    if (sscanf(text, "%c %*d %*d %*d %*d %*d %u", &state, &flags) != 2)
        return false;
    return state != 'Z' && state != 'X' && !(flags & PF_EXITING);
}

static bool
thread_sleeps(pid_t pid, const char *thread)
{
    char path[SUPPORT_TEXT], text[SUPPORT_TEXT];
    snprintf(path, sizeof path, "/proc/%d/task/%.32s/stat", (int)pid, thread);
    read_stat(path, text);
    return text[0] == 'S';
}

static bool
sleeps(void *arg)
{
    const struct child *c = arg;
    char path[SUPPORT_TEXT];
    snprintf(path, sizeof path, "/proc/%d/task", (int)c->pid);
    DIR *tasks = opendir(path);
    if (!tasks)
        return false;
    bool all = true;
    for (struct dirent *e; (e = readdir(tasks));)
        if (isdigit((unsigned char)e->d_name[0]))
            all = all && thread_sleeps(c->pid, e->d_name);
    closedir(tasks);
    return all;
}

void
child_wait_asleep(struct child *c)
{
    wait_until(sleeps, c, "the child sleeps");
}
