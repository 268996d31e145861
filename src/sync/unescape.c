/* SPDX-License-Identifier: MIT
 * References by number, and the names of HTML 4's Latin-1 and special sets with
 * apos: what content systems write. No reference is shorter than its character,
 * so that the text only shrinks. Compared with Python's html.unescape() in
 * tests/cli. */
#include "sync/unescape.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { LONGEST = 32 }; /* bytes, of a number with zeros before it */

/* From U+00A0 on, each. */
static const char *const latin1[] = {
    "nbsp",   "iexcl",  "cent",   "pound",  "curren", "yen",    "brvbar",
    "sect",   "uml",    "copy",   "ordf",   "laquo",  "not",    "shy",
    "reg",    "macr",   "deg",    "plusmn", "sup2",   "sup3",   "acute",
    "micro",  "para",   "middot", "cedil",  "sup1",   "ordm",   "raquo",
    "frac14", "frac12", "frac34", "iquest", "Agrave", "Aacute", "Acirc",
    "Atilde", "Auml",   "Aring",  "AElig",  "Ccedil", "Egrave", "Eacute",
    "Ecirc",  "Euml",   "Igrave", "Iacute", "Icirc",  "Iuml",   "ETH",
    "Ntilde", "Ograve", "Oacute", "Ocirc",  "Otilde", "Ouml",   "times",
    "Oslash", "Ugrave", "Uacute", "Ucirc",  "Uuml",   "Yacute", "THORN",
    "szlig",  "agrave", "aacute", "acirc",  "atilde", "auml",   "aring",
    "aelig",  "ccedil", "egrave", "eacute", "ecirc",  "euml",   "igrave",
    "iacute", "icirc",  "iuml",   "eth",    "ntilde", "ograve", "oacute",
    "ocirc",  "otilde", "ouml",   "divide", "oslash", "ugrave", "uacute",
    "ucirc",  "uuml",   "yacute", "thorn",  "yuml",
};

static const struct name {
    const char *text;
    uint32_t character;
} names[] = {
    {"amp", '&'},       {"lt", '<'},        {"gt", '>'},
    {"quot", '"'},      {"apos", '\''},     {"OElig", 0x152},
    {"oelig", 0x153},   {"Scaron", 0x160},  {"scaron", 0x161},
    {"Yuml", 0x178},    {"fnof", 0x192},    {"circ", 0x2C6},
    {"tilde", 0x2DC},   {"ensp", 0x2002},   {"emsp", 0x2003},
    {"thinsp", 0x2009}, {"zwnj", 0x200C},   {"zwj", 0x200D},
    {"lrm", 0x200E},    {"rlm", 0x200F},    {"ndash", 0x2013},
    {"mdash", 0x2014},  {"lsquo", 0x2018},  {"rsquo", 0x2019},
    {"sbquo", 0x201A},  {"ldquo", 0x201C},  {"rdquo", 0x201D},
    {"bdquo", 0x201E},  {"dagger", 0x2020}, {"Dagger", 0x2021},
    {"bull", 0x2022},   {"hellip", 0x2026}, {"permil", 0x2030},
    {"prime", 0x2032},  {"Prime", 0x2033},  {"lsaquo", 0x2039},
    {"rsaquo", 0x203A}, {"euro", 0x20AC},   {"trade", 0x2122},
    {"larr", 0x2190},   {"rarr", 0x2192},   {"minus", 0x2212},
};

/* HTML reads 0x80 to 0x9F as Windows-1252, which is what was meant. */
static const uint16_t windows[32] = {
    0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
    0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0,      0x017D, 0,
    0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
    0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178,
};

/* 0: it stays as it stands. */
static uint32_t
named(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i].text) == len &&
            memcmp(names[i].text, name, len) == 0)
            return names[i].character;
    for (size_t i = 0; i < sizeof latin1 / sizeof latin1[0]; i++)
        if (strlen(latin1[i]) == len && memcmp(latin1[i], name, len) == 0)
            return 0xA0 + (uint32_t)i;
    return 0;
}

/* Control characters but white space are nothing that a text should get. */
static uint32_t
allowed(uint32_t c)
{
    if (c >= 0x80 && c < 0xA0)
        return windows[c - 0x80];
    bool wrong = (c < 0x20 && c != '\t' && c != '\n' && c != '\r') ||
                 c == 0x7F || (c >= 0xD800 && c <= 0xDFFF) || c > 0x10FFFF;
    return wrong ? 0 : c;
}

/* Behind "&#". */
static uint32_t
numbered(const char *digits, size_t len)
{
    bool hex = len && (digits[0] == 'x' || digits[0] == 'X');
    uint32_t base = hex ? 16 : 10, c = 0;
    if (len <= hex)
        return 0;
    for (size_t i = hex; i < len; i++) {
        static const char all[] = "0123456789abcdef";
        char digit = digits[i] >= 'A' && digits[i] <= 'F'
                         ? (char)(digits[i] + 32)
                         : digits[i];
        const char *at = digit ? strchr(all, digit) : NULL;
        if (!at || at - all >= (int)base || c > 0x10FFFF)
            return 0;
        c = c * base + (uint32_t)(at - all);
    }
    return allowed(c);
}

static size_t
put(char *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char first[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n; --i; c >>= 6)
        to[i] = (char)(0x80 | (c & 0x3F));
    to[0] = (char)(first[n] | c);
    return n;
}

/* text begins with '&'. 0: none. *ret_len: of the reference, if it is one. */
static uint32_t
reference(const char *text, size_t len, size_t *ret_len)
{
    const char *end = memchr(text, ';', len < LONGEST ? len : LONGEST);
    if (!end)
        return 0;
    size_t n = (size_t)(end - text) - 1;
    *ret_len = n + 2;
    return n && text[1] == '#' ? numbered(text + 2, n - 1) : named(text + 1, n);
}

char *
rlk_unescape_html(const char *text, size_t len, struct rlk_arena *arena,
                  size_t *ret_len)
{
    char *out = rlk_arena_alloc(arena, len + 1, 1);
    size_t n = 0, skip = 0;
    if (!out)
        return NULL;
    for (size_t i = 0; i < len; i += skip) {
        uint32_t c = text[i] == '&' ? reference(text + i, len - i, &skip) : 0;
        if (c) {
            n += put(out + n, c);
        } else {
            out[n++] = text[i];
            skip = 1;
        }
    }
    out[n] = 0;
    *ret_len = n;
    return out;
}
