/* SPDX-License-Identifier: MIT
 * What the program says to people, on stderr. Errors in PostgreSQL's manner,
 * lined up:
 *
 *     rowlock: could not obtain the lock on region 7
 *      detail: It is held by process 1234 (rowlock lock).
 *        hint: Try again later, or wait longer.
 */
#ifndef RLK_CLI_SPEAK_H
#define RLK_CLI_SPEAK_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/command.h"
#include "rowlock/lock.h"

/* Says err, with the command's name before the message (NULL: none); answers
 * the exit status that goes with it. */
int rlk_speak_error(const char *command, const rowlock_error *err);
/* Says why a command failed; answers the exit status. A misuse is wrong usage,
 * a signal's number stands in the status. */
int rlk_speak_failure(const struct rlk_args *args, const rowlock_error *err);
/* A line of its own: "rowlock: text". */
void rlk_speak(const char *format, ...) RLK_PRINTF(1, 2);
/* "waiting for region/7: locked by pid 4711 (rowlock lock)". */
void rlk_wait_print(const rowlock_wait_notice *notice, char *ret_text,
                    size_t size);
/* For on_wait of sessions: "waiting for region/7: locked by pid ...". arg is
 * not used. */
void rlk_speak_wait(const rowlock_wait_notice *notice, void *arg);

/* Colours are wanted on this stream: a terminal, and NO_COLOR not set. */
bool rlk_speak_coloured(FILE *stream);
/* stderr is a terminal on which a line can be written over. */
bool rlk_speak_over(void);
/* The stream goes to the system's journal, which writes the time itself. */
bool rlk_speak_to_journal(FILE *stream);
/* text with what would steer a terminal made visible: it may come from other
 * programs. */
void rlk_buf_visible(struct rlk_buf *buf, const char *text);
/* Columns that a terminal needs for it, as good as that can be told:
 * characters.
 */
size_t rlk_width(const char *text);
/* Ends a command that printed data: stdout could be written in full, or it is
 * said and RLK_EXIT_FAILED is answered in place of status. */
int rlk_speak_done(int status);

#endif
