/* SPDX-License-Identifier: MIT
 * The inside of an attachment: for attach.c and owner.c only. */
#ifndef RLK_LOCK_ATTACHMENT_H
#define RLK_LOCK_ATTACHMENT_H

#include "attach.h"

struct rlk_attachment {
    struct rlk_attachment *next; /* of this process */
    int refs;
    char *path; /* of the lock table */
    int fd;
    dev_t device;
    ino_t inode;
    void *map;
    bool forked;
    struct rlk_process self;
    uint32_t *scratch;       /* RLK_OWNERS words, for a rebuild */
    uint8_t own[RLK_OWNERS]; /* slots of this process; atomic */
};

/* Choosing slots, and the list of attachments. */
void rlk_attachments_lock(void);
void rlk_attachments_unlock(void);

/* rlk_world's questions, arg being an attachment. */
bool rlk_owner_is_alive(void *arg, uint32_t slot, uint32_t incarnation,
                        bool thorough);

#endif
