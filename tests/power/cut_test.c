/* SPDX-License-Identifier: MIT
 * Images of logs that are written by hand: what is covered stays, what is not
 * may be lost, kept or torn, and nothing else changes. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "power/cut.h"
#include "power/log.h"
#include "support/support.h"

enum { SECTOR = 512, BASE = 4 * SECTOR, SEEDS = 200 };

static struct folder folder;
static struct path path;
static struct cut_image image;
static unsigned char bytes[BASE];

/* ---- writing a log ---- */

static int
set_up(void **state)
{
    (void)state;
    folder_init(&folder);
    path = folder_file(&folder, "x");
    memset(bytes, 'b', BASE);
    int fd = open(path.text, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    check(fd >= 0 && write(fd, bytes, BASE) == BASE);
    close(fd);
    log_open(path.text);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    log_close();
    cut_image_done(&image);
    image = (struct cut_image){0};
    folder_done(&folder);
    return 0;
}

static void
note_write(enum log_file file, char letter, size_t at, size_t n)
{
    memset(bytes, letter, n);
    log_enter();
    log_intend((struct log_event){.file = file, .at = at, .n = n}, bytes);
    log_leave(true);
}

static size_t
note(enum log_kind kind, enum log_file file, size_t at)
{
    return log_note((struct log_event){.kind = kind, .file = file, .at = at});
}

static void
note_flush(enum log_file file, bool folder_too)
{
    log_note((struct log_event){.kind = LOG_FLUSH_END,
                                .file = file,
                                .at = note(LOG_FLUSH_BEGIN, file, 0),
                                .folder = folder_too});
}

static void
draw(enum cut_variant variant, uint64_t seed)
{
    struct cut *c = cut_new();
    for (size_t i = 0; i < log_count(); i++)
        cut_advance(c);
    cut_image(c, variant, seed, &image);
    cut_free(c);
}

/* How many of the letters are in the database's image, from at on. */
static size_t
letters(char letter, size_t at, size_t n)
{
    size_t count = 0;
    for (size_t i = at; i < at + n; i++)
        count += i < image.db.n && image.db.ptr[i] == (unsigned char)letter;
    return count;
}

/* ---- the questions ---- */

static void
test_cut__a_covered_write_stays_in_every_image(void **state)
{
    (void)state;
    note_write(LOG_DB, 'w', 100, 1000);
    note_flush(LOG_DB, false);
    note_write(LOG_DB, 'x', 1200, 10);
    for (int v = 0; v < CUT_VARIANTS; v++)
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            draw((enum cut_variant)v, seed);
            assert_int_equal(letters('w', 100, 1000), 1000);
            assert_int_equal(image.db.n, BASE);
        }
}

static void
test_cut__a_flush_covers_nothing_that_came_after_its_begin(void **state)
{
    (void)state;
    size_t begin = note(LOG_FLUSH_BEGIN, LOG_DB, 0);
    note_write(LOG_DB, 'w', 0, 10);
    note(LOG_FLUSH_END, LOG_DB, begin);
    draw(CUT_ALL_LOST, 1);
    assert_int_equal(letters('w', 0, 10), 0);
    draw(CUT_ALL_KEPT, 1);
    assert_int_equal(letters('w', 0, 10), 10);
}

static void
test_cut__a_flush_covers_its_own_file_only(void **state)
{
    (void)state;
    log_note((struct log_event){.kind = LOG_CREATE, .file = LOG_WAL});
    note_write(LOG_DB, 'w', 0, 10);
    note_write(LOG_WAL, 'v', 0, 10);
    note_flush(LOG_WAL, true);
    draw(CUT_ALL_LOST, 1);
    assert_int_equal(letters('w', 0, 10), 0);
    assert_true(image.has_wal);
    assert_int_equal(image.wal.n, 10);
}

static void
test_cut__a_flush_that_failed_is_not_made_good_by_a_later_one(void **state)
{
    (void)state;
    note_write(LOG_DB, 'w', 0, 10);
    note(LOG_FLUSH_FAILED, LOG_DB, note(LOG_FLUSH_BEGIN, LOG_DB, 0));
    note_write(LOG_DB, 'x', 5, 10);
    note_flush(LOG_DB, false);
    draw(CUT_ALL_LOST, 1);
    assert_int_equal(letters('w', 0, 15), 0);
    assert_int_equal(letters('x', 5, 10), 10);
    draw(CUT_ALL_KEPT, 1);
    assert_int_equal(letters('w', 0, 5), 5);
    assert_int_equal(letters('x', 5, 10), 10);
}

/* From 100 to 1100: pieces of 412, 512 and 76 bytes. */
static void
test_cut__a_torn_write_changes_whole_sectors_that_it_covers(void **state)
{
    (void)state;
    unsigned seen = 0;
    note_write(LOG_DB, 'w', 100, 1000);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        draw(CUT_IN_ORDER, seed);
        size_t a = letters('w', 100, 412), b = letters('w', 512, 512),
               c = letters('w', 1024, 76);
        assert_true((a == 0 || a == 412) && (b == 0 || b == 512) &&
                    (c == 0 || c == 76));
        assert_int_equal(letters('b', 0, BASE), BASE - a - b - c);
        seen |= 1u << ((a > 0) + 2 * (b > 0) + 4 * (c > 0));
    }
    assert_int_equal(seen, 0xFF); /* each way to be torn */
}

static void
test_cut__a_lost_extension_leaves_the_file_short_or_a_hole(void **state)
{
    (void)state;
    note_write(LOG_DB, 'v', BASE, 100);
    note_write(LOG_DB, 'w', BASE + 100, 100);
    draw(CUT_ALL_LOST, 1);
    assert_int_equal(image.db.n, BASE);
    draw(CUT_LAST_KEPT, 1);
    assert_int_equal(image.db.n, BASE + 200);
    assert_int_equal(letters(0, BASE, 100), 100);
    assert_int_equal(letters('w', BASE + 100, 100), 100);
}

static void
test_cut__a_new_size_may_be_lost_until_it_is_flushed(void **state)
{
    (void)state;
    note(LOG_TRUNCATE, LOG_DB, 10);
    draw(CUT_ALL_LOST, 1);
    assert_int_equal(image.db.n, BASE);
    draw(CUT_ALL_KEPT, 1);
    assert_int_equal(image.db.n, 10);
    note_flush(LOG_DB, false);
    draw(CUT_ALL_LOST, 1);
    assert_int_equal(image.db.n, 10);
}

static void
test_cut__a_deleted_wal_may_come_back_as_it_was(void **state)
{
    (void)state;
    log_note((struct log_event){.kind = LOG_CREATE, .file = LOG_WAL});
    note_write(LOG_WAL, 'v', 0, 10);
    note_flush(LOG_WAL, true);
    note(LOG_DELETE, LOG_WAL, 0);
    draw(CUT_ALL_KEPT, 1);
    assert_false(image.has_wal);
    log_note(
        (struct log_event){.kind = LOG_CREATE, .file = LOG_WAL, .inode = 1});
    draw(CUT_ALL_LOST, 1);
    assert_true(image.has_wal);
    assert_int_equal(image.wal.n, 10);
    draw(CUT_ALL_KEPT, 1);
    assert_true(image.has_wal);
    assert_int_equal(image.wal.n, 0);
}

/* ---- a process that dies with the mutex ---- */

static void
die_in_change(void *arg)
{
    int fd = open(path.text, O_WRONLY | O_CLOEXEC);
    check(fd >= 0);
    memset(bytes, 'w', BASE);
    log_enter();
    log_intend((struct log_event){.file = LOG_DB, .at = SECTOR, .n = BASE},
               bytes);
    check(pwrite(fd, bytes, *(size_t *)arg, SECTOR) == *(ssize_t *)arg);
    kill(getpid(), SIGKILL);
}

static void
test_log__a_change_that_a_death_cut_short_is_noted_as_far_as_it_came(
    void **state)
{
    (void)state;
    for (size_t n = 0; n < BASE; n += 300) {
        struct child c;
        child_start(&c, die_in_change, &n);
        assert_true(WIFSIGNALED(child_wait(&c)));
        log_enter(); /* finds the dead owner */
        log_leave(true);
        draw(CUT_ALL_KEPT, 1);
        assert_int_equal(letters('w', SECTOR, BASE), n);
        assert_int_equal(letters('b', 0, BASE),
                         BASE - (n < BASE - SECTOR ? n : BASE - SECTOR));
    }
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_cut__a_covered_write_stays_in_every_image),
        TEST(test_cut__a_flush_covers_nothing_that_came_after_its_begin),
        TEST(test_cut__a_flush_covers_its_own_file_only),
        TEST(test_cut__a_flush_that_failed_is_not_made_good_by_a_later_one),
        TEST(test_cut__a_torn_write_changes_whole_sectors_that_it_covers),
        TEST(test_cut__a_lost_extension_leaves_the_file_short_or_a_hole),
        TEST(test_cut__a_new_size_may_be_lost_until_it_is_flushed),
        TEST(test_cut__a_deleted_wal_may_come_back_as_it_was),
        TEST(
            test_log__a_change_that_a_death_cut_short_is_noted_as_far_as_it_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
