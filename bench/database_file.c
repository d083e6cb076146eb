/* Like a database's other connections: the file is opened again and again while its writer holds it open and writes.
 *
 * usage: database_file FILE COUNT      FILE exists; each round opens, reads a page and closes; every fourth one writes
 */
#define _GNU_SOURCE
#include "clock.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, ROUNDS_PER_WRITE = 4 };

int main(int count, char **words) {
    if (count != 3) return 2;
    size_t rounds = strtoul(words[2], NULL, 10), refused = 0;
    struct stat about;
    int writer = open(words[1], O_RDWR | O_CLOEXEC);
    if (writer < 0 || fstat(writer, &about) || about.st_size < PAGE) {
        perror(words[1]);
        return 1;
    }
    size_t pages = (size_t)about.st_size / PAGE;
    static char page[PAGE];
    double *took_us = calloc(rounds + 1, sizeof *took_us), begin = now_us();
    for (size_t round = 0; round < rounds; round++) {
        double start = now_us();
        int reader = open(words[1], O_RDONLY | O_CLOEXEC);
        if (reader < 0 || pread(reader, page, PAGE, (off_t)(round * 6151 % pages * PAGE)) != PAGE) refused++;
        if (reader >= 0) close(reader);
        if (round % ROUNDS_PER_WRITE == 0) {
            memcpy(page, &round, sizeof round);
            if (pwrite(writer, page, PAGE, (off_t)(round * 7351 % pages * PAGE)) != PAGE) refused++;
        }
        took_us[round] = now_us() - start;
    }
    report(now_us() - begin, took_us, rounds, refused);
    close(writer);
    return 0;
}
