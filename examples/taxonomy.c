/* SPDX-License-Identifier: MIT
 * A local copy of remote taxonomies (categories, tags, terms), kept right while
 * other programs and people change the same records.
 *
 *     taxonomy DATABASE < LINES
 *
 * A line has four fields with tabs between: remote id, slug, name, description.
 * The table is
 *
 *     CREATE TABLE taxonomy (id INTEGER PRIMARY KEY, remote_id TEXT,
 *         slug TEXT, name TEXT, description TEXT, published BOOLEAN)
 *
 * Read update_or_create_from_remote_taxonomy() first, and copy it. */
#include <rowlock/rowlock.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct remote_taxonomy {
    const char *remote_id, *slug, *name, *description;
};

/* Finds the local record by the remote id (stripped; blank means none), else by
 * the slug, and sets its name and description; creates it if there is none.
 * Anyone else who wants the record waits until the block ends. *ret is the
 * block's; *ret_created is 1 for a new record. */
static int
update_or_create_from_remote_taxonomy(rowlock_block *block,
                                      const struct remote_taxonomy *remote,
                                      rowlock_record **ret, int *ret_created,
                                      rowlock_error *err)
{
    rowlock_pair remote_id = {"remote_id", rowlock_text(remote->remote_id)};
    rowlock_pair slug = {"slug", rowlock_text(remote->slug)};
    rowlock_key match[] = {{&remote_id, 1}, {&slug, 1}};
    rowlock_pair updating[] = {
        {"name", rowlock_text(remote->name)},
        {"description", rowlock_text(remote->description)},
    };
    rowlock_pair creating[] = {
        {"name", rowlock_text(remote->name)},
        {"description", rowlock_text(remote->description)},
        {"published", rowlock_int(0)}, /* an editor publishes it */
    };
    rowlock_upsert upsert = ROWLOCK_UPSERT_INIT;
    enum rowlock_outcome outcome;
    int rc;

    upsert.table = "taxonomy";
    upsert.match = match;
    upsert.n_match = 2;
    upsert.updating = updating;
    upsert.n_updating = 2;
    upsert.creating = creating;
    upsert.n_creating = 3;
    rc = rowlock_update_or_create(block, &upsert, ret, &outcome, err);
    if (rc == 0)
        *ret_created = outcome == ROWLOCK_CREATED;
    return rc;
}

struct job {
    struct remote_taxonomy remote;
    int created;
    int64_t id;
};

/* The body of a block. It may run more than once, so it sets all of its result
 * afresh, and prints nothing. */
static int
bring_in(rowlock_block *block, void *arg, rowlock_error *err)
{
    struct job *job = arg;
    rowlock_record *record;
    rowlock_value id;
    int rc = update_or_create_from_remote_taxonomy(block, &job->remote, &record,
                                                   &job->created, err);
    if (rc == 0)
        rc = rowlock_record_get(record, "id", &id, err);
    if (rc == 0)
        job->id = id.u.i;
    return rc;
}

static int
complain(const rowlock_error *err)
{
    fprintf(stderr, "taxonomy: %s\n", err->message);
    if (err->detail[0])
        fprintf(stderr, "  %s\n", err->detail);
    if (err->hint[0])
        fprintf(stderr, "  %s\n", err->hint);
    return 1;
}

static int
bring_in_line(rowlock_db *db, char *line)
{
    struct job job = {{NULL, NULL, NULL, NULL}, 0, 0};
    rowlock_error err;
    line[strcspn(line, "\n")] = 0;
    job.remote.remote_id = strsep(&line, "\t");
    job.remote.slug = strsep(&line, "\t");
    job.remote.name = strsep(&line, "\t");
    job.remote.description = strsep(&line, "\t");
    if (rowlock_atomic(db, bring_in, &job, &err))
        return complain(&err);
    printf("%s %lld\n", job.created ? "created" : "found", (long long)job.id);
    return 0;
}

int
main(int argc, char **argv)
{
    rowlock_db *db;
    rowlock_error err;
    char *line = NULL;
    size_t size = 0;
    int status = 0;
    if (argc != 2) {
        fprintf(stderr, "usage: taxonomy DATABASE < LINES\n");
        return 2;
    }
    if (rowlock_open(argv[1], NULL, &db, &err))
        return complain(&err);
    while (status == 0 && getline(&line, &size, stdin) >= 0)
        status = bring_in_line(db, line);
    free(line);
    rowlock_close(db);
    return status;
}
