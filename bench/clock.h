/* What the workloads share: a monotonic clock, paths from standard input, and one line of JSON at the end. */
#ifndef RINGFENCE_BENCH_CLOCK_H
#define RINGFENCE_BENCH_CLOCK_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now_us(void) {
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    return (double)moment.tv_sec * 1e6 + (double)moment.tv_nsec / 1e3;
}

static inline char **lines_of_input(size_t *count) {
    size_t room = 1024;
    char **lines = malloc(room * sizeof *lines), *line = NULL;
    size_t line_room = 0;
    ssize_t length;
    for (*count = 0; (length = getline(&line, &line_room, stdin)) > 0; (*count)++) {
        if (line[length - 1] == '\n') line[length - 1] = 0;
        if (*count == room) lines = realloc(lines, (room *= 2) * sizeof *lines);
        lines[*count] = strdup(line);
    }
    free(line);
    return lines;
}

static inline int by_size(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Sorts `took_us` and prints the total, the middle and the slow end. */
static inline void report(double total_us, double *took_us, size_t count, size_t refused) {
    qsort(took_us, count, sizeof *took_us, by_size);
    printf("{\"seconds\":%.6f,\"count\":%zu,\"refused\":%zu,\"p50_us\":%.2f,\"p99_us\":%.2f,\"max_us\":%.2f}\n",
           total_us / 1e6, count, refused, count ? took_us[count / 2] : 0, count ? took_us[count * 99 / 100] : 0,
           count ? took_us[count - 1] : 0);
}
#endif
