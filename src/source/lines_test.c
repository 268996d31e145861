/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "csv.h"
#include "lines.h"

static rowlock_error err;
static size_t record_limit;
static struct rlk_buf out;

/* "1:a=x,b=y;" a row with its line, "2!6 why;" a rejected one with its byte. */
static void
print_row(struct rlk_csv *csv, const struct rlk_slice *slice)
{
    const struct rlk_json *root;
    rowlock_error why = {0};
    size_t at = 0;
    rlk_buf_format(&out, "%d", (int)slice->line);
    if (slice->oversize) {
        rlk_buf_text(&out, "!long;");
        return;
    }
    if (rlk_csv_row(csv, slice, &root, &at, &why)) {
        rlk_buf_format(&out, "!%d %s;", (int)(slice->byte + at), why.message);
        return;
    }
    for (size_t i = 1; i < root->size; i++)
        rlk_buf_format(&out, "%s%.*s=%.*s", i > 1 ? "," : ":",
                       (int)root[i].key_len, root[i].key, (int)root[i].len,
                       root[i].text);
    rlk_buf_text(&out, ";");
}

static int
take(struct rlk_lines *lines, struct rlk_csv *csv)
{
    struct rlk_slice slice = {0};
    enum rlk_split_event event;
    for (;;) {
        RLK_TRY(rlk_lines_next(lines, &slice, &event, &err));
        if (event == RLK_SPLIT_MORE)
            return 0;
        size_t at;
        if (!lines->separator)
            rlk_buf_format(&out, "%d:%.*s;", (int)slice.line, (int)slice.len,
                           slice.text);
        else if (csv->has_header)
            print_row(csv, &slice);
        else
            RLK_TRY(rlk_csv_header(csv, &slice, &at, &err));
    }
}

static int
cut_n(enum rlk_format format, const char *body, size_t len, size_t step)
{
    struct rlk_lines lines;
    struct rlk_csv csv;
    int rc = 0;
    memset(&err, 0, sizeof err);
    rlk_buf_clear(&out);
    rlk_buf_text(&out, "");
    rlk_lines_init(&lines, format, record_limit ? record_limit : 1000);
    rlk_csv_init(&csv, format);
    for (size_t i = 0; !rc && i < len; i += step) {
        size_t n = len - i < step ? len - i : step;
        rc = rlk_lines_feed(&lines, body + i, n, &err);
        if (!rc)
            rc = take(&lines, &csv);
    }
    rlk_lines_end(&lines);
    if (!rc)
        rc = take(&lines, &csv);
    if (!rc)
        rc = rlk_lines_finish(&lines, &err);
    rlk_lines_done(&lines);
    rlk_csv_done(&csv);
    return rc;
}

/* The same, whatever the size of reads. */
static void
gives(enum rlk_format format, const char *body, const char *expected)
{
    for (size_t step = 1; step <= strlen(body) + 1; step++) {
        assert_int_equal(cut_n(format, body, strlen(body), step), 0);
        assert_string_equal(out.ptr, expected);
    }
}

static void
fails(enum rlk_format format, const char *body, const char *message)
{
    for (size_t step = 1; step <= strlen(body) + 1; step++) {
        assert_int_not_equal(cut_n(format, body, strlen(body), step), 0);
        assert_string_equal(err.message, message);
    }
}

static void
test_csv__header_names_the_fields(void **state)
{
    (void)state;
    gives(RLK_FORMAT_CSV, "a,b\n1,2\n3,4\n", "2:a=1,b=2;3:a=3,b=4;");
    gives(RLK_FORMAT_CSV, "a,b\n", "");
    gives(RLK_FORMAT_CSV, "a\n\n1\n\n\n2", "3:a=1;6:a=2;");
}

static void
test_csv__line_ends_are_lf_or_crlf(void **state)
{
    (void)state;
    gives(RLK_FORMAT_CSV, "a,b\r\n1,2\r\n3,4\r\n", "2:a=1,b=2;3:a=3,b=4;");
    gives(RLK_FORMAT_CSV, "a,b\r\n1,\"2\"\r\n\r\n3,4", "2:a=1,b=2;4:a=3,b=4;");
    gives(RLK_FORMAT_CSV, "a,b\n1\r,2\n3,4\n",
          "2!6 a carriage return that is no line end;3:a=3,b=4;");
}

static void
test_csv__quoted_fields_hold_anything(void **state)
{
    (void)state;
    gives(RLK_FORMAT_CSV,
          "a,b\n\"x,y\",\"l1\nl2\r\n\"\n\"say \"\"hi\"\"\",\"\"\n",
          "2:a=x,y,b=l1\nl2\r\n;"
          "5:a=say \"hi\",b=;");
    gives(RLK_FORMAT_CSV, "\"a\nb\",c\n\"\"\"\",\"\"\"\"\"\"\n",
          "3:a\nb=\",c=\"\";");
}

static void
test_csv__spaces_are_part_of_the_field(void **state)
{
    (void)state;
    gives(RLK_FORMAT_CSV, "a, b\n 1 ,\t2 \n", "2:a= 1 , b=\t2 ;");
}

static void
test_csv__byte_order_mark_is_no_part_of_the_first_name(void **state)
{
    (void)state;
    gives(RLK_FORMAT_CSV,
          "\xEF\xBB\xBF"
          "a,b\n1,2\n",
          "2:a=1,b=2;");
    gives(RLK_FORMAT_CSV,
          "\xEF\xBB\xBF"
          "\"a\",b\n1,2\n",
          "2:a=1,b=2;");
}

static void
test_csv__ragged_rows_are_rejected_alone(void **state)
{
    (void)state;
    gives(RLK_FORMAT_CSV, "a,b\n1\n1,2,3\n3,4\n",
          "2!5 the row has 1 field, the header 2;"
          "3!7 the row has 3 fields, the header 2;4:a=3,b=4;");
}

static void
test_csv__columns_without_a_name_are_passed_over(void **state)
{
    (void)state;
    gives(RLK_FORMAT_TSV, "a\tb\t\t\n1\t2\t\t\n3\t4\tx\t\n",
          "2:a=1,b=2;3:a=3,b=4;");
}

static void
test_csv__a_wrong_quote_rejects_the_row_alone(void **state)
{
    (void)state;
    gives(RLK_FORMAT_CSV, "a,b\n1,5\" pipe\n3,4\n",
          "2!8 a quote within an unquoted field;3:a=3,b=4;");
    gives(RLK_FORMAT_CSV, "a,b\n1, x\"\n3,4\n",
          "2!9 a quote within an unquoted field;3:a=3,b=4;");
    gives(RLK_FORMAT_CSV,
          "a,b\n\"say \"hi, you\" \",\"m\nn\"\r\n1,\"2\"x\"\r\n3,4\n",
          "2!11 text behind a closing quote;"
          "4!34 text behind a closing quote;5:a=3,b=4;");
}

static void
test_csv__the_body_fails_where_a_row_may_end_anywhere(void **state)
{
    (void)state;
    fails(RLK_FORMAT_CSV, "a,b\n1,\"he said \"x\n7,evil\n\"y\"\"\n",
          "the body is damaged: text behind a closing quote");
    fails(RLK_FORMAT_CSV, "a,b\n\"1\"x,2\n3,4\n",
          "the body is damaged: text behind a closing quote");
    fails(RLK_FORMAT_CSV, "a,b\n1, \"x\n7,evil\ny\"\n",
          "the body is damaged: a quote within an unquoted field");
    assert_string_equal(err.context, "line 2, byte 8");
}

static void
test_csv__a_cut_quote_is_a_failure(void **state)
{
    (void)state;
    fails(RLK_FORMAT_CSV, "a,b\n1,\"2\n3,4\n",
          "the body is cut off: it ends within a quoted field");
    fails(RLK_FORMAT_CSV, "a,\"b",
          "the body is cut off: it ends within a quoted field");
}

static void
test_csv__repeated_names_fail(void **state)
{
    (void)state;
    fails(RLK_FORMAT_CSV, "a,b,a\n1,2,3\n", "the header names 'a' twice");
    fails(RLK_FORMAT_CSV, ",,\n1,2,3\n", "the header names no column");
    fails(RLK_FORMAT_CSV, "a,\xFF\n1,2\n", "invalid UTF-8");
}

static void
test_csv__invalid_utf8_rejects_the_row_alone(void **state)
{
    (void)state;
    gives(RLK_FORMAT_CSV, "a,b\n1,\xFF\n3,4\n", "2!7 invalid UTF-8;3:a=3,b=4;");
}

static void
test_csv__a_row_over_the_limit_is_passed_over(void **state)
{
    (void)state;
    record_limit = 12;
    gives(RLK_FORMAT_CSV, "a,b\n\"123456\n89,\",\"7\n\"\n3,4\n",
          "2!long;5:a=3,b=4;");
    gives(RLK_FORMAT_NDJSON, "{}\n{\"a\":12345678}\n[]\n", "1:{};2:;3:[];");
    record_limit = 0;
}

static void
test_tsv__quotes_within_a_field_are_characters(void **state)
{
    (void)state;
    gives(RLK_FORMAT_TSV, "a\tb\n5\" pipe\t\"x\ty\"\n", "2:a=5\" pipe,b=x\ty;");
}

static void
test_ndjson__lines_are_cut_and_trimmed(void **state)
{
    (void)state;
    gives(RLK_FORMAT_NDJSON, "{\"a\":1}\r\n\n \t\n  {\"b\":2} \n{\"c\":3}",
          "1:{\"a\":1};4:{\"b\":2};5:{\"c\":3};");
    gives(RLK_FORMAT_NDJSON, "", "");
}

static int
free_out(void **state)
{
    (void)state;
    rlk_buf_done(&out);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv__header_names_the_fields),
        cmocka_unit_test(test_csv__line_ends_are_lf_or_crlf),
        cmocka_unit_test(test_csv__quoted_fields_hold_anything),
        cmocka_unit_test(test_csv__spaces_are_part_of_the_field),
        cmocka_unit_test(
            test_csv__byte_order_mark_is_no_part_of_the_first_name),
        cmocka_unit_test(test_csv__ragged_rows_are_rejected_alone),
        cmocka_unit_test(test_csv__columns_without_a_name_are_passed_over),
        cmocka_unit_test(test_csv__a_wrong_quote_rejects_the_row_alone),
        cmocka_unit_test(test_csv__the_body_fails_where_a_row_may_end_anywhere),
        cmocka_unit_test(test_csv__a_cut_quote_is_a_failure),
        cmocka_unit_test(test_csv__repeated_names_fail),
        cmocka_unit_test(test_csv__invalid_utf8_rejects_the_row_alone),
        cmocka_unit_test(test_csv__a_row_over_the_limit_is_passed_over),
        cmocka_unit_test(test_tsv__quotes_within_a_field_are_characters),
        cmocka_unit_test(test_ndjson__lines_are_cut_and_trimmed),
    };
    return cmocka_run_group_tests(tests, NULL, free_out);
}
