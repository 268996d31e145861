/* SPDX-License-Identifier: MIT
 * The lock table's file, damaged: three bytes say where and by what, four say
 * which call comes next. Calls must come to an end and touch nothing outside
 * the map; what they answer is theirs, once damage was met. */
#include <string.h>

#include "fuzz.h"
#include "lock/core.h"
#include "lock/deadlock.h"
#include "lock/name.h"

enum { ROOM = RLK_SEGMENT, OWNERS = 8, LONGEST = 512 };

static uint32_t scratch[RLK_OWNERS];

static bool
alive(void *arg, uint32_t owner, uint32_t incarnation, bool thorough)
{
    (void)arg, (void)incarnation, (void)thorough;
    return owner % 3 != 0;
}

static bool
has_room(void *arg, uint32_t capacity)
{
    (void)arg;
    return capacity <= ROOM;
}

static void
ask(struct rlk_table *t, uint32_t owner, uint8_t key, uint8_t mode)
{
    const rowlock_value value = rowlock_int(key % 16);
    const rowlock_name name = {ROWLOCK_RECORD, "t", NULL, &value, 1};
    struct rlk_id id = {.kind = ROWLOCK_RECORD};
    uint32_t lock;
    if (rlk_owner_at(t, owner)->waiting)
        return;
    rlk_name_hash(&name, id.hash);
    rlk_name_label(&name, id.label);
    const struct rlk_request r = {owner, 0, &id, 1 + mode % 4, true};
    (void)rlk_request(t, &r, &lock);
}

static void
call(struct rlk_table *t, const uint8_t *step)
{
    uint32_t owner = step[1] % OWNERS;
    t->visits = 0;
    t->n_wake = 0;
    switch (step[0] % 6) {
    case 0:
    case 1:
        ask(t, owner, step[2], step[3]);
        break;
    case 2:
        rlk_leave(t, owner);
        break;
    case 3:
        rlk_lower(t, rlk_owner_at(t, owner)->locks, step[3] % 4);
        break;
    case 4:
        (void)rlk_reap(t, owner, rlk_owner_at(t, owner)->incarnation);
        break;
    case 5:
        rlk_rebuild(t, scratch);
        break;
    }
}

/* Where there is something: the header, the first owners and queues, the first
 * locks, names and buckets. */
static size_t
place_of(uint8_t a, uint8_t b)
{
    static const size_t areas[] = {0,
                                   RLK_OWNERS_AT,
                                   RLK_QUEUES_AT,
                                   RLK_SEGMENTS_AT,
                                   RLK_SEGMENTS_AT + RLK_NAMES_AT,
                                   RLK_SEGMENTS_AT + RLK_BUCKETS_AT};
    return areas[a % 6] + (size_t)(a / 6) * 16 + b % 256;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char *map;
    static struct rlk_table t;
    const struct rlk_world world = {alive, has_room, NULL};
    size_t bytes = rlk_file_bytes(ROOM);
    if (!map)
        map = malloc(bytes);
    must(map);
    memset(map, 0, bytes);
    rlk_table_init(&t, map, &world);
    rlk_table_format(&t, ROOM);
    for (uint32_t i = 0; i < OWNERS; i++)
        t.owners[i].incarnation = 1;
    for (size_t i = 0; i + 7 <= size && i < LONGEST; i += 7) {
        if (data[i + 2])
            map[place_of(data[i], data[i + 1])] ^= data[i + 2];
        call(&t, data + i + 3);
    }
    return 0;
}
