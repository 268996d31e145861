/* SPDX-License-Identifier: MIT
 * What every test with several processes shares: a temporary folder, children
 * that run a function, steps told and heard between parent and child, memory
 * that all of them see.
 *
 * Nothing here pauses in the hope that something has happened: each call waits
 * for its event, and after SUPPORT_LIMIT_S seconds says what it waited for and
 * fails the test. A child dies with the test program, however that ends.
 *
 *     static void
 *     hold(void *arg)
 *     {
 *         ... take the lock ...
 *         parent_tell("held");
 *         parent_expect("release");
 *     }
 *
 *     struct child c;
 *     child_start(&c, hold, &folder);
 *     child_expect(&c, "held");
 *     ... what the test is about ...
 *     child_tell(&c, "release");
 *     child_end(&c);
 */
#ifndef SUPPORT_SUPPORT_H
#define SUPPORT_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
    SUPPORT_LIMIT_S = 60, /* for any one event */
    SUPPORT_TEXT = 256    /* a message, with its NUL */
};

/* Fails the test when what is not so, in the parent as in a child (where
 * cmocka's own asserts must not be used: they would go on in the copy). */
#define check(what)                                                       \
    do {                                                                  \
        if (!(what))                                                      \
            support_fail("%s:%d: not so: %s", __FILE__, __LINE__, #what); \
    } while (0)
void support_fail(const char *format, ...)
    __attribute__((noreturn, format(printf, 1, 2)));

/* ---- a folder ---- */

struct folder {
    char path[SUPPORT_TEXT];
};

struct path {
    char text[2 * SUPPORT_TEXT];
};

/* Below TMPDIR or /tmp; removed with all in it by folder_done(), or when the
 * program that made it ends without. */
void folder_init(struct folder *ret);
void folder_done(struct folder *f);
struct path folder_file(const struct folder *f, const char *name);

/* ---- a child ---- */

struct child {
    pid_t pid;
    int handle; /* pidfd */
    int link;   /* to the child; messages stay whole and in order */
};

/* Runs body(arg) in a fork, which then ends with status 0. */
void child_start(struct child *ret, void (*body)(void *arg), void *arg);
void child_tell(struct child *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Waits for the child's next message, which must be text. */
void child_expect(struct child *c, const char *text);
/* Waits for the child's next message. */
void child_hear(struct child *c, char ret_text[SUPPORT_TEXT]);
/* A message is there to be heard. */
bool child_has_said(struct child *c);

/* Waits for its end, which must be status 0. */
void child_end(struct child *c);
/* Waits for its end and answers what waitpid() says. */
int child_wait(struct child *c);
void child_kill(struct child *c);   /* with -9, and waits for its end */
void child_stop(struct child *c);   /* SIGSTOP, and waits until it stands */
void child_resume(struct child *c); /* SIGCONT */
/* Waits until every thread of it sleeps in the kernel, with a call that blocks
 * (a futex, a pipe): "it waits now", without guessing by time. */
void child_wait_asleep(struct child *c);

/* It runs, sleeps or is stopped. A killed process that has begun to end does
 * not live, though kill(pid, 0) still finds it: its files, and with them its
 * locks, may be gone already. */
bool process_lives(pid_t pid);

/* In the child: */
void parent_tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
void parent_expect(const char *text);
void parent_hear(char ret_text[SUPPORT_TEXT]);

/* ---- more ---- */

/* Zeroed memory that all later children share. */
void *shared_alloc(size_t size);
void shared_free(void *memory, size_t size);

/* For what tells nobody when it happens: looks every millisecond. */
void wait_until(bool (*is_so)(void *arg), void *arg, const char *what);

/* n, or for `make soak` as many times more as $ROWLOCK_SOAK says: for rounds,
 * processes' work, random cases. */
int soak(int n);

/* root ignores read-only files and folders. A child that asks for them calls
 * this first: it goes on as "nobody" when it was root, else as it was. What it
 * shall write must be given to it before, by give_away(). */
void become_unprivileged(void);
void give_away(const char *path);

#endif
