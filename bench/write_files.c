/* Writes new files of 4 KiB to 1 MiB, small ones more often: each doubling of the size is equally likely.
 *
 * usage: write_files DIRECTORY COUNT SEED
 *
 * Half of the bytes are words, half are machine-like; which files come out depends on the seed alone.
 */
#define _GNU_SOURCE
#include "clock.h"
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

enum { SMALLEST = 4096, DOUBLINGS = 8, STORE = 4 << 20, PIECE = 32768 };

static uint64_t state;

static uint64_t next(void) {  /* xorshift64: the same everywhere */
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static const char *const WORDS[] = {"struct ", "static ", "return ", "the ",  "value ", "select ", "from ",  "where ",
                                    "if (",    ") {\n",   "}\n",     "= ",    "index",  "length",  "import ", "None, ",
                                    "<p>",     "</p>\n",  "\"key\"", ": 42,", "#define ", "error ", "file ", "\t"};

static void fill(char *store) {
    for (size_t at = 0; at < STORE; at += PIECE) {
        char *end = store + at + PIECE, *to = store + at;
        if (at / PIECE % 2) {
            for (; to < end; to += 8) {
                uint64_t word = next() & (next() | 0x00ff00ff0000ffffULL);
                memcpy(to, &word, 8);
            }
            continue;
        }
        while (to < end) {
            const char *word = WORDS[next() % (sizeof WORDS / sizeof *WORDS)];
            size_t length = strlen(word), room = (size_t)(end - to);
            if (length > room) length = room;
            memcpy(to, word, length);
            to += length;
        }
    }
}

int main(int count, char **words) {
    if (count != 4) return 2;
    size_t files = strtoul(words[2], NULL, 10), refused = 0;
    state = strtoull(words[3], NULL, 10) * 2654435761u + 88172645463325252ULL;
    char *store = malloc(STORE), path[4096];
    fill(store);
    double *took_us = calloc(files + 1, sizeof *took_us), begin = now_us();
    for (size_t each = 0; each < files; each++) {
        size_t base = (size_t)SMALLEST << next() % DOUBLINGS, size = base + next() % base;
        snprintf(path, sizeof path, "%s/new-%06zu.dat", words[1], each);
        double start = now_us();
        int file = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
        int failed = file < 0;
        for (size_t done = 0; !failed && done < size;) {
            size_t piece = size - done < PIECE ? size - done : PIECE;
            failed = write(file, store + next() % (STORE - PIECE), piece) != (ssize_t)piece;
            done += piece;
        }
        if (file >= 0) close(file);
        refused += (size_t)failed;
        took_us[each] = now_us() - start;
    }
    report(now_us() - begin, took_us, files, refused);
    return 0;
}
