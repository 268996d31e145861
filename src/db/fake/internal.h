/* SPDX-License-Identifier: MIT
 * What the fake driver's files share. */
#ifndef RLK_DB_FAKE_INTERNAL_H
#define RLK_DB_FAKE_INTERNAL_H

#include "base/text.h"
#include "fake.h"

enum {
    TABLES = 4,
    LEVELS = 16,
    SCRIPTS = 16,
    LOCKS = 256,
    COLUMNS = 32,
    NAME = 96
};

struct store { /* all tables' rows at one moment */
    struct rlk_rows rows[TABLES];
};

struct script {
    const char *op; /* NULL: free */
    int n, code;
    rlk_fake_hook *fn;
    void *arg;
};

struct lock {
    char name[NAME];
    enum rowlock_mode mode;
};

struct fake {
    struct rlk_conn conn;
    const struct rlk_table *tables[TABLES];
    size_t n_tables;
    struct store now;
    struct store saved[LEVELS]; /* as it was when the level began */
    size_t lock_marks[LEVELS];
    size_t depth;
    struct lock locks[LOCKS];
    size_t n_locks;
    char held_by_others[NAME];
    struct script scripts[SCRIPTS];
    rlk_fake_hook *on_wait;
    void *on_wait_arg;
    bool lose_next, lost, cancelled;
    uint64_t epoch, last_epoch;
    uint32_t commits, strangers; /* own commits that wrote, and others' */
    int64_t last_key;
    struct rlk_buf trace, shown;
};

static inline struct fake *
fake_of(struct rlk_conn *c)
{
    return (struct fake *)c;
}

/* Out of memory and broken tests end the test program. */
void fake_need(bool what, const char *why);

/* store.c */
size_t fake_table_at(const struct fake *f, const char *name);
void fake_copy_rows(const struct rlk_rows *from, struct rlk_rows *to);
void fake_store_copy(const struct fake *f, const struct store *from,
                     struct store *to);
void fake_store_done(struct store *s);
void fake_append(struct rlk_rows *rows, const rowlock_value *values, size_t n);
void fake_replace(struct rlk_rows *rows, size_t row, size_t column,
                  rowlock_value value);
void fake_delete(struct rlk_rows *rows, size_t row);
int fake_compare(rowlock_value a, rowlock_value b);

/* locks.c */
int fake_step(struct fake *f, const char *op, rowlock_error *err);
int fake_take(struct fake *f, const char *name, enum rowlock_mode mode,
              int32_t wait_ms, rowlock_error *err);
void fake_record_name(const struct rlk_table *t, const rowlock_value *pk,
                      char ret[NAME]);
void fake_row_name(const struct rlk_table *t, const struct rlk_row *row,
                   char ret[NAME]);
void fake_key_name(const struct rlk_table *t, const struct rlk_match *key,
                   char ret[NAME]);
void fake_give_back(struct fake *f, size_t mark);

/* query.c */
bool fake_matches(const struct rlk_row *row, const struct rlk_term *where,
                  size_t n);
int fake_select(struct rlk_conn *c, const struct rlk_select *q,
                struct rlk_rows *ret, rowlock_error *err);
int fake_lookup(struct rlk_conn *c, const struct rlk_table *t,
                const struct rlk_match *keys, size_t n_keys,
                struct rlk_rows *ret, int *ret_found, rowlock_error *err);

int fake_scan(struct rlk_conn *c, const struct rlk_scan *scan,
              rowlock_error *err);

/* write.c */
int fake_insert(struct rlk_conn *c, const struct rlk_table *t,
                const struct rlk_set *set, size_t n_set, int32_t wait_ms,
                struct rlk_rows *ret_row, rowlock_error *err);
int fake_update(struct rlk_conn *c, const struct rlk_table *t,
                const struct rlk_row *old, const struct rlk_set *set,
                size_t n_set, int32_t wait_ms, struct rlk_rows *ret_row,
                rowlock_error *err);
int fake_remove(struct rlk_conn *c, const struct rlk_table *t,
                const struct rlk_row *old, int32_t wait_ms, rowlock_error *err);
int fake_start_write(struct rlk_conn *c, int32_t wait_ms, rowlock_error *err);

#endif
