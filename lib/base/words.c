/* lib/base/words.c: words in lists, and those that mean yes or no. */
#include "base/words.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static bool is_same(const char *item, size_t n, const char *word)
{
        return strlen(word) == n && memcmp(item, word, n) == 0;
}

static bool is_matched(const char *item, size_t n, const char *word)
{
        return item[n - 1] == '*' ? strncmp(item, word, n - 1) == 0 : is_same(item, n, word);
}

static bool any(const char *words, const char *word,
                bool (*fits)(const char *item, size_t n, const char *word))
{
        size_t n;

        for (const char *at = words; at && *(at += strspn(at, " ")); at += n) {
                n = strcspn(at, " ");
                if (fits(at, n, word))
                        return true;
        }
        return false;
}

bool words_have(const char *words, const char *word)
{
        return any(words, word, is_same);
}

bool words_match(const char *patterns, const char *word)
{
        return any(patterns, word, is_matched);
}

bool words_bool(const char *s, bool *ret)
{
        static const char *const words[][2] = {
                { "false", "true" }, { "no", "yes" }, { "off", "on" }, { "0", "1" }
        };

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
                for (int b = 0; b < 2; b++) {
                        if (strcasecmp(s, words[i][b]) != 0)
                                continue;
                        *ret = b;
                        return true;
                }
        }
        return false;
}
