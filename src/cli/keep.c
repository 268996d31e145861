/* SPDX-License-Identifier: MIT
 * The table is made by a connection of its own, since the record API writes no
 * DDL: the first time a definition runs in this database. */
#include "cli/keep.h"

#include "cli/speak.h"
#include "front/target.h"
#include "record/record.h"

static int
make_table(const struct rlk_definition *d, rowlock_error *err)
{
    struct rlk_new_column columns[RLK_HISTORY_COLUMNS];
    const struct rlk_new_table table = {RLK_HISTORY_TABLE, columns,
                                        RLK_HISTORY_COLUMNS, NULL, 0};
    for (size_t i = 0; i < RLK_HISTORY_COLUMNS; i++)
        columns[i] = (struct rlk_new_column){rlk_history_columns[i].name,
                                             rlk_history_columns[i].type};
    return rlk_front_create(d->database.text, &table, NULL, err);
}

static void
say(const char *what, const rowlock_error *err)
{
    if (err->code != ROWLOCK_CANCELLED) /* the run tells that itself */
        rlk_speak("%s: %s", what, err->message);
}

void
rlk_keep_begin(struct rlk_history *h, const struct rlk_target *t,
               const struct rlk_definition *d, bool fits)
{
    const struct rlk_table *table;
    rowlock_error err = {0};
    int rc = rlk_session_table(t->db, RLK_HISTORY_TABLE, &table, &err);
    if (rc == ROWLOCK_UNDEFINED && !fits)
        return;
    if (rc == ROWLOCK_UNDEFINED)
        rc = make_table(d, &err);
    if (!rc)
        rc = rlk_history_begin(h, d, t->db, &err);
    if (rc)
        say("this run will not be in the history", &err);
}

void
rlk_keep_look(struct rlk_history *h, const struct rlk_target *t,
              const struct rlk_definition *d)
{
    const struct rlk_table *table;
    if (rlk_session_table(t->db, RLK_HISTORY_TABLE, &table, NULL) == 0)
        rlk_history_look(h, d, t->db, NULL); /* nothing known: all is read */
}

void
rlk_keep_end(struct rlk_history *h, const struct rlk_history_end *end)
{
    rowlock_error err = {0};
    if (rlk_history_end(h, end, &err))
        say("the end of this run is not in the history", &err);
}
