// A FUSE server that keeps nothing: it says yes to what creates, renames and unlinks, and knows no name. What a program's call takes here
// is what FUSE takes by itself. fuse-nothing DIRECTORY [awake]; ends when that is unmounted. Awake it asks for the next request over and
// over before it goes to sleep.
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define LARGEST (1 << 20)

static char request[LARGEST + 8192], reply[8192];
static uint64_t last = FUSE_ROOT_ID;

static void describe(struct fuse_attr *attributes, uint64_t node) {
  attributes->ino = node;
  attributes->mode = node == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644;
  attributes->nlink = 1;
  attributes->blksize = 4096;
}

static int answered(struct fuse_in_header *asked, void *body, void *answer) {
  switch (asked->opcode) {
  case FUSE_INIT: {
    struct fuse_init_in *theirs = body;
    struct fuse_init_out *ours = answer;
    ours->major = FUSE_KERNEL_VERSION;
    ours->minor = theirs->minor < FUSE_KERNEL_MINOR_VERSION ? theirs->minor : FUSE_KERNEL_MINOR_VERSION;
    ours->max_readahead = theirs->max_readahead;
    ours->flags = FUSE_BIG_WRITES | FUSE_MAX_PAGES | FUSE_HANDLE_KILLPRIV_V2;
    ours->max_background = 64;
    ours->max_write = LARGEST;
    ours->max_pages = LARGEST / 4096;
    ours->time_gran = 1;
    return sizeof *ours;
  }
  case FUSE_LOOKUP:
    return sizeof(struct fuse_entry_out);
  case FUSE_MKDIR:
  case FUSE_CREATE: {
    struct fuse_entry_out *entry = answer;
    entry->nodeid = ++last;
    entry->entry_valid = entry->attr_valid = 3600;
    describe(&entry->attr, last);
    if (asked->opcode == FUSE_MKDIR) {
      entry->attr.mode = S_IFDIR | 0755;
      return sizeof *entry;
    }
    struct fuse_open_out *open = (struct fuse_open_out *)(entry + 1);
    open->open_flags = FOPEN_DIRECT_IO;
    return sizeof *entry + sizeof *open;
  }
  case FUSE_GETATTR: {
    struct fuse_attr_out *out = answer;
    out->attr_valid = 3600;
    describe(&out->attr, asked->nodeid);
    return sizeof *out;
  }
  case FUSE_WRITE: {
    ((struct fuse_write_out *)answer)->size = ((struct fuse_write_in *)body)->size;
    return sizeof(struct fuse_write_out);
  }
  case FUSE_RELEASE:
  case FUSE_UNLINK:
  case FUSE_RENAME:
    return 0;
  default:
    return -ENOSYS;
  }
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK), times = argc > 2 ? 400 : 0;
  char options[100];
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,default_permissions", fd);
  if (mount("nothing", argv[1], "fuse.nothing", MS_NOSUID | MS_NODEV, options)) {
    perror(argv[1]);
    return 1;
  }
  for (;;) {
    long length = -1;
    errno = EAGAIN;
    for (int i = 0; i < times && length < 0 && errno == EAGAIN; i++) length = read(fd, request, sizeof request);
    if (length < 0 && errno == EAGAIN) {
      struct pollfd polled = {fd, POLLIN, 0};
      poll(&polled, 1, -1);
      length = read(fd, request, sizeof request);
    }
    if (length < 0) {
      if (errno == ENODEV) return 0;
      continue;
    }
    struct fuse_in_header *asked = (struct fuse_in_header *)request;
    if (asked->opcode == FUSE_FORGET || asked->opcode == FUSE_BATCH_FORGET || asked->opcode == FUSE_INTERRUPT) continue;
    struct fuse_out_header *header = (struct fuse_out_header *)reply;
    memset(reply, 0, 512);
    int result = answered(asked, asked + 1, header + 1);
    header->len = sizeof *header + (result > 0 ? result : 0);
    header->error = result < 0 ? result : 0;
    header->unique = asked->unique;
    if (write(fd, reply, header->len) < 0 && errno == ENODEV) return 0;
  }
}
