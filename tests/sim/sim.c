/* SPDX-License-Identifier: MIT
 * A run: what each word of it does, and what must hold after it. */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#include "lock/name.h"
#include "world.h"

enum {
    ROOM = RLK_SEGMENT,
    QUIET_EVERY = 256,
    REBUILD_EVERY = 64,
    PHASE = 1500
};

/* ---- the world ---- */

static bool
alive(void *arg, uint32_t owner, uint32_t incarnation, bool thorough)
{
    const struct world *w = arg;
    (void)thorough;
    return w->plant == SIM_SEE_NO_DEATH || w->actors[owner].doing != DIED ||
           w->t.owners[owner].incarnation != incarnation;
}

static bool
has_room(void *arg, uint32_t capacity)
{
    (void)arg;
    return capacity <= ROOM;
}

void
world_init(struct world *w, enum sim_mode mode, enum sim_plant plant, FILE *log)
{
    memset(w, 0, sizeof *w);
    const struct rlk_world outside = {alive, has_room, w};
    void *map = calloc(1, rlk_file_bytes(ROOM));
    if (!map)
        abort();
    rlk_table_init(&w->t, map, &outside);
    rlk_table_format(&w->t, ROOM);
    w->mode = mode;
    w->plant = plant;
    w->log = log;
    w->model.next_arrival = w->t.h->next_ticket;
    for (int n = 0; n < SIM_NAMES; n++) {
        const rowlock_value key = rowlock_int(n);
        const rowlock_name name = {n == SIM_TABLE  ? ROWLOCK_TABLE
                                   : n == SIM_SLOT ? ROWLOCK_WRITER
                                                   : ROWLOCK_RECORD,
                                   "t", NULL, &key, n != SIM_TABLE};
        w->ids[n].kind = (uint8_t)name.kind;
        rlk_name_hash(&name, w->ids[n].hash);
        rlk_name_label(&name, w->ids[n].label);
    }
    for (int o = 0; o < SIM_OWNERS; o++)
        w->actors[o].search = rlk_search_new();
}

void
world_done(struct world *w)
{
    for (int o = 0; o < SIM_OWNERS; o++) {
        rlk_search_free(w->actors[o].search);
        rlk_log_done(&w->actors[o].log);
    }
    free(w->t.map);
}

void
world_fail(struct world *w, const char *what)
{
    if (!w->failure)
        w->failure = what;
}

static struct rlk_lock *
lock_of(struct world *w, int owner, int name)
{
    uint32_t index = rlk_name_find(&w->t, w->ids[name].hash);
    for (uint32_t i = w->t.owners[owner].locks; i && index;
         i = rlk_lock_at(&w->t, i)->own_next)
        if (rlk_lock_at(&w->t, i)->name == index)
            return rlk_lock_at(&w->t, i);
    return NULL;
}

uint32_t
world_held(struct world *w, int owner, int name)
{
    const struct rlk_lock *lock = lock_of(w, owner, name);
    return lock ? rlk_held(lock->word) : 0;
}

void
world_picture(struct world *w, struct model *ret)
{
    memset(ret, 0, sizeof *ret);
    for (int o = 0; o < SIM_OWNERS; o++) {
        ret->dead[o] = w->actors[o].doing == DIED;
        for (int n = 0; n < SIM_NAMES; n++) {
            const struct rlk_lock *lock = lock_of(w, o, n);
            if (lock)
                ret->claims[o][n] =
                    (struct claim){rlk_held(lock->word), rlk_want(lock->word),
                                   lock->ticket, lock->bypassed};
        }
    }
}

/* ---- what must hold ---- */

/* A planted fault shall show in who holds and waits, not in a number. */
static bool
same(const struct world *w, const struct claim *a, const struct claim *b)
{
    return a->held == b->held && a->want == b->want &&
           (!a->want || w->plant ||
            (a->arrival == b->arrival && a->bypassed == b->bypassed));
}

/* Who was woken for the slot has taken it, unless it cannot. */
static void
check_slot(struct world *w, const struct model *m)
{
    int next = model_next_for_slot(m);
    if (next >= 0 && !m->dead[next] && !w->actors[next].stopped)
        world_fail(w, "the slot is free, and who is next sleeps");
}

static void
compare_with_model(struct world *w)
{
    struct model picture;
    world_picture(w, &picture);
    for (int o = 0; o < SIM_OWNERS; o++)
        for (int n = 0; n < SIM_NAMES; n++)
            if (!same(w, &picture.claims[o][n], &w->model.claims[o][n]))
                world_fail(w, "the table is not what the model says");
    const char *broken = model_broken(&w->model);
    if (broken)
        world_fail(w, broken);
    check_slot(w, &w->model);
    if (model_in_cycles(&w->model, true))
        world_fail(w, "a deadlock remains");
}

/* Who holds conflicts with nobody, at any time. */
static void
check_holders(struct world *w)
{
    for (int n = 0; n < SIM_NAMES; n++)
        for (int o = 0; o < SIM_OWNERS; o++)
            for (int p = 0; p < o; p++)
                if (rlk_conflict(world_held(w, o, n), world_held(w, p, n)))
                    world_fail(w, "two holders conflict");
}

/* As after a death inside the latch. It grants what could be granted, so at
 * rest it changes nothing. */
static void
rebuild(struct world *w)
{
    w->t.n_wake = 0;
    rlk_rebuild(&w->t, w->scratch);
    for (uint32_t i = 0; i < w->t.n_wake; i++)
        w->actors[w->t.wake[i]].woken = true;
}

/* Who died in the queue of a free slot leaves it when somebody looks; if nobody
 * waits there, that is the rebuild. */
static void
clear_slot_of_the_dead(struct world *w)
{
    struct model now;
    world_picture(w, &now);
    int next = model_next_for_slot(&now);
    if (next < 0 || !now.dead[next])
        return;
    rebuild(w);
    if (w->mode == SIM_WHOLE)
        model_look(&w->model, SIM_SLOT);
}

static void
check_rebuild(struct world *w)
{
    struct model before, after;
    clear_slot_of_the_dead(w);
    uint32_t n_names = w->t.h->n_names;
    world_picture(w, &before);
    rebuild(w);
    world_picture(w, &after);
    for (int o = 0; o < SIM_OWNERS; o++)
        for (int n = 0; n < SIM_NAMES; n++)
            if (!same(w, &before.claims[o][n], &after.claims[o][n]))
                world_fail(w, "a rebuild makes something else of it");
    if (w->t.h->n_names != n_names)
        world_fail(w, "a rebuild counts other names");
}

/* All that run have looked around: what must be so then. The stopped do not
 * look, so what leads through them may remain. */
static void
check_at_rest(struct world *w)
{
    struct model picture;
    world_picture(w, &picture);
    const char *broken = model_broken(&picture);
    uint32_t stopped = 0, dead = 0;
    for (int o = 0; o < SIM_OWNERS; o++) {
        stopped |= (uint32_t)w->actors[o].stopped << o;
        dead |= (uint32_t)picture.dead[o] << o;
        if (!w->actors[o].stopped && w->actors[o].doing == SLEEPS &&
            model_waits_for_dead(&picture, o))
            world_fail(w, "someone waits for the dead");
    }
    if (broken)
        world_fail(w, broken);
    check_slot(w, &picture);
    if (!stopped && (model_in_cycles(&picture, false) & ~dead))
        world_fail(w, "a cycle remains");
}

static uint32_t
length_of_free_locks(struct world *w)
{
    uint32_t n = 0;
    for (uint32_t i = w->t.h->free_lock; i && n < ROOM; n++)
        i = rlk_lock_at(&w->t, i)->own_next;
    return n;
}

static uint32_t
length_of_free_names(struct world *w)
{
    uint32_t n = 0;
    for (uint32_t i = w->t.h->free_name; i && n < ROOM; n++)
        i = rlk_name_at(&w->t, i)->next;
    return n;
}

static uint32_t
length_of_free_queues(struct world *w)
{
    uint32_t n = 0;
    for (uint32_t i = w->t.h->free_queue; i && n < RLK_OWNERS; n++)
        i = w->t.queues[i - 1].next_free;
    return n;
}

static void
check_nothing_leaked(struct world *w)
{
    const struct rlk_header *h = w->t.h;
    if (h->n_names != 0 || length_of_free_locks(w) != h->used_locks - 1 ||
        length_of_free_names(w) != h->used_names - 1)
        world_fail(w, "locks or names leaked");
    if (length_of_free_queues(w) != RLK_OWNERS)
        world_fail(w, "queues leaked");
}

/* ---- time goes on ---- */

/* Whoever has news, or works, and may: until all rest. */
static void
settle(struct world *w)
{
    for (bool moved = true; moved && !w->failure;) {
        moved = false;
        for (int o = 0; o < SIM_OWNERS; o++) {
            struct actor *a = &w->actors[o];
            bool news =
                a->doing == SLEEPS && (a->woken || w->t.owners[o].waiting == 0);
            if (a->stopped ||
                !(news ||
                  (a->doing >= ASKS && a->doing != SLEEPS && a->doing != DIED)))
                continue;
            actor_step(w, o);
            moved = true;
        }
    }
}

/* Every sleeper's slice is over. */
static void
look_around(struct world *w)
{
    for (int o = 0; o < SIM_OWNERS; o++)
        w->actors[o].woken |= w->actors[o].doing == SLEEPS;
    settle(w);
}

static void
rest(struct world *w)
{
    for (int o = 0; o < SIM_OWNERS; o++)
        w->actors[o].stopped &= w->mode == SIM_WHOLE;
    for (int i = 0; i < 4; i++)
        look_around(w);
    check_at_rest(w);
    check_rebuild(w);
}

static void
end(struct world *w)
{
    for (int o = 0; o < SIM_OWNERS; o++)
        w->actors[o].stopped = false;
    rest(w);
    for (int o = 0; o < SIM_OWNERS && !w->failure; o++) {
        struct actor *a = &w->actors[o];
        if (a->doing == SLEEPS)
            actor_give_up(w, o);
        settle(w);
        if (a->doing == IDLE)
            actor_commit(w, o, true);
        else if (a->doing == DIED)
            actor_bury(w, o);
        settle(w);
    }
    if (!w->failure)
        check_nothing_leaked(w);
}

/* ---- events ---- */

static void
all_deadlines(struct world *w, int32_t now)
{
    for (int o = 0; o < SIM_OWNERS; o++)
        if (w->actors[o].doing == SLEEPS && !w->actors[o].stopped &&
            w->actors[o].deadline <= now)
            actor_give_up(w, o);
}

/* What happens to the world rather than by one owner; true if it did. */
static bool
misfortune(struct world *w, int owner, uint32_t what, int32_t now)
{
    struct actor *a = &w->actors[owner];
    if (what == 0 && a->doing > NOT_THERE && a->doing != DIED)
        actor_die(w, owner);
    else if (what == 1 && a->doing > NOT_THERE && a->doing != DIED)
        a->stopped = true;
    else if (what == 2)
        all_deadlines(w, now);
    else if (what == 3 && a->doing == DIED && w->plant != SIM_SEE_NO_DEATH)
        actor_bury(w, owner);
    else if (what < 8)
        a->stopped = false;
    else
        return false;
    return true;
}

/* In every second phase most want to share, so that gates close. */
static enum rowlock_mode
mode_of(uint32_t r, bool sharing)
{
    if (sharing)
        return r % 32 == 0 ? ROWLOCK_UPDATE
                           : (enum rowlock_mode)(ROWLOCK_KEY_SHARE + r % 2);
    return (enum rowlock_mode)(ROWLOCK_KEY_SHARE + r % 4);
}

static void
start(struct world *w, int owner, uint32_t r, size_t at)
{
    bool sharing = at / PHASE % 2 == 1;
    uint32_t kind = r >> 4 & 31;
    int name = 1 + (int)((r >> 9) % (sharing ? 2 : SIM_NAMES - 1));
    if ((r >> 24 & 15) == 0)
        name = SIM_TABLE;
    enum rowlock_mode mode =
        mode_of(r >> 12 & 31, sharing && name != SIM_TABLE);
    if (name == SIM_SLOT)
        mode = ROWLOCK_UPDATE;
    int32_t deadline = r >> 31 && !sharing ? (int32_t)at + 200 : NO_DEADLINE;
    if (kind < 20)
        actor_take(w, owner, name, mode, kind < 17, deadline);
    else if (kind < 22)
        actor_savepoint(w, owner);
    else if (kind < 25)
        actor_roll_back(w, owner);
    else
        actor_commit(w, owner, kind == 31);
}

static void
event(struct world *w, uint32_t r, size_t at)
{
    int owner = (int)(r % SIM_OWNERS);
    struct actor *a = &w->actors[owner];
    if (misfortune(w, owner, r >> 17 & 127, (int32_t)at))
        return;
    if (a->stopped || a->doing == DIED)
        return;
    if (a->doing == NOT_THERE)
        actor_arrive(w, owner);
    else if (a->doing == IDLE)
        start(w, owner, r, at);
    else if (a->doing == SLEEPS && (r >> 4 & 31) == 0)
        actor_give_up(w, owner);
    else
        actor_step(w, owner);
    actor_go(w, owner);
}

/* ---- faults on purpose ---- */

static void
spoil(struct world *w)
{
    for (int o = 0; o < SIM_OWNERS; o++) {
        uint32_t index = w->t.owners[o].waiting;
        if (index == 0)
            continue;
        struct rlk_lock *lock = rlk_lock_at(&w->t, index);
        if (w->plant == SIM_OPEN_GATE)
            lock->bypassed = 0;
        if (w->plant == SIM_GRANT_ANYWAY)
            lock->word = rlk_word(rlk_want(lock->word), 0);
        if (w->plant == SIM_LOSE_A_PLACE)
            lock->ticket = w->t.h->next_ticket++;
        if (w->plant == SIM_FORGET_A_GRANT && rlk_held(lock->word) == 0) {
            struct rlk_name *name = rlk_name_at(&w->t, lock->name);
            name->held[ROWLOCK_KEY_SHARE - 1]++; /* held by nobody */
        }
    }
}

/* ---- a run ---- */

static void
one(struct world *w, uint32_t r, size_t at)
{
    if (w->log)
        fprintf(w->log, "%zu: %08x\n", at, r);
    event(w, r, at);
    if (w->plant && at % 97 == 96)
        spoil(w);
    if (w->mode == SIM_WHOLE) {
        settle(w);
        compare_with_model(w);
    } else {
        if (at % REBUILD_EVERY == 0)
            rebuild(w);
        check_holders(w);
    }
    if (at % QUIET_EVERY == QUIET_EVERY - 1)
        rest(w);
}

struct sim_result
sim_run(const uint32_t *events, size_t n, enum sim_mode mode,
        enum sim_plant plant, FILE *log)
{
    struct world *w = malloc(sizeof *w);
    if (!w)
        abort();
    world_init(w, mode, plant, log);
    size_t at = 0;
    while (at < n && !w->failure) {
        one(w, events[at], at);
        at++;
    }
    if (!w->failure)
        end(w);
    w->result.failure = w->failure;
    w->result.at = at;
    w->result.bypasses = w->t.h->counters.bypasses;
    struct sim_result result = w->result;
    world_done(w);
    free(w);
    return result;
}

/* splitmix64 (Steele, Lea, Flood, OOPSLA 2014). */
void
sim_draw(uint64_t seed, uint32_t *ret_events, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t z = seed += 0x9E3779B97F4A7C15;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
        z = (z ^ z >> 27) * 0x94D049BB133111EB;
        ret_events[i] = (uint32_t)(z ^ z >> 31);
    }
}

/* Zeller and Hildebrandt's delta debugging, in its simple form. */
size_t
sim_shrink(uint32_t *events, size_t n, enum sim_mode mode, enum sim_plant plant)
{
    uint32_t *fewer = malloc(n * sizeof *fewer + 1);
    if (!fewer)
        abort();
    for (size_t piece = n / 2; piece > 0; piece /= 2)
        for (size_t at = 0; at + piece <= n;) {
            memcpy(fewer, events, at * sizeof *fewer);
            memcpy(fewer + at, events + at + piece,
                   (n - at - piece) * sizeof *fewer);
            if (sim_run(fewer, n - piece, mode, plant, NULL).failure) {
                n -= piece;
                memcpy(events, fewer, n * sizeof *fewer);
            } else {
                at += piece;
            }
        }
    free(fewer);
    return n;
}
