/* SPDX-License-Identifier: MIT */
#include "sync/definition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/scarce.h"
#include "base/text.h"

static rowlock_error err;

static struct rlk_definition *
parse(const char *path, const char *yaml)
{
    struct rlk_definition *d = NULL;
    memset(&err, 0, sizeof err);
    return rlk_definition_parse(path, yaml, strlen(yaml), &d, &err) ? NULL : d;
}

/* A whole definition with one of its parts replaced. */
static struct rlk_definition *
parse_with(const char *target, const char *source, const char *rest)
{
    char yaml[4096];
    snprintf(yaml, sizeof yaml, "sync: regions\ntarget: %s\nsource: %s\n%s",
             target, source, rest);
    return parse("d.yaml", yaml);
}

static const char target[] = "{database: r.db, table: region}";
static const char source[] = "{url: r.json}";

static void
assert_wrong(struct rlk_definition *d, const char *message)
{
    assert_null(d);
    assert_string_equal(err.message, message);
}

static void
test_definition__the_example_is_understood(void **state)
{
    (void)state;
    struct rlk_definition *d =
        parse("conf/regions.yaml",
              "sync: regions\n"
              "target:\n"
              "  database: sqlite:regions.db     # a comment\n"
              "  table: region\n"
              "  create_table: true\n"
              "source:\n"
              "  url: http://127.0.0.1:8080/iso_3166-2.json\n"
              "  records: /3166-2\n"
              "match: [remote_id, slug]\n"
              "fields:\n"
              "  remote_id: {from: /code, strip: true}\n"
              "  slug:      {from: /code, slugify: true, mode: create_only}\n"
              "  name:      /name\n"
              "  kind:      {from: /type, default: null}\n");
    assert_non_null(d);
    assert_string_equal(d->name.text, "regions");
    assert_string_equal(d->database.text, "sqlite:conf/regions.db");
    assert_string_equal(d->url.text, "http://127.0.0.1:8080/iso_3166-2.json");
    assert_true(d->create_table && d->has_records);
    assert_string_equal(d->records.tokens[0], "3166-2");
    assert_int_equal(d->n_match, 2);
    assert_int_equal(d->match[1].fields[0], 1);
    assert_int_equal(d->n_fields, 4);
    assert_true(d->fields[0].strip && !d->fields[0].slugify);
    assert_int_equal(d->fields[1].mode, RLK_FIELD_CREATE_ONLY);
    assert_string_equal(d->fields[2].from.tokens[0], "name");
    assert_true(d->fields[3].has_default && !d->fields[2].has_default);
    assert_int_equal(d->fields[3].default_value.type, ROWLOCK_NULL);
    assert_true(rlk_definition_matches(d, 1) && !rlk_definition_matches(d, 2));
    rlk_definition_free(d);
}

static void
test_definition__scalars_are_typed_by_the_schema(void **state)
{
    (void)state;
    struct rlk_definition *d =
        parse("d.yaml", "sync: no\n"
                        "target: {database: 0x1F, table: 2024-01-01}\n"
                        "source: {url: null, records: ''}\n"
                        "match: [on]\n"
                        "fields: {on: /1.0, y: {from: '', default: no}}\n");
    assert_non_null(d);
    assert_string_equal(d->name.text, "no");
    assert_string_equal(d->database.text, "0x1F");
    assert_string_equal(d->table.text, "2024-01-01");
    assert_string_equal(d->url.text, "null");
    assert_true(d->has_records && d->records.n == 0);
    assert_int_equal(d->fields[1].default_value.type, ROWLOCK_TEXT);
    rlk_definition_free(d);
}

static void
test_definition__a_key_may_have_several_columns(void **state)
{
    (void)state;
    struct rlk_definition *d = parse_with(
        target, source,
        "match: [[site, id], [site, slug]]\nfields: {site: /s, id: /i, slug: "
        "/t}");
    assert_non_null(d);
    assert_int_equal(d->n_match, 2);
    assert_int_equal(d->match[1].n_fields, 2);
    assert_int_equal(d->match[1].fields[1], 2);
    rlk_definition_free(d);
}

static void
test_definition__defaults_follow_the_type(void **state)
{
    (void)state;
    struct rlk_definition *d =
        parse_with(target, source,
                   "match: [a]\nfields:\n"
                   "  a: {from: /a, default: '~'}\n"
                   "  b: {from: /b, default: ~}\n"
                   "  c: {from: /c, type: integer, default: -7}\n"
                   "  d: {from: /d, type: real, default: 1.5}\n"
                   "  e: {from: /e, type: boolean, default: true}\n"
                   "  f: {from: /f, default: 7}\n");
    assert_non_null(d);
    assert_int_equal(d->fields[0].default_value.type, ROWLOCK_TEXT);
    assert_int_equal(d->fields[1].default_value.type, ROWLOCK_NULL);
    assert_int_equal(d->fields[2].default_value.u.i, -7);
    assert_true(d->fields[3].default_value.u.d == 1.5);
    assert_int_equal(d->fields[4].default_value.u.i, 1);
    assert_int_equal(d->fields[5].default_value.type, ROWLOCK_TEXT);
    rlk_definition_free(d);
}

static void
test_definition__unknown_keys_name_the_one_that_was_meant(void **state)
{
    (void)state;
    assert_wrong(parse_with(target, "\n  url: x\n  recrods: /x", ""),
                 "d.yaml:5:3: unknown key 'recrods' (did you mean 'records'?)");
    assert_wrong(parse_with("{databse: x}", source, ""),
                 "d.yaml:2:10: unknown key 'databse' (did you mean "
                 "'database'?)");
    assert_wrong(parse_with(target, source, "matches: [a]"),
                 "d.yaml:4:1: unknown key 'matches' (did you mean 'match'?)");
    assert_wrong(
        parse_with(target, source, "match: [a]\nfields: {a: {form: /a}}"),
        "d.yaml:5:14: unknown key 'form' (did you mean 'from'?)");
    assert_wrong(parse_with(target, "{url: x, pagination: 7}", ""),
                 "d.yaml:3:18: unknown key 'pagination'");
}

static void
test_definition__missing_keys_are_named(void **state)
{
    (void)state;
    assert_wrong(parse("d.yaml", "sync: x\n"),
                 "d.yaml:1:1: key 'target' is missing");
    assert_wrong(parse_with("{database: x}", source, ""),
                 "d.yaml:2:9: key 'table' is missing");
    assert_wrong(
        parse_with(target, source, "match: [a]\nfields: {a: {strip: true}}"),
        "d.yaml:5:13: key 'from' or 'value' is missing");
    assert_wrong(parse_with(target, source, "fields: {a: /a}"),
                 "d.yaml:1:1: key 'match' is missing");
    assert_wrong(parse("d.yaml", ""), "d.yaml: it is empty");
    assert_wrong(parse("d.yaml", "# nothing\n"), "d.yaml: it is empty");
}

static void
test_definition__wrong_types_are_refused_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *rest, *message;
    } wrong[] = {
        {"match: a\nfields: {a: /a}",
         "d.yaml:4:8: match is a list of fields to find records by"},
        {"match: []\nfields: {a: /a}",
         "d.yaml:4:8: match is a list of fields to find records by"},
        {"match: [[]]\nfields: {a: /a}", "d.yaml:4:9: a key without a field"},
        {"match: [{a: b}]\nfields: {a: /a}",
         "d.yaml:4:9: a text was expected, not a map"},
        {"match: [b]\nfields: {a: /a}",
         "d.yaml:4:9: match names 'b', which is no field"},
        {"match: [slugg]\nfields: {slug: /a}",
         "d.yaml:4:9: match names 'slugg', which is no field (did you mean "
         "'slug'?)"},
        {"match: [a, a]\nfields: {a: /a}",
         "d.yaml:4:12: this key is there twice"},
        {"match: [[a, a]]\nfields: {a: /a}",
         "d.yaml:4:13: 'a' is in this key twice"},
        {"match: [a]\nfields: [a]",
         "d.yaml:5:9: fields is a map of columns to pointers"},
        {"match: [a]\nfields: {}",
         "d.yaml:5:9: fields is a map of columns to pointers"},
        {"match: [a]\nfields: {a: a}",
         "d.yaml:5:13: a JSON pointer begins with '/', not 'a'"},
        {"match: [a]\nfields: {a: /a~}",
         "d.yaml:5:13: in a JSON pointer '~' is written ~0, '/' ~1"},
        {"match: [a]\nfields: {a: }",
         "d.yaml:5:13: a JSON pointer such as /name was expected"},
        {"match: [a]\nfields: {a: [/a]}",
         "d.yaml:5:13: a map of keys was expected here"},
        {"match: [a]\nfields: {a: {from: /a, strip: yes}}",
         "d.yaml:5:31: true or false was expected, not 'yes'"},
        {"match: [a]\nfields: {a: {from: /a, strip: 'true'}}",
         "d.yaml:5:31: true or false was expected, not 'true'"},
        {"match: [a]\nfields: {a: {from: /a, mode: full}}",
         "d.yaml:5:30: 'full' is none of: update, create_only, fill"},
        {"match: [a]\nfields: {a: {from: /a, type: int}}",
         "d.yaml:5:30: 'int' is none of: text, integer, real, boolean, "
         "timestamp, json, uuid, blob"},
        {"match: [a]\nfields: {a: {from: /a, default: [1]}}",
         "d.yaml:5:33: a default is a text or null"},
        {"match: [a]\nfields: {a: {from: /a, type: integer, default: 07}}",
         "d.yaml:5:48: '07' is no integer"},
        {"match: [a]\nfields: {a: {from: /a, type: json, strip: true}}",
         "d.yaml:5:13: strip makes text, but the type is json"},
        {"match: [a]\nfields: {a: {from: /a, type: json}}",
         "d.yaml:4:9: a json field cannot be matched by"},
        {"match: [a]\nfields: {a: /a, A: /b}",
         "d.yaml:5:17: field 'A' is there twice (see line 5)"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_wrong(parse_with(target, source, wrong[i].rest),
                     wrong[i].message);
    assert_wrong(parse("d.yaml", "[a]"),
                 "d.yaml:1:1: a map of keys was expected here");
    assert_wrong(parse_with("x", source, ""),
                 "d.yaml:2:9: a map of keys was expected here");
    assert_wrong(parse_with("{database: [x]}", source, ""),
                 "d.yaml:2:20: a text was expected, not a list");
    assert_wrong(parse_with("{database: }", source, ""),
                 "d.yaml:2:20: a text was expected, but it is empty");
}

static void
test_definition__match_locks_and_pace_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *rest, *message;
    } wrong[] = {
        {"match: {key: [a]}\nfields: {a: /a}",
         "d.yaml:4:9: unknown key 'key' (did you mean 'keys'?)"},
        {"match: {keys: [a], on_disagree: last}\nfields: {a: /a}",
         "d.yaml:4:33: 'last' is none of: report, first, rekey"},
        {"match: [a]\nfields: {a: /a}\nlocks: {wait: 5}",
         "d.yaml:6:15: '5' is no duration, such as 5s or 2m"},
        {"match: [a]\nfields: {a: /a, b: {value: now}}",
         "d.yaml:5:28: now would change every record at each run: say on: "
         "change, or mode: create_only"},
        {"match: [a]\nfields: {a: /a, b: {value: uuid, on: change}}",
         "d.yaml:5:28: uuid would change every record at each run: say mode: "
         "create_only"},
        {"match: [a]\nfields: {a: /a, b: {value: 1, from: /b}}",
         "d.yaml:5:20: a field has 'from' or 'value', not both"},
        {"match: [a]\nfields: {a: {value: uuid, mode: create_only}}",
         "d.yaml:4:9: 'a' is generated: it finds nothing"},
        {"match: [a]\nfields: {a: /a}\npace: fast",
         "d.yaml:6:7: 'fast' is none of: polite, full"},
        {"match: [a]\nfields: {a: /a}\ndurability: none",
         "d.yaml:6:13: 'none' is none of: flush, relaxed"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_wrong(parse_with(target, source, wrong[i].rest),
                     wrong[i].message);
}

/* As some editors write it. */
static void
test_definition__a_byte_order_mark_is_passed_over(void **state)
{
    (void)state;
    struct rlk_definition *d =
        parse("d.yaml", "\xEF\xBB\xBFsync: x\ntarget: {database: a, table: b}\n"
                        "source: {url: c}\nmatch: [a]\nfields: {a: /a}\n");
    assert_non_null(d);
    assert_string_equal(d->name.text, "x");
    rlk_definition_free(d);
    assert_wrong(parse("d.yaml", "\xEF\xBB\xBFsync: !!str x\n"),
                 "d.yaml:1:7: tags (!name) are not supported");
    assert_wrong(parse("d.yaml", "\xEF\xBB\xBF"), "d.yaml: it is empty");
}

static void
test_definition__what_yaml_has_beyond_trees_is_refused(void **state)
{
    (void)state;
    assert_wrong(parse("d.yaml", "sync: x\nsync: y\n"),
                 "d.yaml:2:1: key 'sync' is there twice (see line 1)");
    assert_wrong(parse_with(target, source, "fields: {a: /a, a: /b}"),
                 "d.yaml:4:17: key 'a' is there twice (see line 4)");
    assert_wrong(parse("d.yaml", "sync: &a x\n"),
                 "d.yaml:1:7: anchors (&name) are not supported");
    assert_wrong(parse("d.yaml", "sync: *a\n"),
                 "d.yaml:1:7: aliases (*name) are not supported");
    assert_wrong(parse("d.yaml", "sync: !!str x\n"),
                 "d.yaml:1:7: tags (!name) are not supported");
    assert_wrong(parse("d.yaml", "sync: ! x\n"),
                 "d.yaml:1:7: tags (!name) are not supported");
    assert_wrong(parse("d.yaml", "sync: x\n---\nsync: y\n"),
                 "d.yaml:2:1: a second document: a file holds one");
    assert_wrong(parse("d.yaml", "? [a]\n: b\n"),
                 "d.yaml:1:3: a key must be a text");
    assert_wrong(parse("d.yaml", "sync: \"a\\0b\"\n"),
                 "d.yaml:1:7: a text must not hold a NUL character");
}

static void
test_definition__damaged_yaml_says_where(void **state)
{
    (void)state;
    static const char *const damaged[] = {
        "sync: [a",      "sync: \"a", "sync: x\n target: y\n",
        "\tsync: x\n",   "sync: @x",  "- a\nsync: x",
        "sync: {a: b\n", "%FOO\nx",   "sync: x: y"};
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        assert_null(parse("d.yaml", damaged[i]));
        assert_memory_equal(err.message, "d.yaml:", 7);
    }
    assert_null(parse("d.yaml", "sync: \xFF\n"));
    assert_string_equal(err.message,
                        "d.yaml: byte 7: invalid leading UTF-8 octet");
}

static void
test_definition__depth_items_and_size_are_limited(void **state)
{
    (void)state;
    struct rlk_buf RLK_AUTOBUF yaml = {0};
    for (int i = 0; i < 100; i++)
        rlk_buf_char(&yaml, '[');
    assert_wrong(parse("d.yaml", yaml.ptr), "d.yaml:1:17: nested too deep");
    rlk_buf_clear(&yaml);
    for (int i = 0; i <= RLK_YAML_ITEMS; i++)
        rlk_buf_format(&yaml, "k%d: x\n", i);
    assert_wrong(parse("d.yaml", yaml.ptr), "d.yaml:1001:1: too many items");
}

static void
test_definition__paths_are_seen_from_its_folder(void **state)
{
    (void)state;
    static const struct {
        const char *path, *database, *expected;
    } cases[] = {
        {"d.yaml", "r.db", "r.db"},
        {"d.yaml", "sqlite:r.db", "sqlite:r.db"},
        {"/a/d.yaml", "r.db", "/a/r.db"},
        {"../a/d.yaml", "sqlite:b/r.db", "sqlite:../a/b/r.db"},
        {"/a/d.yaml", "sqlite:/r.db", "sqlite:/r.db"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char yaml[512];
        snprintf(yaml, sizeof yaml,
                 "{sync: x, target: {database: '%s', table: t}, source: {url: "
                 "'%s'}, match: [a], fields: {a: /a}}",
                 cases[i].database, "r.json");
        struct rlk_definition *d = parse(cases[i].path, yaml);
        assert_non_null(d);
        assert_string_equal(d->database.text, cases[i].expected);
        rlk_definition_free(d);
    }
    assert_null(parse_with("{database: sqlite://r.db, table: t}", source,
                           "match: [a]\nfields: {a: /a}"));
    assert_string_equal(err.hint, "Leave the slashes out: sqlite:PATH.");
    assert_wrong(
        parse_with(target, "{url: ftp://x}", "match: [a]\nfields: {a: /a}"),
        "d.yaml:3:15: a source is a path, http:// or https://, not "
        "'ftp://x'");
}

static void
test_definition__a_file_that_cannot_be_read_says_why(void **state)
{
    (void)state;
    struct rlk_definition *d = NULL;
    assert_int_equal(rlk_definition_read("/nowhere/d.yaml", &d, &err),
                     ROWLOCK_IO);
    assert_string_equal(
        err.message,
        "could not open '/nowhere/d.yaml': No such file or directory");
    char path[] = "/tmp/rowlock-definition-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(ftruncate(fd, RLK_YAML_BYTES + 1), 0);
    close(fd);
    assert_int_equal(rlk_definition_read(path, &d, &err), ROWLOCK_BAD_VALUE);
    assert_non_null(strstr(err.message, "is larger than"));
    unlink(path);
}

static void
test_definition__any_allocation_may_fail(void **state)
{
    (void)state;
    static const char yaml[] =
        "sync: x\ntarget: {database: a.db, table: t}\nsource: {url: x, "
        "records: /a/b}\nmatch: [[a, b], a]\nfields: {a: /a, b: {from: /b, "
        "type: integer, default: 7}}\n";
    struct rlk_definition *d = NULL;
    int rc = -1;
    for (long n = 0; rc; n++) {
        rlk_scarce_begin(n);
        rc = rlk_definition_parse("c/d.yaml", yaml, strlen(yaml), &d, &err);
        rlk_scarce_end();
        assert_true(rc == 0 || rc == ROWLOCK_NO_MEMORY);
    }
    rlk_definition_free(d);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_definition__the_example_is_understood),
        cmocka_unit_test(test_definition__scalars_are_typed_by_the_schema),
        cmocka_unit_test(test_definition__a_key_may_have_several_columns),
        cmocka_unit_test(test_definition__defaults_follow_the_type),
        cmocka_unit_test(
            test_definition__unknown_keys_name_the_one_that_was_meant),
        cmocka_unit_test(test_definition__missing_keys_are_named),
        cmocka_unit_test(
            test_definition__wrong_types_are_refused_with_their_place),
        cmocka_unit_test(test_definition__match_locks_and_pace_are_checked),
        cmocka_unit_test(test_definition__a_byte_order_mark_is_passed_over),
        cmocka_unit_test(
            test_definition__what_yaml_has_beyond_trees_is_refused),
        cmocka_unit_test(test_definition__damaged_yaml_says_where),
        cmocka_unit_test(test_definition__depth_items_and_size_are_limited),
        cmocka_unit_test(test_definition__paths_are_seen_from_its_folder),
        cmocka_unit_test(test_definition__a_file_that_cannot_be_read_says_why),
        cmocka_unit_test(test_definition__any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
