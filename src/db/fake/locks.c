/* SPDX-License-Identifier: MIT
 * The fake driver's steps and locks. A lock is a name in the trace; taking it
 * never waits, but may run what the test has put in the place of a wait. */
#include <stdio.h>
#include <string.h>

#include "internal.h"

/* ---- steps ---- */

static struct script
due(struct fake *f, const char *op)
{
    struct script found = {0};
    for (size_t i = 0; i < SCRIPTS; i++) {
        struct script *s = &f->scripts[i];
        if (s->op && strcmp(s->op, op) == 0 && --s->n == 0) {
            found = *s;
            s->op = NULL;
        }
    }
    return found;
}

int
fake_step(struct fake *f, const char *op, rowlock_error *err)
{
    rlk_buf_format(&f->trace, "%s%s", f->trace.len ? " " : "", op);
    struct script s = due(f, op);
    if (s.fn)
        s.fn(&f->conn, s.arg);
    if (!s.code)
        return 0;
    rlk_fail(err, (enum rowlock_code)s.code, "scripted: %s",
             rowlock_code_text((enum rowlock_code)s.code));
    if (s.code == ROWLOCK_NOT_AVAILABLE && strcmp(op, "start_write") == 0)
        rlk_sqlstate(err, RLK_NO_TURN);
    return s.code;
}

void
rlk_fake_at(struct rlk_conn *c, const char *op, int n, rlk_fake_hook *fn,
            void *arg, int code)
{
    struct fake *f = fake_of(c);
    for (size_t i = 0; i < SCRIPTS; i++)
        if (!f->scripts[i].op) {
            f->scripts[i] = (struct script){op, n, code, fn, arg};
            return;
        }
    fake_need(false, "too many scripts");
}

void
rlk_fake_on_wait(struct rlk_conn *c, rlk_fake_hook *fn, void *arg)
{
    fake_of(c)->on_wait = fn;
    fake_of(c)->on_wait_arg = arg;
}

void
rlk_fake_lose(struct rlk_conn *c)
{
    fake_of(c)->lose_next = true;
}

const char *
rlk_fake_trace(struct rlk_conn *c)
{
    struct fake *f = fake_of(c);
    struct rlk_buf old = f->shown;
    f->shown = f->trace;
    f->trace = old;
    rlk_buf_clear(&f->trace);
    return f->shown.len ? f->shown.ptr : "";
}

/* ---- names ---- */

static void
print_value(struct rlk_buf *buf, rowlock_value v)
{
    if (v.type == ROWLOCK_INT)
        rlk_buf_format(buf, "%lld", (long long)v.u.i);
    else if (v.type == ROWLOCK_TEXT)
        rlk_buf_add(buf, v.u.s.ptr, v.u.s.len);
    else
        rlk_buf_text(buf, v.type == ROWLOCK_NULL ? "NULL" : "?");
}

static void
finish_name(struct rlk_buf *buf, char ret[NAME])
{
    rlk_buf_char(buf, ')');
    fake_need(!buf->failed, "out of memory");
    snprintf(ret, NAME, "%s", buf->ptr);
}

void
fake_record_name(const struct rlk_table *t, const rowlock_value *pk,
                 char ret[NAME])
{
    struct rlk_buf RLK_AUTOBUF buf = {0};
    rlk_buf_format(&buf, "record %s(", t->name);
    for (size_t i = 0; i < t->n_primary_key; i++) {
        rlk_buf_text(&buf, i ? "," : "");
        print_value(&buf, pk[i]);
    }
    finish_name(&buf, ret);
}

void
fake_row_name(const struct rlk_table *t, const struct rlk_row *row,
              char ret[NAME])
{
    rowlock_value pk[8];
    fake_need(t->n_primary_key <= 8, "too long a primary key");
    for (size_t i = 0; i < t->n_primary_key; i++)
        pk[i] = row->values[t->primary_key[i]];
    fake_record_name(t, pk, ret);
}

void
fake_key_name(const struct rlk_table *t, const struct rlk_match *key,
              char ret[NAME])
{
    struct rlk_buf RLK_AUTOBUF buf = {0};
    rlk_buf_format(&buf, "key %s.", t->name);
    for (size_t i = 0; i < key->n_columns; i++)
        rlk_buf_format(&buf, "%s%s", i ? "," : "",
                       t->columns[key->columns[i].column].name);
    rlk_buf_char(&buf, '(');
    for (size_t i = 0; i < key->n_columns; i++) {
        rlk_buf_text(&buf, i ? "," : "");
        print_value(&buf, key->columns[i].value);
    }
    finish_name(&buf, ret);
}

/* ---- locks ---- */

static enum rowlock_mode
held_mode(const struct fake *f, const char *name)
{
    enum rowlock_mode mode = ROWLOCK_READ;
    for (size_t i = 0; i < f->n_locks; i++)
        if (strcmp(f->locks[i].name, name) == 0 && f->locks[i].mode > mode)
            mode = f->locks[i].mode;
    return mode;
}

/* The write transaction is given up for a wait, so others may write. */
static int
wait_for(struct fake *f, const char *name, int32_t wait_ms, rowlock_error *err)
{
    if (wait_ms == ROWLOCK_NOWAIT || wait_ms == ROWLOCK_SKIP_LOCKED)
        return rlk_fail(err, ROWLOCK_NOT_AVAILABLE, "somebody holds %s", name);
    if (f->epoch)
        f->epoch = ++f->last_epoch;
    f->held_by_others[0] = 0;
    if (f->on_wait)
        f->on_wait(&f->conn, f->on_wait_arg);
    return 0;
}

int
fake_take(struct fake *f, const char *name, enum rowlock_mode mode,
          int32_t wait_ms, rowlock_error *err)
{
    if (held_mode(f, name) >= mode)
        return 0;
    RLK_TRY(fake_step(f, name, err));
    if (strcmp(f->held_by_others, name) == 0)
        RLK_TRY(wait_for(f, name, wait_ms, err));
    fake_need(f->n_locks < LOCKS, "too many locks");
    struct lock *lock = &f->locks[f->n_locks++];
    snprintf(lock->name, sizeof lock->name, "%s", name);
    lock->mode = mode;
    return 0;
}

void
fake_give_back(struct fake *f, size_t mark)
{
    if (f->n_locks > mark)
        f->n_locks = mark;
}

void
rlk_fake_hold(struct rlk_conn *c, const char *name)
{
    struct fake *f = fake_of(c);
    snprintf(f->held_by_others, sizeof f->held_by_others, "%s",
             name ? name : "");
}

bool
rlk_fake_holds(struct rlk_conn *c, const char *name)
{
    return held_mode(fake_of(c), name) > ROWLOCK_READ;
}

size_t
rlk_fake_locks(struct rlk_conn *c)
{
    return fake_of(c)->n_locks;
}
