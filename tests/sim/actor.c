/* SPDX-License-Identifier: MIT
 * What an owner does, step by step. Each step is one hold of the latch. */
#include "world.h"

static struct actor *
actor_of(struct world *w, int owner)
{
    return &w->actors[owner];
}

static void
say(struct world *w, int owner, const char *what, int name, uint32_t mode)
{
    if (w->log)
        fprintf(w->log, "  owner %d %s %s/%d %s\n", owner, what,
                name == SIM_TABLE  ? "table"
                : name == SIM_SLOT ? "slot"
                                   : "record",
                name, rowlock_mode_name((enum rowlock_mode)mode));
}

/* ---- the latch ---- */

/* In SIM_CUT a hold has few visits left: for a walk or a burial, which end at
 * half of them, or for grants and the search, which end at all. */
static void
enter(struct world *w, uint32_t most)
{
    w->noise = w->noise * 1664525 + 1013904223;
    w->t.visits = w->mode == SIM_CUT ? most - (w->noise >> 20) % 6 : 0;
    w->t.n_wake = 0;
    w->t.now_ms++;
}

static void
leave(struct world *w)
{
    for (uint32_t i = 0; i < w->t.n_wake; i++)
        actor_of(w, (int)w->t.wake[i])->woken = true;
    if (w->t.damaged)
        world_fail(w, "the table says that it is damaged");
}

static bool
whole(const struct world *w)
{
    return w->mode == SIM_WHOLE;
}

/* ---- release ---- */

static void
start_release(struct world *w, int owner, size_t mark, const uint8_t *modes)
{
    struct actor *a = actor_of(w, owner);
    a->doing = RELEASES;
    a->release_to = mark;
    memcpy(a->release_modes, modes, SIM_NAMES);
    if (w->plant == SIM_KEEP_A_LOCK && mark && a->log.n > mark)
        a->release_to++;
}

static void
release_step(struct world *w, int owner)
{
    struct actor *a = actor_of(w, owner);
    enter(w, RLK_MOST_VISITS / 2);
    bool done = rlk_log_walk_back(&a->log, &w->t, a->release_to);
    leave(w);
    if (!done)
        return;
    for (int n = 0; whole(w) && n < SIM_NAMES; n++)
        if (w->model.claims[owner][n].held > a->release_modes[n])
            model_lower(&w->model, owner, n, a->release_modes[n]);
    for (int n = 0; n < SIM_NAMES; n++)
        if (world_held(w, owner, n) != a->release_modes[n])
            world_fail(w, "a release did not go back to what was held");
    a->doing = a->leaves ? NOT_THERE : IDLE;
    if (a->leaves)
        RLK_PUBLISH(w->t.owners[owner].incarnation,
                    w->t.owners[owner].incarnation + 1);
    a->leaves = false;
}

/* ---- asking ---- */

static void
fail_take(struct world *w, int owner)
{
    struct actor *a = actor_of(w, owner);
    start_release(w, owner, a->take_mark, a->before_take);
}

static void
have(struct world *w, int owner)
{
    struct actor *a = actor_of(w, owner);
    rlk_log_add(&a->log, a->lock, a->before, w->ids[a->asking].hash[0]);
    a->doing = a->asking == a->wanted ? IDLE : ASKS;
    a->asking = a->wanted;
    w->result.grants++;
}

struct looking_for {
    struct rlk_table *table;
    const struct rlk_id *id;
};

static bool
has_name(void *arg, uint32_t lock)
{
    const struct looking_for *wanted = arg;
    struct rlk_table *t = wanted->table;
    const struct rlk_name *name = rlk_name_at(t, rlk_lock_at(t, lock)->name);
    return memcmp(name->hash, wanted->id->hash, sizeof name->hash) == 0;
}

/* The lock as a session finds it, by its own log. */
static uint32_t
find(struct world *w, int owner, int name)
{
    struct looking_for wanted = {&w->t, &w->ids[name]};
    return rlk_log_find(&actor_of(w, owner)->log, wanted.id->hash[0], has_name,
                        &wanted);
}

static void
ask_step(struct world *w, int owner)
{
    struct actor *a = actor_of(w, owner);
    enum rowlock_mode mode =
        a->asking == a->wanted ? a->mode : ROWLOCK_KEY_SHARE;
    uint32_t held = find(w, owner, a->asking);
    a->before = held ? rlk_held(rlk_lock_at(&w->t, held)->word) : ROWLOCK_READ;
    if (a->before >= mode) {
        a->doing = a->asking == a->wanted ? IDLE : ASKS;
        a->asking = a->wanted;
        return;
    }
    const struct rlk_request request = {(uint32_t)owner, held,
                                        &w->ids[a->asking], mode, a->may_wait};
    if (!rlk_log_reserve(&a->log))
        world_fail(w, "out of memory");
    say(w, owner, "asks for", a->asking, mode);
    enter(w, RLK_MOST_VISITS);
    enum rlk_answer answer = rlk_request(&w->t, &request, &a->lock);
    leave(w);
    if (whole(w) && model_request(&w->model, owner, a->asking, mode,
                                  a->may_wait) != (answer == RLK_GRANTED))
        world_fail(w, "granted or not, unlike the model");
    if (answer == RLK_GRANTED) {
        have(w, owner);
    } else if (answer == RLK_NO_ROOM) {
        world_fail(w, "no room");
    } else if (!a->may_wait) {
        fail_take(w, owner);
    } else {
        say(w, owner, "waits for", a->asking, mode);
        w->result.waits++;
        rlk_search_start(a->search, (uint32_t)owner);
        a->doing = SEARCHES;
    }
}

/* ---- waiting ---- */

static bool
is_granted(struct world *w, int owner)
{
    const struct actor *a = actor_of(w, owner);
    return rlk_want(rlk_lock_at(&w->t, a->lock)->word) == 0;
}

/* Of those that the gate kept back and a cycle led through, who was let
 * through? */
static void
follow_passes(struct world *w)
{
    for (int o = 0; o < SIM_OWNERS; o++) {
        int name = model_waits_for(&w->model, o);
        if (name < 0 || w->t.owners[o].waiting)
            continue;
        if (!model_is_gated(&w->model, o) ||
            !(model_in_cycles(&w->model, false) >> o & 1))
            world_fail(w, "passed the gate without need");
        model_pass_gate(&w->model, o, name);
        w->result.gated++;
    }
}

static void
search_step(struct world *w, int owner)
{
    struct actor *a = actor_of(w, owner);
    enter(w, RLK_MOST_VISITS);
    enum rlk_found found = w->plant == SIM_SEE_NO_CYCLE
                               ? RLK_NO_CYCLE
                               : rlk_search_step(a->search, &w->t);
    if (whole(w))
        follow_passes(w);
    if (found == RLK_CYCLE) {
        struct model now;
        world_picture(w, &now);
        if (!(model_in_cycles(&now, true) >> owner & 1))
            world_fail(w, "a victim without a deadlock");
        say(w, owner, "is the victim at", a->asking, a->mode);
        rlk_leave(&w->t, (uint32_t)owner);
        if (whole(w))
            model_lower(&w->model, owner, a->asking, ROWLOCK_UPDATE);
        w->result.deadlocks++;
        fail_take(w, owner);
    } else if (found == RLK_NO_CYCLE) {
        a->doing = SLEEPS;
    }
    leave(w);
}

/* As a waiter whose slice is over: who is in the way? */
static void
look_step(struct world *w, int owner)
{
    struct actor *a = actor_of(w, owner);
    enter(w, RLK_MOST_VISITS);
    uint32_t name = rlk_lock_at(&w->t, a->lock)->name;
    a->n_blockers = a->buried = 0;
    if (w->t.owners[owner].waiting) {
        rlk_pump(&w->t, name);
        if (whole(w))
            model_look(&w->model, a->asking);
        w->t.visits = 0; /* the dead among the living are all to be seen */
        enum rowlock_mode mode =
            a->asking == a->wanted ? a->mode : ROWLOCK_KEY_SHARE;
        if (w->t.owners[owner].waiting)
            a->n_blockers = rlk_blockers(&w->t, name, (uint32_t)owner, mode,
                                         a->blockers, SIM_OWNERS);
    }
    leave(w);
    a->doing = BURIES;
}

static bool
reap(struct world *w, uint32_t slot, uint32_t incarnation)
{
    bool there = w->t.owners[slot].incarnation == incarnation;
    enter(w, RLK_MOST_VISITS / 2);
    bool done = rlk_reap(&w->t, slot, incarnation);
    leave(w);
    if (!done || !there)
        return done;
    for (int n = 0; whole(w) && n < SIM_NAMES; n++)
        if (w->model.claims[slot][n].held || w->model.claims[slot][n].want)
            model_lower(&w->model, (int)slot, n, ROWLOCK_READ);
    w->model.dead[slot] = false;
    actor_of(w, (int)slot)->doing = NOT_THERE;
    w->result.burials++;
    return true;
}

static void
bury_step(struct world *w, int owner)
{
    struct actor *a = actor_of(w, owner);
    if (a->buried == a->n_blockers) {
        rlk_search_start(a->search, (uint32_t)owner);
        a->doing = SEARCHES;
        return;
    }
    const struct rlk_blocker *b = &a->blockers[a->buried];
    bool dead = actor_of(w, (int)b->slot)->doing == DIED &&
                w->t.owners[b->slot].incarnation == b->incarnation;
    if (!dead || w->plant == SIM_SEE_NO_DEATH ||
        reap(w, b->slot, b->incarnation))
        a->buried++;
}

static void
sleep_step(struct world *w, int owner)
{
    struct actor *a = actor_of(w, owner);
    if (is_granted(w, owner))
        have(w, owner);
    else if (a->woken)
        a->doing = LOOKS;
    a->woken = false;
}

void
actor_step(struct world *w, int owner)
{
    static void (*const steps[])(struct world *, int) = {
        [ASKS] = ask_step,     [SEARCHES] = search_step,
        [SLEEPS] = sleep_step, [LOOKS] = look_step,
        [BURIES] = bury_step,  [RELEASES] = release_step,
        [DIED] = NULL,
    };
    const struct actor *a = actor_of(w, owner);
    if (!a->stopped && steps[a->doing])
        steps[a->doing](w, owner);
}

void
actor_go(struct world *w, int owner)
{
    const struct actor *a = actor_of(w, owner);
    for (int i = 0; i < 1000 && whole(w) && !a->stopped && !w->failure; i++) {
        actor_step(w, owner);
        bool asleep = a->doing == SLEEPS && !a->woken && !is_granted(w, owner);
        if (a->doing <= IDLE || a->doing == DIED || asleep)
            return;
    }
}

/* ---- what an owner starts ---- */

static void
note_held(struct world *w, int owner, uint8_t *ret)
{
    for (int n = 0; n < SIM_NAMES; n++)
        ret[n] = (uint8_t)world_held(w, owner, n);
}

void
actor_take(struct world *w, int owner, int name, enum rowlock_mode mode,
           bool may_wait, int32_t deadline)
{
    struct actor *a = actor_of(w, owner);
    a->doing = ASKS;
    a->wanted = name;
    a->asking = SIM_TABLE;
    a->mode = mode;
    a->may_wait = may_wait;
    a->deadline = deadline;
    a->take_mark = a->log.n;
    note_held(w, owner, a->before_take);
}

void
actor_savepoint(struct world *w, int owner)
{
    struct actor *a = actor_of(w, owner);
    if (a->n_savepoints == SAVEPOINTS)
        return;
    a->marks[a->n_savepoints] = a->log.n;
    note_held(w, owner, a->held_at[a->n_savepoints++]);
}

void
actor_roll_back(struct world *w, int owner)
{
    struct actor *a = actor_of(w, owner);
    if (a->n_savepoints == 0)
        return;
    a->n_savepoints--;
    if (w->log)
        fprintf(w->log, "  owner %d goes back to a savepoint\n", owner);
    start_release(w, owner, a->marks[a->n_savepoints],
                  a->held_at[a->n_savepoints]);
}

void
actor_commit(struct world *w, int owner, bool gone)
{
    static const uint8_t nothing[SIM_NAMES];
    struct actor *a = actor_of(w, owner);
    a->n_savepoints = 0;
    a->leaves = gone;
    if (w->log)
        fprintf(w->log, "  owner %d gives back all\n", owner);
    start_release(w, owner, 0, nothing);
}

/* ---- what happens to an owner ---- */

void
actor_arrive(struct world *w, int owner)
{
    struct actor *a = actor_of(w, owner);
    RLK_PUBLISH(w->t.owners[owner].incarnation,
                w->t.owners[owner].incarnation + 1);
    rlk_log_done(&a->log);
    *a = (struct actor){.doing = IDLE, .search = a->search};
}

void
actor_give_up(struct world *w, int owner)
{
    struct actor *a = actor_of(w, owner);
    if (is_granted(w, owner)) {
        have(w, owner);
        return;
    }
    say(w, owner, "gives up waiting for", a->asking, a->mode);
    enter(w, RLK_MOST_VISITS);
    rlk_leave(&w->t, (uint32_t)owner);
    leave(w);
    if (whole(w))
        model_lower(&w->model, owner, a->asking, ROWLOCK_UPDATE);
    fail_take(w, owner);
}

void
actor_die(struct world *w, int owner)
{
    actor_of(w, owner)->doing = DIED;
    actor_of(w, owner)->stopped = false;
    w->model.dead[owner] = true;
    if (w->log)
        fprintf(w->log, "  owner %d dies\n", owner);
}

void
actor_bury(struct world *w, int owner)
{
    uint32_t incarnation = w->t.owners[owner].incarnation;
    while (!reap(w, (uint32_t)owner, incarnation) && !w->failure)
        ; /* in pieces, as the core wants it */
}
