/* Two processes that share mappings of files: what one writes the other sees, as does whoever reads or writes by calls. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { page = 4096, pages = 512, size = page * pages };

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void expect(int holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "does not hold: %s\n", what);
  exit(1);
}

static unsigned char *mapped(int fd, int protection) {
  void *at = mmap(0, size, protection, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) fail("mmap");
  return at;
}

/* Every page of one parity gets the same byte, by turns with the other process: the first byte of a page says that it is ready. */
static void fill(unsigned char *at, int parity, unsigned char value) {
  for (int i = parity; i < pages; i += 2) memset(at + i * page, value, page);
}

int main(int count, char **words) {
  if (count != 3) return 2;
  int fd = open(words[1], O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (fd < 0) fail(words[1]);
  if (ftruncate(fd, size)) fail("ftruncate");
  int turn[2];
  if (pipe(turn)) fail("pipe");
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    char word;
    if (read(turn[0], &word, 1) != 1) _exit(1);
    int own = open(words[1], O_RDWR);
    if (own < 0) _exit(1);
    unsigned char *at = mapped(own, PROT_READ | PROT_WRITE);
    for (int i = 0; i < pages; i += 2) if (at[i * page] != 'p') _exit(1);
    fill(at, 1, 'c');
    _exit(0);
  }
  unsigned char *at = mapped(fd, PROT_READ | PROT_WRITE);
  fill(at, 0, 'p');
  if (write(turn[1], "x", 1) != 1) fail("write");
  int status;
  if (waitpid(child, &status, 0) < 0) fail("waitpid");
  expect(status == 0, "the other process sees what was mapped here before");
  for (int i = 0; i < size; i++) expect(at[i] == (i / page % 2 ? 'c' : 'p'), "what both wrote is in the mapping");

  static unsigned char content[size];
  expect(pread(fd, content, size, 0) == size, "all of it can be read");
  expect(memcmp(content, at, size) == 0, "reading shows what was mapped");
  expect(pwrite(fd, "written", 7, 3 * page) == 7, "a call may write what is mapped");
  expect(memcmp(at + 3 * page, "written", 7) == 0, "a mapping shows what a call wrote");
  if (msync(at, size, MS_SYNC)) fail("msync");
  if (ftruncate(fd, size / 2) || ftruncate(fd, size)) fail("ftruncate");
  expect(at[size / 2] == 0 && at[size - 1] == 0, "what was cut off is zero in the mapping");
  expect(at[size / 2 - 1] == 'c', "what was not cut off stays");

  /* A file from below that was mapped before anybody wrote it. */
  int below = open(words[2], O_RDONLY);
  if (below < 0) fail(words[2]);
  unsigned char *before = mapped(below, PROT_READ);
  unsigned char first = before[0];
  int above = open(words[2], O_WRONLY);
  if (above < 0) fail(words[2]);
  unsigned char other = first ^ 0x20;
  expect(pwrite(above, &other, 1, 0) == 1, "it can be written");
  expect(before[0] == other, "a mapping from before its copy-up shows what is written since");
  return 0;
}
