// What a program does in a mount, timed inside: fuse-client WHAT DIRECTORY [N]. Prints nanoseconds of wall time, of CPU, and how many times.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char block[1 << 17];

static void must(long result, const char *what) {
  if (result >= 0) return;
  perror(what);
  exit(1);
}

static long walk(int parent, const char *name, int stats) {
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  must(fd, name);
  DIR *directory = fdopendir(fd);
  long count = 0;
  for (struct dirent *entry; (entry = readdir(directory));) {
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    count++;
    struct stat stat;
    if (stats) must(fstatat(fd, entry->d_name, &stat, AT_SYMLINK_NOFOLLOW), entry->d_name);
    if (entry->d_type == DT_DIR) count += walk(fd, entry->d_name, stats);
  }
  closedir(directory);
  return count;
}

static long sequentially(const char *path, long megabytes) {
  int fd = megabytes ? open(path, O_WRONLY | O_CREAT | O_EXCL, 0644) : open(path, O_RDONLY);
  must(fd, path);
  long count = 0;
  if (megabytes)
    for (; count < megabytes * 8; count++) must(write(fd, block, sizeof block), path);
  else
    while (read(fd, block, sizeof block) > 0) count++;
  must(close(fd), path);
  return count;
}

static long randomly(const char *path, long times) {
  int fd = open(path, O_RDONLY);
  must(fd, path);
  posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
  struct stat stat;
  fstat(fd, &stat);
  long pages = stat.st_size / 4096;
  uint64_t at = 12345;
  for (long i = 0; i < times; i++) {
    at = at * 6364136223846793005u + 1442695040888963407u;
    must(pread(fd, block, 4096, (off_t)((at >> 33) % pages) * 4096), path);
  }
  close(fd);
  return times;
}

static long in_directory(const char *what, const char *directory, long times) {
  char path[4096], other[4096];
  for (long i = 0; i < times; i++) {
    snprintf(path, sizeof path, "%s/file-%ld", directory, i);
    snprintf(other, sizeof other, "%s/other-%ld", directory, i);
    if (!strcmp(what, "create")) {
      int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
      must(fd, path);
      must(write(fd, block, 1024), path);
      must(close(fd), path);
    } else if (!strcmp(what, "rename")) must(rename(path, other), path);
    else must(unlink(other), other);
  }
  return times;
}

/** One thing with each file of a list: asking what it is, reading it, the first write to it, removing it. */
static long each_of(const char *what, const char *directory, const char *list) {
  FILE *file = fopen(list, "r");
  must(file ? 0 : -1, list);
  must(chdir(directory), directory);
  char path[4096];
  long count = 0;
  for (; fgets(path, sizeof path, file); count++) {
    path[strcspn(path, "\n")] = 0;
    struct stat stat;
    if (!strcmp(what, "lstat")) must(lstat(path, &stat), path);
    else if (!strcmp(what, "remove")) must(unlink(path), path);
    else {
      int reads = !strcmp(what, "cat");
      int fd = open(path, reads ? O_RDONLY : O_WRONLY);
      must(fd, path);
      must(reads ? read(fd, block, 65536) : pwrite(fd, "x", 1, 0), path);
      must(close(fd), path);
    }
  }
  return count;
}

static long run(char **command) {
  pid_t child = fork();
  if (child == 0) {
    execvp(command[0], command);
    _exit(127);
  }
  int status;
  waitpid(child, &status, 0);
  must(status == 0 ? 0 : -1, command[0]);
  return 1;
}

static long long cpu(void) {
  long long total = 0;
  for (int who = 0; who < 2; who++) {
    struct rusage usage;
    getrusage(who ? RUSAGE_CHILDREN : RUSAGE_SELF, &usage);
    total += (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000LL + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
  }
  return total * 1000;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  const char *what = argv[1], *at = argv[2];
  long times = argc > 3 ? atol(argv[3]) : 0;
  memset(block, 'x', sizeof block);
  struct timespec from, to;
  long long before = cpu();
  clock_gettime(CLOCK_MONOTONIC, &from);
  long count = !strcmp(what, "readdir")   ? walk(AT_FDCWD, at, 0)
               : !strcmp(what, "stat")    ? walk(AT_FDCWD, at, 1)
               : !strcmp(what, "read")    ? sequentially(at, 0)
               : !strcmp(what, "write")   ? sequentially(at, times)
               : !strcmp(what, "random")  ? randomly(at, times)
               : !strcmp(what, "copy-up") || !strcmp(what, "lstat") || !strcmp(what, "cat") || !strcmp(what, "remove")
                   ? each_of(what, at, argv[3])
               : !strcmp(what, "run")     ? run(argv + 2)
                                          : in_directory(what, at, times);
  clock_gettime(CLOCK_MONOTONIC, &to);
  printf("%lld %lld %ld\n", (to.tv_sec - from.tv_sec) * 1000000000LL + to.tv_nsec - from.tv_nsec, cpu() - before, count);
}
