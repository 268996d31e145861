/* SPDX-License-Identifier: MIT */
#include "memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
test_calloc__refuses_a_product_that_overflows(void **state)
{
    (void)state;
    assert_null(rlk_calloc(SIZE_MAX / 2, 3));
    assert_null(rlk_reallocarray(NULL, SIZE_MAX / 2, 3));
}

static void
test_arena__gives_aligned_zeroed_pieces_of_any_size(void **state)
{
    (void)state;
    struct rlk_arena arena = {0};
    for (size_t size = 0; size < 100000; size = size * 3 + 1) {
        unsigned char *p = rlk_arena_alloc(&arena, 1, size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xFF, size);
    }
    assert_null(rlk_arena_alloc(&arena, SIZE_MAX, 1));
    assert_string_equal(rlk_arena_copy(&arena, "abc", 2), "ab");
    rlk_arena_done(&arena);
    assert_null(arena.chunks);
}

static void
test_arena_reset__gives_the_newest_chunk_again(void **state)
{
    (void)state;
    struct rlk_arena arena = {0};
    rlk_arena_reset(&arena);
    for (int i = 0; i < 10; i++)
        assert_non_null(rlk_arena_alloc(&arena, 1, 3000));
    rlk_arena_reset(&arena);
    size_t grown = arena.grown;
    char *p = rlk_arena_alloc(&arena, 1, 3000);
    assert_int_equal(p[0], 0);
    assert_int_equal(arena.grown, grown);
    rlk_arena_done(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calloc__refuses_a_product_that_overflows),
        cmocka_unit_test(test_arena__gives_aligned_zeroed_pieces_of_any_size),
        cmocka_unit_test(test_arena_reset__gives_the_newest_chunk_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
