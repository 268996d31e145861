/* SPDX-License-Identifier: MIT */
#include "sync/definition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/scarce.h"

static rowlock_error err;

static struct rlk_definition *
parse(const char *source)
{
    static const char form[] = "sync: x\ntarget: {database: a.db, table: t}\n"
                               "source: {%s}\nmatch: [a]\nfields: {a: /a}\n";
    struct rlk_definition *d = NULL;
    char yaml[1024];
    memset(&err, 0, sizeof err);
    snprintf(yaml, sizeof yaml, form, source);
    return rlk_definition_parse("d.yaml", yaml, strlen(yaml), &d, &err) ? NULL
                                                                        : d;
}

static void
assert_wrong(const char *source, const char *message)
{
    assert_null(parse(source));
    assert_string_equal(err.message, message);
}

/* The url that preset makes of url. */
static void
assert_url(const char *preset, const char *url, const char *expected)
{
    char source[512];
    snprintf(source, sizeof source, "preset: %s, url: '%s'", preset, url);
    struct rlk_definition *d = parse(source);
    assert_non_null(d);
    assert_string_equal(d->url.text, expected);
    rlk_definition_free(d);
}

static void
test_preset__wordpress(void **state)
{
    (void)state;
    struct rlk_definition *d = parse("preset: wordpress, url: 'http://h/x'");
    assert_non_null(d);
    const struct rlk_pages *p = &d->pages;
    assert_true(d->has_pages && d->has_records);
    assert_string_equal(d->records.text, "");
    assert_int_equal(p->by, RLK_PAGES_PAGE);
    assert_string_equal(p->param, "page");
    assert_int_equal(p->start, 1);
    assert_string_equal(p->size_param, "per_page");
    assert_int_equal(p->size, 100);
    assert_string_equal(p->total_header, "X-WP-Total");
    assert_null(p->total.text);
    assert_int_equal(d->format, RLK_FORMAT_JSON);
    assert_string_equal(d->url.text, "http://h/x?orderby=id&order=asc");
    rlk_definition_free(d);
}

static void
test_preset__wagtail(void **state)
{
    (void)state;
    struct rlk_definition *d = parse("preset: wagtail, url: 'http://h/x/'");
    assert_non_null(d);
    const struct rlk_pages *p = &d->pages;
    assert_true(d->has_pages);
    assert_string_equal(d->records.text, "/items");
    assert_int_equal(p->by, RLK_PAGES_OFFSET);
    assert_string_equal(p->param, "offset");
    assert_int_equal(p->start, 0);
    assert_string_equal(p->size_param, "limit");
    assert_int_equal(p->size, 20);
    assert_string_equal(p->total.text, "/meta/total_count");
    assert_null(p->total_header);
    assert_string_equal(d->url.text, "http://h/x/?order=id");
    rlk_definition_free(d);
}

static void
test_preset__drupal(void **state)
{
    (void)state;
    struct rlk_definition *d = parse("preset: drupal, url: 'http://h/x'");
    assert_non_null(d);
    const struct rlk_pages *p = &d->pages;
    assert_true(d->has_pages);
    assert_string_equal(d->records.text, "/data");
    assert_int_equal(p->by, RLK_PAGES_NEXT);
    assert_string_equal(p->at.text, "/links/next/href");
    assert_null(p->total.text);
    assert_null(p->total_header);
    assert_string_equal(d->url.text, "http://h/x?page%5Blimit%5D=50&sort=id");
    rlk_definition_free(d);
}

static void
test_preset__what_the_url_has_goes_before(void **state)
{
    (void)state;
    assert_url("wordpress", "http://h/x?order=desc#top",
               "http://h/x?order=desc&orderby=id#top");
    assert_url("wordpress", "http://h/x?orderby=name&order=desc",
               "http://h/x?orderby=name&order=desc");
    assert_url("wordpress", "http://h/x?reorder=1&orderbyid=2&x=order",
               "http://h/x?reorder=1&orderbyid=2&x=order&orderby=id&order=asc");
    assert_url("wordpress", "http://h/x#a?order=b",
               "http://h/x?orderby=id&order=asc#a?order=b");
    assert_url("drupal", "http://h/x?page[limit]=10&sort=name",
               "http://h/x?page[limit]=10&sort=name");
    assert_url("drupal", "http://h/x?&page%5blimit%5D=10",
               "http://h/x?&page%5blimit%5D=10&sort=id");
    assert_url("drupal", "http://h/x?sort",
               "http://h/x?sort&page%5Blimit%5D=50");
    assert_url("wagtail", "http://h/x?", "http://h/x?&order=id");
    assert_url("wagtail", "http://h/x?%&%6&%zz&order%3d=1",
               "http://h/x?%&%6&%zz&order%3d=1&order=id");
}

static void
test_preset__size_in_the_url_goes_before(void **state)
{
    (void)state;
    struct rlk_definition *d =
        parse("preset: wordpress, url: 'http://h/x?per_page=10'");
    assert_non_null(d);
    assert_null(d->pages.size_param);
    rlk_definition_free(d);
}

static void
test_preset__what_is_said_goes_before(void **state)
{
    (void)state;
    struct rlk_definition *d =
        parse("preset: wagtail, url: 'http://h/x', records: /pages, "
              "pages: {by: link}");
    assert_non_null(d);
    assert_string_equal(d->records.text, "/pages");
    assert_int_equal(d->pages.by, RLK_PAGES_LINK);
    assert_null(d->pages.param);
    assert_null(d->pages.total.text);
    assert_string_equal(d->url.text, "http://h/x?order=id");
    rlk_definition_free(d);
}

static void
test_preset__the_url_is_told_with_its_references(void **state)
{
    (void)state;
    setenv("PRESET_QUERY", "order=desc&key=s3cret", 1);
    struct rlk_definition *d =
        parse("preset: wordpress, url: 'http://h/x?${PRESET_QUERY}'");
    assert_non_null(d);
    assert_string_equal(d->url.text,
                        "http://h/x?order=desc&key=s3cret&orderby=id");
    assert_string_equal(d->shown_url, "http://h/x?${PRESET_QUERY}&orderby=id");
    rlk_definition_free(d);
}

static void
test_preset__wrong_ones_are_refused(void **state)
{
    (void)state;
    assert_wrong("preset: joomla, url: 'http://h/x'",
                 "d.yaml:3:18: 'joomla' is none of: wordpress, wagtail, "
                 "drupal");
    assert_wrong("preset: drupal, url: t.json",
                 "d.yaml:3:18: 'preset' is for http:// and https:// only");
    assert_wrong("preset: drupal, url: 'http://h/x', format: csv",
                 "d.yaml:3:18: the preset drupal reads JSON, but the format is "
                 "csv");
    assert_wrong("preset: wordpress, url: 'http://h/x', "
                 "pages: {by: next, at: /next}",
                 "d.yaml:3:55: 'at' must point beside the records");
}

static void
test_preset__any_allocation_may_fail(void **state)
{
    (void)state;
    static const char *const sources[] = {
        "preset: drupal, url: 'http://h/${HOME}'",
        "preset: wagtail, url: 'http://h/x'",
        "url: 'http://h/x', pages: {by: next, at: /a, total: /b}"};
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        struct rlk_definition *d = NULL;
        for (long n = 0; !d; n++) {
            rlk_scarce_begin(n);
            d = parse(sources[i]);
            rlk_scarce_end();
            assert_true(d || err.code == ROWLOCK_NO_MEMORY);
        }
        rlk_definition_free(d);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_preset__wordpress),
        cmocka_unit_test(test_preset__wagtail),
        cmocka_unit_test(test_preset__drupal),
        cmocka_unit_test(test_preset__what_the_url_has_goes_before),
        cmocka_unit_test(test_preset__size_in_the_url_goes_before),
        cmocka_unit_test(test_preset__what_is_said_goes_before),
        cmocka_unit_test(test_preset__the_url_is_told_with_its_references),
        cmocka_unit_test(test_preset__wrong_ones_are_refused),
        cmocka_unit_test(test_preset__any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
