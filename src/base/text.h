/* SPDX-License-Identifier: MIT
 * Text: a growable buffer, durations, and the word that was meant. */
#ifndef RLK_BASE_TEXT_H
#define RLK_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

/* Zeroed is empty. Out of memory is remembered: check failed once, at the
 * end. ptr ends with a NUL after the first add. */
struct rlk_buf {
    char *ptr;
    size_t len, cap;
    bool failed;
};

void rlk_buf_add(struct rlk_buf *buf, const void *bytes, size_t len);
void rlk_buf_text(struct rlk_buf *buf, const char *text);
void rlk_buf_char(struct rlk_buf *buf, char c);
void rlk_buf_format(struct rlk_buf *buf, const char *format, ...)
    RLK_PRINTF(2, 3);
/* A JSON string with its quotes; bytes that are no UTF-8 become U+FFFD. */
void rlk_buf_json(struct rlk_buf *buf, const char *text, size_t len);
void rlk_buf_clear(struct rlk_buf *buf); /* keeps the memory */
void rlk_buf_done(struct rlk_buf *buf);
#define RLK_AUTOBUF __attribute__((cleanup(rlk_buf_done)))

/* The length in bytes of the valid UTF-8 sequence at text (1 to 4), or 0. */
size_t rlk_utf8_length(const char *text, size_t len);
/* The offset of the first byte that is no valid UTF-8; len when all is. */
size_t rlk_utf8_check(const char *text, size_t len);

/* Integer + ms|s|m|h|d, as in "5s", to milliseconds (at most 2^31 - 1).
 * false: not a duration. */
bool rlk_duration_parse(const char *text, int32_t *ret_ms);
/* "850 ms", "3.2 s", "4 min", "5 h", "6 d". */
void rlk_duration_print(int64_t ms, char *ret_text, size_t size);

/* How many characters differ, swapped neighbours counting one
 * (Damerau-Levenshtein); 64 for words that are longer than that. */
size_t rlk_distance(const char *a, const char *b);
/* Of the words (NULL-terminated) the one nearest to word, or NULL when none
 * is near enough to be what was meant. */
const char *rlk_nearest(const char *word, const char *const *words);

#endif
