/* Lets calls of the file system fail, for processes that load this library first (LD_PRELOAD).
 *
 * FILE_FAULT is "<calls>:<errno>:<first>:<last>:<path>": the calls, joined by "+", whose path begins so, from the first on to
 * the last one (0: to the end), counted from 1, but those of the file names that begin with "forked.". FILE_CALLS names a file that gets a line for each call that was counted.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static __thread int busy;
static long counted;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void full_path(int folder, const char *path, char *found) {
    char link[64], base[PATH_MAX] = "";
    if (path && path[0] == '/') {
        snprintf(found, PATH_MAX, "%s", path);
        return;
    }
    if (folder == AT_FDCWD) {
        if (!getcwd(base, sizeof base)) base[0] = 0;
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        ssize_t length = readlink(link, base, sizeof base - 1);
        base[length < 0 ? 0 : length] = 0;
    }
    if (path) snprintf(found, PATH_MAX, "%.2000s/%.2000s", base, path);
    else snprintf(found, PATH_MAX, "%s", base);
}

/* Return the error with which a call fails, 0 if it does not. */
static int fault(const char *call, int folder, const char *path) {
    const char *spec = getenv("FILE_FAULT");
    char calls[256], begin[PATH_MAX], found[PATH_MAX], wanted[64];
    int number, failing = 0;
    long first, last;
    if (busy || !spec || sscanf(spec, "%255[^:]:%d:%ld:%ld:%4000s", calls, &number, &first, &last, begin) != 5) return 0;
    busy = 1;
    snprintf(wanted, sizeof wanted, "+%s+", call);
    char padded[260];
    snprintf(padded, sizeof padded, "+%s+", calls);
    int saved = errno;
    if (strstr(padded, wanted)) {
        full_path(folder, path, found);
        if (!strncmp(found, begin, strlen(begin)) && !strstr(found, "/forked.")) {
            long now = __sync_add_and_fetch(&counted, 1);
            failing = now >= first && (!last || now <= last);
            const char *log = getenv("FILE_CALLS");
            if (log) {
                char line[PATH_MAX + 80];
                int length = snprintf(line, sizeof line, "%s %s\n", call, found);
                int target = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
                if (target >= 0) {
                    syscall(SYS_write, target, line, length);
                    syscall(SYS_close, target);
                }
            }
        }
    }
    busy = 0;
    errno = saved;
    return failing ? number : 0;
}

#define FAIL(call, folder, path) do { int number = fault(call, folder, path); if (number) { errno = number; return -1; } } while (0)
#define FAIL_NULL(call, folder, path) do { int number = fault(call, folder, path); if (number) { errno = number; return NULL; } } while (0)

static const char *opening(int flags) { return flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC) ? "create" : "open"; }

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        va_list more; va_start(more, flags); int mode = va_arg(more, int); va_end(more); \
        FAIL(opening(flags), AT_FDCWD, path); \
        return REAL(name)(path, flags, mode); }
OPEN(open)
OPEN(open64)
#define OPENAT(name) \
    int name(int folder, const char *path, int flags, ...) { \
        va_list more; va_start(more, flags); int mode = va_arg(more, int); va_end(more); \
        FAIL(opening(flags), folder, path); \
        return REAL(name)(folder, path, flags, mode); }
OPENAT(openat)
OPENAT(openat64)

DIR *opendir(const char *path) { FAIL_NULL("open", AT_FDCWD, path); return REAL(opendir)(path); }
DIR *fdopendir(int folder) { FAIL_NULL("open", folder, NULL); return REAL(fdopendir)(folder); }
int mkdir(const char *path, mode_t mode) { FAIL("mkdir", AT_FDCWD, path); return REAL(mkdir)(path, mode); }
int mkdirat(int folder, const char *path, mode_t mode) { FAIL("mkdir", folder, path); return REAL(mkdirat)(folder, path, mode); }
int rename(const char *path, const char *to) { FAIL("rename", AT_FDCWD, path); return REAL(rename)(path, to); }
int renameat(int folder, const char *path, int other, const char *to) {
    FAIL("rename", folder, path); return REAL(renameat)(folder, path, other, to); }
int link(const char *path, const char *to) { FAIL("link", AT_FDCWD, path); return REAL(link)(path, to); }
int linkat(int folder, const char *path, int other, const char *to, int flags) {
    FAIL("link", folder, path); return REAL(linkat)(folder, path, other, to, flags); }
int unlink(const char *path) { FAIL("unlink", AT_FDCWD, path); return REAL(unlink)(path); }
int unlinkat(int folder, const char *path, int flags) { FAIL("unlink", folder, path); return REAL(unlinkat)(folder, path, flags); }
int rmdir(const char *path) { FAIL("unlink", AT_FDCWD, path); return REAL(rmdir)(path); }
int chmod(const char *path, mode_t mode) { FAIL("chmod", AT_FDCWD, path); return REAL(chmod)(path, mode); }
int fchmod(int file, mode_t mode) { FAIL("chmod", file, NULL); return REAL(fchmod)(file, mode); }
int fchmodat(int folder, const char *path, mode_t mode, int flags) {
    FAIL("chmod", folder, path); return REAL(fchmodat)(folder, path, mode, flags); }
static const char *syncing(int file) {
    struct stat status;
    return !fstat(file, &status) && S_ISDIR(status.st_mode) ? "syncdir" : "sync"; }
int fsync(int file) { FAIL(syncing(file), file, NULL); return REAL(fsync)(file); }
int fdatasync(int file) { FAIL(syncing(file), file, NULL); return REAL(fdatasync)(file); }
ssize_t write(int file, const void *bytes, size_t size) { FAIL("write", file, NULL); return REAL(write)(file, bytes, size); }
ssize_t pwrite(int file, const void *bytes, size_t size, off_t at) { FAIL("write", file, NULL); return REAL(pwrite)(file, bytes, size, at); }
ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t at) {
    FAIL("write", file, NULL); return REAL(pwrite64)(file, bytes, size, at); }
int ftruncate(int file, off_t size) { FAIL("write", file, NULL); return REAL(ftruncate)(file, size); }
int ftruncate64(int file, off64_t size) { FAIL("write", file, NULL); return REAL(ftruncate64)(file, size); }
ssize_t read(int file, void *bytes, size_t size) { FAIL("read", file, NULL); return REAL(read)(file, bytes, size); }
ssize_t pread64(int file, void *bytes, size_t size, off64_t at) { FAIL("read", file, NULL); return REAL(pread64)(file, bytes, size, at); }

int flock(int file, int how) {
    int (*real)(int, int) = dlsym(RTLD_NEXT, "flock");
    if (how != 8 /* LOCK_UN */) FAIL("flock", file, NULL);
    return real(file, how);
}
#define FCNTL(name) \
    int name(int file, int command, ...) { \
        va_list more; va_start(more, command); void *argument = va_arg(more, void *); va_end(more); \
        if (command == F_SETLK || command == F_SETLKW) FAIL("fcntl", file, NULL); \
        return ((int (*)(int, int, ...))dlsym(RTLD_NEXT, #name))(file, command, argument); }
FCNTL(fcntl)
FCNTL(fcntl64)
