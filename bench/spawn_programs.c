/* Starts each program named on standard input and waits for its end, one after the other.
 *
 * usage: spawn_programs
 */
#define _GNU_SOURCE
#include "clock.h"
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

int main(void) {
    size_t paths, refused = 0;
    char **path = lines_of_input(&paths);
    double *took_us = calloc(paths + 1, sizeof *took_us);
    double begin = now_us();
    for (size_t each = 0; each < paths; each++) {
        char *words[] = {path[each], NULL};
        pid_t child;
        int status = 0;
        double start = now_us();
        if (posix_spawn(&child, path[each], NULL, NULL, words, environ) || waitpid(child, &status, 0) < 0 || status) {
            refused++;
        }
        took_us[each] = now_us() - start;
    }
    report(now_us() - begin, took_us, paths, refused);
    return 0;
}
