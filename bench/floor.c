/* The kernel's floor: allows every question of one mount and does nothing else.
 *
 * usage: floor PATH          prints "ready" when armed; SIGTERM or SIGINT ends it; prints how many questions it met.
 *
 * One thread for each processor, pinned, in a blocking read of one event: placement costs more than the language, so
 * this is the fastest honest shape of a responder.  It asks for the same events as the sensor (reads and starts of
 * programs) and sets no ignore marks: the kernel asks again each time.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fanotify.h>
#include <unistd.h>

#define QUESTIONS (FAN_ACCESS_PERM | FAN_OPEN_EXEC_PERM)

static int group;
static atomic_ulong answered;

static void *answer_forever(void *processor) {
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET((int)(long)processor, &only);
    pthread_setaffinity_np(pthread_self(), sizeof only, &only);
    struct fanotify_event_metadata event;
    while (read(group, &event, sizeof event) == (ssize_t)sizeof event) {
        if (event.fd < 0) continue;
        if (event.mask & QUESTIONS) {
            struct fanotify_response response = {.fd = event.fd, .response = FAN_ALLOW};
            if (write(group, &response, sizeof response) != (ssize_t)sizeof response) perror("answer");
            atomic_fetch_add_explicit(&answered, 1, memory_order_relaxed);
        }
        close(event.fd);
    }
    perror("read");
    exit(1);
}

int main(int count, char **words) {
    if (count != 2) {
        fprintf(stderr, "usage: floor PATH\n");
        return 2;
    }
    sigset_t endings;
    sigemptyset(&endings);
    sigaddset(&endings, SIGTERM);
    sigaddset(&endings, SIGINT);
    pthread_sigmask(SIG_BLOCK, &endings, NULL);
    group = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS,
                          O_RDONLY | O_LARGEFILE | O_CLOEXEC);
    if (group < 0) {
        perror("fanotify_init");
        return 1;
    }
    cpu_set_t ours;
    sched_getaffinity(0, sizeof ours, &ours);
    for (int processor = 0; processor < CPU_SETSIZE; processor++) {
        pthread_t thread;
        if (CPU_ISSET(processor, &ours) && pthread_create(&thread, NULL, answer_forever, (void *)(long)processor)) {
            perror("pthread_create");
            return 1;
        }
    }
    if (fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_MOUNT, QUESTIONS, AT_FDCWD, words[1])) {
        perror("fanotify_mark");
        return 1;
    }
    puts("ready");
    fflush(stdout);
    int ending;
    sigwait(&endings, &ending);
    printf("answered %lu\n", atomic_load(&answered));
    fflush(stdout);
    _exit(0);  /* closing the group lets everybody go who still waits */
}
