/*
 * Counts the operations of a tree of processes on the files of one directory, and disturbs those that a plan names.
 * Loaded by LD_PRELOAD; what it does is told by environment variables:
 *
 *   FAULTS_ROOT   the directory; operations elsewhere pass uncounted
 *   FAULTS_STATE  a file that all processes of the tree share, of the size of struct state
 *   FAULTS_LOG    a file that gets a line for each process, and for each counted operation before it happens
 *   FAULTS_PLAN   rules `at action argument times who kinds`, separated by semicolons: from operation `at` on, the first
 *                 `times` operations of these kinds (a sum of the numbers below), of any process (0), of those that the
 *                 first one started (1), or of the first one alone (2), meet the action
 *
 * Actions: 1 halt (the thread waits before the operation; whoever started the tree acts, and releases it by the state), 2
 * torn (the same after the first half of what is written), 3 fail with the errno `argument`, 4 short (half of what is asked for),
 * 5 slow (`argument` ms before it), 6 clock (it jumps by `argument` seconds for all).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum kind {
  OPEN_READ = 1, OPEN_WRITE = 2, READ = 4, WRITE = 8, SYNC = 16, CLOSE = 32,
  RENAME = 64, LINK = 128, UNLINK = 256, MKDIR = 512, TRUNCATE = 1024, LIST = 2048
};
enum action { HALT = 1, TORN = 2, FAIL = 3, SHORT = 4, SLOW = 5, CLOCK = 6 };

#define MAX_RULES 16
#define MAX_HALTS 64
#define MAX_FILES 4096

struct state {
  int64_t operations;
  int64_t first_process;
  int64_t clock_seconds;
  int64_t halts;
  struct { int64_t process, rule, released; } halted[MAX_HALTS];
  int64_t fired[MAX_RULES];
};

struct rule { long at, action, argument, times, who, kinds; };

/* What is done of an operation. */
struct fate { int error, halved, halts; long rule; };

static struct state *state;
static char root[PATH_MAX];
static size_t root_length;
static int log_file = -1;
static struct rule rules[MAX_RULES];
static int rule_count;

/* The files of the directory that this process has open; a name is never freed, as another thread may be telling it. */
static char *file_names[MAX_FILES];
static char file_is_written[MAX_FILES];

static void tell(const char *format, ...) {
  char line[3 * PATH_MAX];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (length > (int)sizeof line - 1) length = sizeof line - 1;
  if (log_file >= 0) syscall(SYS_write, log_file, line, length);
}

__attribute__((constructor)) static void begin(void) {
  const char *directory = getenv("FAULTS_ROOT"), *shared = getenv("FAULTS_STATE");
  const char *log = getenv("FAULTS_LOG"), *plan = getenv("FAULTS_PLAN");
  if (directory == NULL || shared == NULL) return;
  int file = syscall(SYS_openat, AT_FDCWD, shared, O_RDWR | O_CLOEXEC);
  if (file < 0) return;
  void *mapped = mmap(NULL, sizeof(struct state), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  syscall(SYS_close, file);
  if (mapped == MAP_FAILED) return;
  if (log != NULL) {
    int opened = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    /* Out of the way of the numbers that programs expect. */
    log_file = fcntl(opened, F_DUPFD_CLOEXEC, 700);
    syscall(SYS_close, opened);
  }
  for (const char *at = plan; at != NULL && *at != 0 && rule_count < MAX_RULES;) {
    struct rule *rule = &rules[rule_count++];
    sscanf(at, "%ld %ld %ld %ld %ld %ld", &rule->at, &rule->action, &rule->argument, &rule->times, &rule->who,
           &rule->kinds);
    at = strchr(at, ';');
    if (at != NULL) at++;
  }
  strncpy(root, directory, sizeof root - 1);
  root_length = strlen(root);
  struct state *found = mapped;
  int64_t nobody = 0;
  __atomic_compare_exchange_n(&found->first_process, &nobody, (int64_t)getpid(), 0, __ATOMIC_SEQ_CST,
                              __ATOMIC_SEQ_CST);
  char command[4096] = "";
  int own = syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
  long length = own < 0 ? 0 : syscall(SYS_read, own, command, sizeof command - 1);
  if (own >= 0) syscall(SYS_close, own);
  for (long i = 0; i < length - 1; i++)
    if (command[i] == 0 || command[i] == '\n' || command[i] == '\t') command[i] = ' ';
  tell("process\t%d\t%s\n", getpid(), command);
  state = found;
}

/* Whether a path leads below the directory, or to it. */
static int is_counted(const char *path) {
  if (state == NULL || path == NULL) return 0;
  char whole[PATH_MAX];
  if (path[0] != '/') {
    if (getcwd(whole, sizeof whole) == NULL) return 0;
    size_t length = strlen(whole);
    snprintf(whole + length, sizeof whole - length, "/%s", path);
    path = whole;
  }
  return strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || path[root_length] == 0);
}

static void halt(long rule) {
  int64_t at = __atomic_fetch_add(&state->halts, 1, __ATOMIC_SEQ_CST);
  if (at >= MAX_HALTS) return;
  __atomic_store_n(&state->halted[at].rule, rule, __ATOMIC_SEQ_CST);
  __atomic_store_n(&state->halted[at].process, (int64_t)getpid(), __ATOMIC_SEQ_CST);
  /* Not for ever: whoever would release it may be gone. */
  for (int i = 0; i < 600000 && !__atomic_load_n(&state->halted[at].released, __ATOMIC_SEQ_CST); i++) usleep(500);
}

static const char *word_of(enum kind kind) {
  switch (kind) {
    case OPEN_READ: return "open";
    case OPEN_WRITE: return "create";
    case READ: return "read";
    case WRITE: return "write";
    case SYNC: return "sync";
    case CLOSE: return "close";
    case RENAME: return "rename";
    case LINK: return "link";
    case UNLINK: return "unlink";
    case MKDIR: return "mkdir";
    case TRUNCATE: return "truncate";
    case LIST: return "list";
  }
  return "?";
}

/* Counts an operation that is about to happen, and says what becomes of it; `to` is a second path, or NULL. */
static struct fate before(enum kind kind, int file, const char *path, const char *to) {
  struct fate fate = {0, 0, 0, -1};
  int saved = errno;
  int64_t number = __atomic_add_fetch(&state->operations, 1, __ATOMIC_SEQ_CST);
  long halted_by = -1;
  for (int i = 0; i < rule_count; i++) {
    struct rule *rule = &rules[i];
    if (number < rule->at || (rule->kinds & kind) == 0) continue;
    int is_first = state->first_process == getpid();
    if ((rule->who == 1 && is_first) || (rule->who == 2 && !is_first)) continue;
    if (__atomic_fetch_add(&state->fired[i], 1, __ATOMIC_SEQ_CST) >= rule->times) continue;
    fate.rule = i;
    switch (rule->action) {
      case HALT: halted_by = i; break;
      case TORN: fate.halved = fate.halts = 1; break;
      case FAIL: fate.error = rule->argument; break;
      case SHORT: fate.halved = 1; break;
      case SLOW: usleep(rule->argument * 1000); break;
      case CLOCK: __atomic_add_fetch(&state->clock_seconds, rule->argument, __ATOMIC_SEQ_CST); break;
    }
  }
  struct stat facts;
  unsigned long inode = file >= 0 && fstat(file, &facts) == 0 ? facts.st_ino : 0;
  tell("%ld\t%d\t%s\t%s\t%s\t%lu\t%ld\n", (long)number, getpid(), word_of(kind), path, to == NULL ? "" : to, inode,
       fate.rule);
  if (halted_by >= 0) halt(halted_by);
  errno = saved;
  return fate;
}

#define REAL(result, name, ...)                                  \
  static result (*real)(__VA_ARGS__);                            \
  if (real == NULL) real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static const char *name_of(int file) {
  return state != NULL && file >= 0 && file < MAX_FILES ? file_names[file] : NULL;
}

static int is_written(int flags) { return (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT) != 0; }

static int remember(int file, const char *path, int flags) {
  if (file >= 0 && file < MAX_FILES) {
    file_is_written[file] = is_written(flags);
    file_names[file] = strdup(path);
  }
  return file;
}

#define FAILS(fate)           \
  if ((fate).error != 0) {    \
    errno = (fate).error;     \
    return -1;                \
  }

#define DEFINE_OPEN(function)                                                               \
  int function(const char *path, int flags, ...) {                                          \
    REAL(int, #function, const char *, int, ...);                                           \
    va_list arguments;                                                                      \
    va_start(arguments, flags);                                                             \
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(arguments, mode_t) : 0;          \
    va_end(arguments);                                                                      \
    if (!is_counted(path)) return real(path, flags, mode);                                  \
    struct fate fate = before(is_written(flags) ? OPEN_WRITE : OPEN_READ, -1, path, NULL);  \
    FAILS(fate)                                                                             \
    return remember(real(path, flags, mode), path, flags);                                  \
  }
DEFINE_OPEN(open)
DEFINE_OPEN(open64)

#define DEFINE_OPENAT(function)                                                             \
  int function(int directory, const char *path, int flags, ...) {                           \
    REAL(int, #function, int, const char *, int, ...);                                      \
    va_list arguments;                                                                      \
    va_start(arguments, flags);                                                             \
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(arguments, mode_t) : 0;          \
    va_end(arguments);                                                                      \
    if (directory != AT_FDCWD || !is_counted(path)) return real(directory, path, flags, mode); \
    struct fate fate = before(is_written(flags) ? OPEN_WRITE : OPEN_READ, -1, path, NULL);  \
    FAILS(fate)                                                                             \
    return remember(real(directory, path, flags, mode), path, flags);                       \
  }
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

#define DEFINE_CREAT(function)                                                              \
  int function(const char *path, mode_t mode) {                                             \
    return open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);                                  \
  }
DEFINE_CREAT(creat)
DEFINE_CREAT(creat64)

static int close_counted(int file, int (*real)(int)) {
  const char *path = name_of(file);
  if (path == NULL) return real(file);
  struct fate fate = {0, 0, 0, -1};
  if (file_is_written[file]) fate = before(CLOSE, file, path, NULL);
  file_names[file] = NULL;
  int result = real(file);
  FAILS(fate)
  return result;
}

int close(int file) {
  REAL(int, "close", int);
  return close_counted(file, real);
}

static long (*real_syscall)(long, ...);
static int close_by_number(int file) { return real_syscall(SYS_close, file); }

/* libuv closes files so. */
long syscall(long number, ...) {
  if (real_syscall == NULL) real_syscall = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
  long given[6];
  va_list arguments;
  va_start(arguments, number);
  for (int i = 0; i < 6; i++) given[i] = va_arg(arguments, long);
  va_end(arguments);
  if (number == SYS_close) return close_counted((int)given[0], close_by_number);
  return real_syscall(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}

/* After a torn write: halted with half of it on the disk. */
#define TRANSFERRED(fate, result)      \
  if ((fate).halts) halt((fate).rule); \
  return result

/* Of what is read, systems cut off whole pages. */
#define MOST_READ_AT_ONCE 8192
#define HALF(fate, kind, size) \
  ((fate).halved && (size) > ((kind) == READ ? MOST_READ_AT_ONCE : 1) ? (size) / 2 : (size))

#define DEFINE_TRANSFER(function, kind, pointer)                    \
  ssize_t function(int file, pointer bytes, size_t size) {          \
    REAL(ssize_t, #function, int, pointer, size_t);                 \
    const char *path = name_of(file);                               \
    if (path == NULL) return real(file, bytes, size);               \
    struct fate fate = before(kind, file, path, NULL);              \
    FAILS(fate)                                                     \
    ssize_t result = real(file, bytes, HALF(fate, kind, size));           \
    TRANSFERRED(fate, result);                                      \
  }
DEFINE_TRANSFER(read, READ, void *)
DEFINE_TRANSFER(write, WRITE, const void *)

#define DEFINE_TRANSFER_AT(function, kind, pointer)                 \
  ssize_t function(int file, pointer bytes, size_t size, off64_t at) { \
    REAL(ssize_t, #function, int, pointer, size_t, off64_t);        \
    const char *path = name_of(file);                               \
    if (path == NULL) return real(file, bytes, size, at);           \
    struct fate fate = before(kind, file, path, NULL);              \
    FAILS(fate)                                                     \
    ssize_t result = real(file, bytes, HALF(fate, kind, size), at);       \
    TRANSFERRED(fate, result);                                      \
  }
DEFINE_TRANSFER_AT(pread64, READ, void *)
DEFINE_TRANSFER_AT(pwrite64, WRITE, const void *)

/* Of several pieces, the first half, or half of a single one. */
static int halve(enum kind kind, const struct iovec *pieces, int count, struct iovec *first) {
  if (count > 1) return count / 2;
  *first = pieces[0];
  first->iov_len = HALF((struct fate){.halved = 1}, kind, first->iov_len);
  return 0;
}

#define DEFINE_PIECES(function, kind, more, pass)                                   \
  ssize_t function(int file, const struct iovec *pieces, int count MORE_##more) {   \
    REAL(ssize_t, #function, int, const struct iovec *, int MORE_TYPE_##more);      \
    const char *path = name_of(file);                                               \
    if (path == NULL) return real(file, pieces, count PASS_##pass);                 \
    struct fate fate = before(kind, file, path, NULL);                              \
    FAILS(fate)                                                                     \
    struct iovec first;                                                             \
    int halved = fate.halved && count > 0 ? halve(kind, pieces, count, &first) : count;   \
    ssize_t result = halved == 0 && count > 0 ? real(file, &first, 1 PASS_##pass)   \
                                              : real(file, pieces, halved PASS_##pass); \
    TRANSFERRED(fate, result);                                                      \
  }
#define MORE_none
#define MORE_TYPE_none
#define PASS_none
#define MORE_at , off64_t at
#define MORE_TYPE_at , off64_t
#define PASS_at , at
DEFINE_PIECES(readv, READ, none, none)
DEFINE_PIECES(writev, WRITE, none, none)
DEFINE_PIECES(preadv64, READ, at, at)
DEFINE_PIECES(pwritev64, WRITE, at, at)

#define DEFINE_ON_FILE(function, kind)                  \
  int function(int file) {                              \
    REAL(int, #function, int);                          \
    const char *path = name_of(file);                   \
    if (path == NULL) return real(file);                \
    struct fate fate = before(kind, file, path, NULL);  \
    FAILS(fate)                                         \
    return real(file);                                  \
  }
DEFINE_ON_FILE(fsync, SYNC)
DEFINE_ON_FILE(fdatasync, SYNC)

int ftruncate64(int file, off64_t size) {
  REAL(int, "ftruncate64", int, off64_t);
  const char *path = name_of(file);
  if (path == NULL) return real(file, size);
  struct fate fate = before(TRUNCATE, file, path, NULL);
  FAILS(fate)
  return real(file, size);
}
int ftruncate(int file, off_t size) { return ftruncate64(file, size); }

#define DEFINE_ON_PATH(function, kind)                 \
  int function(const char *path) {                     \
    REAL(int, #function, const char *);                \
    if (!is_counted(path)) return real(path);          \
    struct fate fate = before(kind, -1, path, NULL);   \
    FAILS(fate)                                        \
    return real(path);                                 \
  }
DEFINE_ON_PATH(unlink, UNLINK)
DEFINE_ON_PATH(rmdir, UNLINK)

#define DEFINE_ON_PATHS(function, kind)                                                       \
  int function(const char *from, const char *to) {                                            \
    REAL(int, #function, const char *, const char *);                                         \
    if (!is_counted(from) && !is_counted(to)) return real(from, to);                          \
    struct fate fate = before(kind, -1, from, to);                                            \
    FAILS(fate)                                                                               \
    return real(from, to);                                                                    \
  }
DEFINE_ON_PATHS(rename, RENAME)
DEFINE_ON_PATHS(link, LINK)

int renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned flags) {
  REAL(int, "renameat2", int, const char *, int, const char *, unsigned);
  if (!is_counted(from) && !is_counted(to)) return real(from_directory, from, to_directory, to, flags);
  struct fate fate = before(RENAME, -1, from, to);
  FAILS(fate)
  return real(from_directory, from, to_directory, to, flags);
}

int mkdir(const char *path, mode_t mode) {
  REAL(int, "mkdir", const char *, mode_t);
  if (!is_counted(path)) return real(path, mode);
  struct fate fate = before(MKDIR, -1, path, NULL);
  FAILS(fate)
  return real(path, mode);
}

int scandir64(const char *path, struct dirent64 ***names, int (*select)(const struct dirent64 *),
              int (*compare)(const struct dirent64 **, const struct dirent64 **)) {
  REAL(int, "scandir64", const char *, struct dirent64 ***, int (*)(const struct dirent64 *),
       int (*)(const struct dirent64 **, const struct dirent64 **));
  if (!is_counted(path)) return real(path, names, select, compare);
  struct fate fate = before(LIST, -1, path, NULL);
  FAILS(fate)
  return real(path, names, select, compare);
}

DIR *opendir(const char *path) {
  REAL(DIR *, "opendir", const char *);
  if (!is_counted(path)) return real(path);
  struct fate fate = before(LIST, -1, path, NULL);
  if (fate.error != 0) {
    errno = fate.error;
    return NULL;
  }
  return real(path);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  REAL(int, "clock_gettime", clockid_t, struct timespec *);
  int result = real(clock, now);
  if (state != NULL && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    now->tv_sec += state->clock_seconds;
  return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  REAL(int, "gettimeofday", struct timeval *restrict, void *restrict);
  int result = real(now, zone);
  if (state != NULL) now->tv_sec += state->clock_seconds;
  return result;
}

time_t time(time_t *at) {
  REAL(time_t, "time", time_t *);
  time_t now = real(NULL) + (state == NULL ? 0 : state->clock_seconds);
  if (at != NULL) *at = now;
  return now;
}
