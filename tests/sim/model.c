/* SPDX-License-Identifier: MIT
 * The contract, plainly. */
#include "model.h"

#include <stddef.h>
#include <string.h>

/* PostgreSQL's table of row-level locks; KEY SHARE is 1, UPDATE is 4. */
static bool
conflict(uint32_t a, uint32_t b)
{
    static const bool table[5][5] = {
        [1] = {[4] = true},
        [2] = {[3] = true, [4] = true},
        [3] = {[2] = true, [3] = true, [4] = true},
        [4] = {[1] = true, [2] = true, [3] = true, [4] = true},
    };
    return table[a][b];
}

/* Another than owner holds name in a mode that conflicts. */
static bool
holder_in_the_way(const struct model *m, int owner, int name, uint32_t mode)
{
    for (int o = 0; o < SIM_OWNERS; o++)
        if (o != owner && conflict(mode, m->claims[o][name].held))
            return true;
    return false;
}

static bool
holds_firmly(const struct model *m, int owner)
{
    for (int n = 0; n < SIM_NAMES; n++)
        if (n != SIM_TABLE && m->claims[owner][n].held)
            return true;
    return false;
}

/* Those that hold and want the same stand in one line; owner is its first. */
static bool
is_first_of_line(const struct model *m, int owner, int name)
{
    const struct claim *mine = &m->claims[owner][name];
    for (int o = 0; o < SIM_OWNERS; o++) {
        const struct claim *c = &m->claims[o][name];
        if (c->want == mine->want && c->held == mine->held &&
            c->arrival < mine->arrival)
            return false;
    }
    return true;
}

/* owner is the first of its line, waits since before arrival, and a grant of
 * mode would conflict with what it waits for. */
static bool
would_be_bypassed(const struct model *m, int owner, int name, uint32_t mode,
                  uint64_t arrival)
{
    const struct claim *c = &m->claims[owner][name];
    return c->want && c->arrival < arrival && conflict(mode, c->want) &&
           is_first_of_line(m, owner, name);
}

static bool
keeps_the_gate(const struct model *m, int owner, int name, uint32_t mode,
               uint64_t arrival)
{
    return would_be_bypassed(m, owner, name, mode, arrival) &&
           m->claims[owner][name].bypassed >= SIM_GATE;
}

static bool
gate_is_closed(const struct model *m, int owner, int name, uint32_t mode,
               uint64_t arrival)
{
    if (holds_firmly(m, owner))
        return false;
    for (int o = 0; o < SIM_OWNERS; o++)
        if (keeps_the_gate(m, o, name, mode, arrival))
            return true;
    return false;
}

/* owner gets mode, and thereby goes past who waits since before arrival. */
static void
grant(struct model *m, int owner, int name, uint32_t mode, uint64_t arrival)
{
    struct claim *mine = &m->claims[owner][name];
    mine->want = 0;
    bool bypassed[SIM_OWNERS];
    for (int o = 0; o < SIM_OWNERS; o++)
        bypassed[o] = would_be_bypassed(m, o, name, mode, arrival);
    for (int o = 0; o < SIM_OWNERS; o++)
        if (bypassed[o] && m->claims[o][name].bypassed < SIM_GATE)
            m->claims[o][name].bypassed++;
    mine->held = mode;
}

/* Who holds the name already goes first, then who came first. */
static bool
goes_before(const struct claim *a, const struct claim *b)
{
    if (!a->held != !b->held)
        return a->held;
    return a->arrival < b->arrival;
}

/* Of those who can be granted now the one to be granted first, or -1. A line is
 * served in its order: whom the gate keeps back keeps back who is behind. */
static int
next_to_serve(const struct model *m, int name)
{
    int best = -1;
    for (int o = 0; o < SIM_OWNERS; o++) {
        const struct claim *c = &m->claims[o][name];
        if (c->want && is_first_of_line(m, o, name) &&
            !holder_in_the_way(m, o, name, c->want) &&
            !gate_is_closed(m, o, name, c->want, c->arrival) &&
            (best < 0 || goes_before(c, &m->claims[best][name])))
            best = o;
    }
    return best;
}

static void
serve(struct model *m, int name)
{
    for (int o; (o = next_to_serve(m, name)) >= 0;) {
        struct claim *c = &m->claims[o][name];
        if (m->dead[o])
            c->want = 0; /* is passed by */
        else
            grant(m, o, name, c->want, c->arrival);
    }
}

bool
model_request(struct model *m, int owner, int name, uint32_t mode,
              bool may_wait)
{
    struct claim *mine = &m->claims[owner][name];
    if (mine->held >= mode)
        return true;
    if (!holder_in_the_way(m, owner, name, mode) &&
        !gate_is_closed(m, owner, name, mode, UINT64_MAX)) {
        grant(m, owner, name, mode, UINT64_MAX);
        return true;
    }
    if (may_wait) {
        mine->want = mode;
        mine->arrival = m->next_arrival++;
        mine->bypassed = 0;
    }
    return false;
}

void
model_lower(struct model *m, int owner, int name, uint32_t mode)
{
    struct claim *mine = &m->claims[owner][name];
    mine->want = 0;
    if (mine->held > mode)
        mine->held = mode;
    int next = next_to_serve(m, name);
    if (name != SIM_SLOT || (next >= 0 && m->dead[next]) ||
        (next >= 0 && m->claims[next][name].bypassed >= SIM_SLOT_BYPASSES))
        serve(m, name);
}

void
model_look(struct model *m, int name)
{
    serve(m, name);
}

int
model_next_for_slot(const struct model *m)
{
    return next_to_serve(m, SIM_SLOT);
}

void
model_pass_gate(struct model *m, int owner, int name)
{
    struct claim *mine = &m->claims[owner][name];
    grant(m, owner, name, mine->want, mine->arrival);
}

/* ---- questions ---- */

int
model_waits_for(const struct model *m, int owner)
{
    for (int n = 0; n < SIM_NAMES; n++)
        if (m->claims[owner][n].want)
            return n;
    return -1;
}

bool
model_is_gated(const struct model *m, int owner)
{
    int name = model_waits_for(m, owner);
    return name >= 0 &&
           !holder_in_the_way(m, owner, name, m->claims[owner][name].want);
}

const char *
model_broken(const struct model *m)
{
    for (int n = 0; n < SIM_NAMES; n++) {
        for (int o = 0; o < SIM_OWNERS; o++)
            if (holder_in_the_way(m, o, n, m->claims[o][n].held))
                return "two holders conflict";
        if (n != SIM_SLOT && next_to_serve(m, n) >= 0)
            return "someone waits who could be granted";
    }
    return NULL;
}

/* Does one wait for the other, directly? */
static bool
waits_for(const struct model *m, int owner, int other, bool hard)
{
    int name = model_waits_for(m, owner);
    if (name < 0 || owner == other)
        return false;
    const struct claim *mine = &m->claims[owner][name];
    if (holder_in_the_way(m, owner, name, mine->want))
        return conflict(mine->want, m->claims[other][name].held);
    return !hard && keeps_the_gate(m, other, name, mine->want, mine->arrival);
}

bool
model_waits_for_dead(const struct model *m, int owner)
{
    for (int o = 0; o < SIM_OWNERS; o++)
        if (m->dead[o] && waits_for(m, owner, o, false))
            return true;
    return false;
}

uint32_t
model_in_cycles(const struct model *m, bool hard)
{
    uint32_t reach[SIM_OWNERS] = {0}, in_cycles = 0;
    for (int a = 0; a < SIM_OWNERS; a++)
        for (int b = 0; b < SIM_OWNERS; b++)
            if (waits_for(m, a, b, hard))
                reach[a] |= 1u << b;
    for (int via = 0; via < SIM_OWNERS; via++)
        for (int a = 0; a < SIM_OWNERS; a++)
            if (reach[a] >> via & 1)
                reach[a] |= reach[via];
    for (int a = 0; a < SIM_OWNERS; a++)
        in_cycles |= (reach[a] >> a & 1) << a;
    return in_cycles;
}
