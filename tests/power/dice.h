/* SPDX-License-Identifier: MIT
 * Pseudo-random numbers: the same for one seed on every machine. */
#ifndef POWER_DICE_H
#define POWER_DICE_H

#include <stdint.h>

static inline uint64_t
dice_mix(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xD6E8FEB86659FD93;
    x ^= x >> 32;
    x *= 0xD6E8FEB86659FD93;
    return x ^ x >> 32;
}

/* A seed that depends on both. */
static inline uint64_t
dice_join(uint64_t a, uint64_t b)
{
    return dice_mix(a + 0x9E3779B97F4A7C15 * (b + 1));
}

/* 0 .. sides - 1 */
static inline uint64_t
dice_roll(uint64_t *state, uint64_t sides)
{
    *state += 0x9E3779B97F4A7C15;
    return dice_mix(*state) % sides;
}

#endif
