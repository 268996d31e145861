/* SPDX-License-Identifier: MIT
 * What only Linux can say: futexes, open-file-description locks, mappings,
 * processes. No other file of the room makes such calls. */
#ifndef RLK_LOCK_PLATFORM_H
#define RLK_LOCK_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- futex, shared between processes ---- */

enum rlk_woken { RLK_WOKEN, RLK_TIMED_OUT };
/* Sleep while *word == expected, ns at most. A signal also wakes. */
enum rlk_woken rlk_futex_wait(uint32_t *word, uint32_t expected, int64_t ns);
void rlk_futex_wake(uint32_t *word, int n); /* async-signal-safe */
/* Who sleeps on from sleeps on to. */
void rlk_futex_move(uint32_t *from, uint32_t *to);

/* ---- one byte of a file, locked by the file description ---- */

enum rlk_byte_lock { RLK_BYTE_SHARED, RLK_BYTE_EXCLUSIVE, RLK_BYTE_FREE };
/* 0, or EAGAIN when another description holds it, or another errno. Converts a
 * lock already held, in one step. */
int rlk_byte_try(int fd, int64_t offset, enum rlk_byte_lock type);
/* The same, but sleeps for it. */
int rlk_byte_wait(int fd, int64_t offset, enum rlk_byte_lock type);
/* Does another description hold it? Errors count as yes. */
bool rlk_byte_is_taken(int fd, int64_t offset);

/* ---- processes ---- */

struct rlk_process {
    int64_t pid;
    uint64_t started;   /* ticks after boot; 0: unknown */
    uint64_t namespace; /* within which pid and started mean something; 0:
                           unknown */
};
void rlk_process_self(struct rlk_process *ret);
/* Surely gone? Only asked within one pid namespace. */
bool rlk_process_is_gone(int64_t pid, uint64_t started);

/* ---- files and memory ---- */

/* At most size - 1 characters; false when the kernel does not tell. */
bool rlk_boot_id(char *ret_id, size_t size);
/* The name of a network file system that fd lies on, or NULL. */
const char *rlk_network_file_system(int fd);
/* Shared, and absent in forked children; NULL with errno. */
void *rlk_map_file(int fd, size_t size);
void rlk_unmap(void *map, size_t size);
/* Room on disk for the bytes from .. to, contents kept; 0 or errno. */
int rlk_file_reserve(int fd, uint64_t from, uint64_t to);

int64_t rlk_clock_ns(void); /* monotonic, the same in every process */
int64_t rlk_clock_ms(void); /* the same, coarser and cheaper */
void rlk_pause(void);       /* a breath in a spin */
void rlk_yield(void);       /* others on this processor first */

#endif
