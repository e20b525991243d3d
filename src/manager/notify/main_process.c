/* Must stay true: what becomes the main process lives, is one of the service's own unless root says so, and is nobody else's; the books say so before
 * the keeper is told, so that the next manager knows it in every moment. From then on the keeper reports its end, or a pidfd does where it is not
 * the keeper's run. Source: sd_notify(3), service_is_suitable_main_pid() of systemd for what is asked. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "base/log.h"
#include "manager/books/books.h"
#include "manager/events.h"
#include "manager/life/control.h"
#include "manager/life/instance.h"
#include "manager/link.h"
#include "manager/notify/main_process.h"
#include "manager/notify/said.h"

#define PIDFS_MAGIC 0x50494446             /* linux/magic.h, 6.9: from then on the inode of a pidfd names its process for good */

/* The process of a pidfd, or -errno; -ESRCH when it is reaped. Source: pidfd_open(2), "Pid:" of /proc/self/fdinfo. */
static pid_t pid_of_pidfd(int fd) {
        char path[64], text[512];
        const char *line;
        int pid = 0, r;

        snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
        r = read_file_into(AT_FDCWD, path, text, sizeof text);
        if (r < 0)
                return r;
        line = strstr(text, "\nPid:");
        if (!line || sscanf(line, "\nPid: %d", &pid) != 1)
                return -EBADF;
        return pid > 0 ? pid : -ESRCH;
}

/* Where the kernel numbers them so; else it cannot be told. */
static bool same_pidfd(const PidRef *p, uint64_t id) {
        struct statfs fs;
        struct stat st;

        if (p->fd < 0 || fstatfs(p->fd, &fs) < 0 || fs.f_type != PIDFS_MAGIC || fstat(p->fd, &st) < 0)
                return true;
        return st.st_ino == id;
}

/* By the descriptor that came along, which wins, or by number. */
static int resolve(const NotifyMessage *m, NotifyFds *fds, PidRef *ret, const char **ret_why) {
        pid_t pid = m->main_pid;
        int r;

        if (m->main_pidfd) {
                *ret_why = "MAINPIDFD=1 comes with exactly one descriptor, of a process";
                if (fds->n != 1 || (pid = pid_of_pidfd(fds->fds[0])) == -EBADF)
                        return -EINVAL;
        }
        *ret_why = "there is no such process";
        r = pid > 0 ? pidref_open(pid, 0, ret) : pid;
        if (r >= 0 && m->main_pidfd && pid_of_pidfd(fds->fds[0]) != pid)
                r = -ESRCH;
        if (r >= 0 && !m->main_pidfd && m->main_pidfd_id && !same_pidfd(ret, m->main_pidfd_id)) {
                *ret_why = "its number is another process's by now (MAINPIDFDID)";
                r = -ESRCH;
        }
        return r;
}

/* Why it cannot be; NULL: it can. */
static const char *unsuitable(const Instance *i, const PidRef *p, const NotifySource *from) {
        Manager *m = i->service->manager;
        uint64_t key = (uint64_t) p->pid;
        const Instance *other = map_get(m->pids, &key);

        if (p->pid == 1 || p->pid == getpid() || p->pid == link_keeper(m->link))
                return "it is no service's";
        if (!pidref_alive(p))
                return "it has ended";
        if (other && other != i && other->lc.main_alive)
                return "it is another service's main process";
        if (control_of_pid(m, p->pid))
                return "it is a hook or another command of the service";
        if (from->uid != 0 && !(i->cell && cell_owns(i->cell, p->pid)))
                return "it is not in the service";
        return NULL;
}

static void become(Instance *i, PidRef *p) {
        i->adopted = sd_event_source_disable_unref(i->adopted);
        pidref_done(&i->main);
        i->main = *p;
        *p = PIDREF_NULL;
        notify_track(i);
        books_mark_instance(i);
}

void main_process_settle(Instance *i) {
        Manager *m = i->service->manager;
        int r;

        books_flush(m);
        r = i->child ? link_main(m->link, i->run, &i->main) : instance_watch_adopted(i);
        if (r < 0)
                manager_problem(m, "%s: the end of its main process will not be seen: %s", i->service->key, strerror(-r));
}

bool main_process_told(Instance *i, const NotifyMessage *m, const NotifySource *from, NotifyFds *fds) {
        _cleanup_pidref_ PidRef p = PIDREF_NULL;
        const char *why;
        pid_t before = i->main.pid;
        Said *said;

        if (i->lc.state == LC_PLACING && before > 0)
                instance_execed(i->service->manager, i->run);
        if (!i->lc.main_alive || i->lc.state < LC_STARTING || i->lc.state > LC_STOPPING)
                return false;
        if (resolve(m, fds, &p, &why) >= 0)
                why = unsuitable(i, &p, from);
        if (why) {
                said_refuse(i, "pid %d named as its main process by pid %d: %s", p.pid ?: m->main_pid, from->pid, why);
                return false;
        }
        said = said_of(i);
        if (!said || p.pid == before)
                return false;
        said->main_told = true;
        become(i, &p);
        event_emit(i->service->manager, i, NULL, EVENT_MAIN_PROCESS, "its main process is pid %d now, and was pid %d", i->main.pid, before);
        return true;
}

int main_process_recall(Instance *i, pid_t pid, uint64_t start_time, pid_t keepers) {
        _cleanup_pidref_ PidRef p = PIDREF_NULL;
        int r;

        if (!i->said || !i->said->main_told || pid <= 0 || pid == keepers)
                return 0;
        r = pidref_open(pid, start_time, &p);
        if (r < 0)
                return error_is_want(r) ? r : 0;
        i->main = (PidRef) { .pid = pid, .fd = -EBADF, .start_time = p.start_time };
        return link_main(i->service->manager->link, i->run, &i->main) >= 0;
}
