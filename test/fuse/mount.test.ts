import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, vi } from 'vitest'
import { askMount } from '../../src/fuse/ask-mount.ts'
import { controlCommand, largestControl } from '../../src/fuse/control.ts'
import { type Lower, makeLower } from '../overlay/lower.ts'
import { hasProgram, testIf } from '../support/ability.ts'
import { type DumpedEntry, treeEntries } from '../support/plain-tree.ts'
import { Mounted, type Programs, programsIn, whyNoFuse } from './mounts.ts'
import { openServed, type Served, type ServedForm } from './served.ts'

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 })

const reason = whyNoFuse()
const able = testIf(reason === undefined, reason ?? '')
const ableWith = (program: string) =>
  testIf(reason === undefined && hasProgram(program), reason ?? `${program} is not installed`)

let folder: string
let programs: Programs
let lower: Lower

beforeAll(async () => {
  if (reason !== undefined) return
  folder = mkdtempSync(join(tmpdir(), 'ply-test-fuse-'))
  programs = await programsIn(folder)
  lower = await makeLower(join(folder, 'lower'))
})

afterAll(() => {
  if (reason === undefined) rmSync(folder, { recursive: true, force: true })
})

let count = 0

function servedAs(form: ServedForm): { readonly served: Served; readonly at: string } {
  const place = join(folder, `${form}-${count++}`)
  const { index, tar, chainId } = lower
  return { served: { form, at: join(place, 'upper'), lower: { index, tar, chainId } }, at: join(place, 'mnt') }
}

/** What the union itself says, in this process. */
function inside(served: Served): DumpedEntry[] {
  const tree = openServed(served)
  try {
    return treeEntries(tree)
  } finally {
    tree.close()
  }
}

const mountedAt = (at: string): boolean => readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${at} `)

describe('a union that another mount namespace has taken along', () => {
  able('is unmounted at once, and served on until that one has ended', async () => {
    const { served, at } = servedAs('memory')
    await using mounted = await Mounted.mount(programs, at, served)
    const script = 'cd "$0" && echo there && read -r _ && echo late > late && cat late'
    const inside = spawn('unshare', ['-m', 'sh', '-c', script, at], { cwd: '/' })
    try {
      let said = ''
      inside.stdout.on('data', (text) => {
        said += text
      })
      await once(inside.stdout, 'data')
      await mounted.release()
      expect(mountedAt(at)).toBe(false)
      inside.stdin.end('\n')
      await once(inside, 'close')
      expect(said).toBe('there\nlate\n')
      expect(await mounted.unmount()).toBe('ready\ndone\n')
    } finally {
      inside.kill('SIGKILL')
    }
  })
})

describe('a mounted union', () => {
  for (const form of ['none', 'memory', 'portable', 'overlay'] as const) {
    able(`shows what it holds, entry by entry (upper: ${form})`, async () => {
      const { served, at } = servedAs(form)
      const flags = form === 'none' ? 1 : 0
      await using mounted = await Mounted.mount(programs, at, served, { flags })
      expect(mounted.entries()).toEqual(inside({ ...served, form: 'none' }))
      expect(await mounted.unmount()).toBe('ready\ndone\n')
      expect(mountedAt(at)).toBe(false)
    })
  }

  for (const form of ['portable', 'overlay'] as const) {
    able(`keeps what programs write (upper: ${form})`, async () => {
      const { served, at } = servedAs(form)
      await using mounted = await Mounted.mount(programs, at, served)
      mounted.run(`
        echo more >> etc/passwd
        mkdir -p new/a/b && echo x > new/a/b/c && ln new/a/b/c new/link && ln -s a/b new/s && mkfifo new/p
        mv usr/lib new/moved && mv etc/group new/a && rm -r var && rmdir usr/empty
        chmod 4711 bin/tool && chown 7:8 top && touch -d '1999-01-01 00:00:00.123456789' usr/share/doc
        truncate -s 3 usr/share/doc && mkdir var && touch var/again
        cp -a new copy && mv -f copy/s copy/a/b/c
        mknod device c 5 1
      `)
      const seen = mounted.entries()
      expect(await mounted.unmount()).toBe('ready\ndone\n')
      expect(inside(served)).toEqual(seen)
      expect(seen.map(({ path }) => path)).toContain('new/moved/one')
      expect(seen.find(({ path }) => path === 'device')).toMatchObject({ kind: 'character', major: 5, minor: 1 })
    })
  }

  able('unpacks and packs an archive, copies and removes trees', async () => {
    const { served, at } = servedAs('portable')
    await using mounted = await Mounted.mount(programs, at, served)
    const project = new URL('../..', import.meta.url).pathname
    const archive = join(folder, 'project.tar')
    mounted.run(`
      tar cf ${archive} -C ${project} docs bench package.json
      mkdir t && tar xf ${archive} -C t && cp -a t t2 && diff -r t t2
      tar df ${archive} -C t2 && rm -rf t && test ! -e t && test "$(ls t2 | wc -l)" = 3
    `)
    const seen = mounted.entries()
    await mounted.unmount()
    expect(inside(served)).toEqual(seen)
  })

  ableWith('git')('holds git repositories', async () => {
    const { served, at } = servedAs('overlay')
    await using mounted = await Mounted.mount(programs, at, served)
    const said = mounted.run(`
      export GIT_CONFIG_GLOBAL=/dev/null HOME=/nonexistent
      git init -q a && cd a && git config user.email a@b && git config user.name n
      for i in $(seq 200); do mkdir -p d$((i % 7)); echo $i > d$((i % 7))/f$i; done
      git add . && git commit -qm one && git gc -q && git fsck --no-progress 2>&1
      git clone -q . ../b && cd ../b && git status --short && git log --format=%s
    `)
    expect(said).toBe('one\n')
    const seen = mounted.entries()
    await mounted.unmount()
    expect(inside(served)).toEqual(seen)
  })

  for (const [how, options] of [
    ['as decided', {}],
    ['with collected writes', { writebackCache: true }],
    ['with locks of the union', { locks: true }],
    ['with nothing kept', { validFor: 0 }],
  ] as const) {
    ableWith('python3')(`behaves as a file system does, call by call (${how})`, async () => {
      const { served, at } = servedAs('memory')
      await using mounted = await Mounted.mount(programs, at, served, options)
      const script = join(folder, 'calls.py')
      writeFileSync(script, calls)
      expect(mounted.run(`python3 ${script} ${'writebackCache' in options ? 'collected' : 'through'} 2>&1`)).toBe(
        'done\n',
      )
      expect(await mounted.unmount()).toBe('ready\ndone\n')
    })
  }

  for (const [form, options] of [
    ['portable', {}],
    ['overlay', {}],
    ['memory', { writebackCache: true }],
  ] as const) {
    const collected = 'writebackCache' in options ? ', with collected writes' : ''
    ableWith('python3')(
      `holds what was written last, by calls and by mappings (upper: ${form}${collected})`,
      async () => {
        const { served, at } = servedAs(form)
        await using mounted = await Mounted.mount(programs, at, served, options)
        const script = join(folder, 'random-content.py')
        writeFileSync(script, randomContent)
        const seed = Math.floor(Math.random() * 2 ** 31)
        expect(mounted.run(`python3 ${script} ${seed} 2>&1`), `seed ${seed}`).toBe('done\n')
        const seen = mounted.entries()
        expect(await mounted.unmount()).toBe('ready\ndone\n')
        if (form !== 'memory') expect(inside(served)).toEqual(seen)
      },
    )
  }

  for (const form of ['portable', 'overlay'] as const) {
    ableWith('python3')(`answers who opens more than this process may, and goes on (upper: ${form})`, async () => {
      const { served, at } = servedAs(form)
      await using mounted = await Mounted.mount(programs, at, served, { descriptors: 100 })
      const said = mounted.run(`
        python3 -c '
import errno, os
os.mkdir("many")
opened = []
try:
    for i in range(200): opened.append(os.open("many/%d" % i, os.O_RDWR | os.O_CREAT))
except OSError as error: print(errno.errorcode[error.errno], len(opened) > 30)
for name in ("etc/passwd", "many/0"):
    try: os.open(name, os.O_RDWR)
    except OSError as error: print(errno.errorcode[error.errno])
assert len(os.listdir("many")) == len(opened)
for i, fd in enumerate(opened): os.write(fd, b"%d" % i)
for fd in opened: os.close(fd)
os.close(os.open("many/again", os.O_RDWR | os.O_CREAT))
os.close(os.open("etc/passwd", os.O_RDWR))'`)
      // All who have a file of a portable upper open share one descriptor.
      expect(said).toBe(`EMFILE True\nEMFILE\n${form === 'overlay' ? 'EMFILE\n' : ''}`)
      const seen = mounted.entries()
      expect(await mounted.unmount()).toBe('ready\ndone\n')
      expect(inside(served)).toEqual(seen)
    })
  }

  able('wakes who waits for a lock, and lets go who is interrupted', async () => {
    const { served, at } = servedAs('memory')
    await using mounted = await Mounted.mount(programs, at, served, { locks: true })
    const said = mounted.run(`
      exec 3> lock && flock 3
      timeout -s INT 0.3 flock lock true || echo interrupted $?
      (flock lock echo second) & sleep 0.3 && echo first && flock -u 3 && wait
    `)
    expect(said).toBe('interrupted 124\nfirst\nsecond\n')
  })

  ableWith('python3')('is asked what no file call says, by its user and root alone', async () => {
    const { served, at } = servedAs('portable')
    await using mounted = await Mounted.mount(programs, at, served)
    mounted.run('mkdir new && chmod 777 .')
    const names = mounted.entries().filter(({ path }) => !path.includes('/')).length - 1
    expect(askMount(at, { some: 'thing' })).toEqual({ asked: { some: 'thing' }, names })
    expect(askMount(at, 'sync')).toEqual({ asked: 'sync', names })
    expect(() => askMount(at, 'fail')).toThrow(expect.objectContaining({ code: 'ENOSPC' }))
    expect(() => askMount(join(at, 'new'), 1)).toThrow(expect.objectContaining({ code: 'ENOTTY' }))
    const said = mounted.run(`
      python3 -c '
import errno, fcntl, os
os.setuid(1000)
try: fcntl.ioctl(os.open(".", os.O_RDONLY), ${controlCommand}, bytearray(b"1" + bytes(${largestControl - 1})))
except OSError as error: print(errno.errorcode[error.errno])'`)
    expect(said).toBe('EPERM\n')
    expect(await mounted.unmount()).toBe('ready\ndone\n')
  })

  able('takes set-id bits when somebody else writes, and new things are theirs', async () => {
    const { served, at } = servedAs('memory')
    await using mounted = await Mounted.mount(programs, at, served)
    const said = mounted.run(`
      mkdir public && chmod 777 public && cd public && cp /bin/true su && chown 1000:1000 su && chmod 6755 su
      as() { setpriv --reuid 1000 --regid 1000 --clear-groups "$@"; }
      stat -c %a su && as sh -c 'echo x >> su' && stat -c %a su
      chmod 4755 su && echo y >> su && stat -c %a su
      as sh -c 'umask 027; mkdir d; echo z > f; mkfifo p'
      stat -c '%a %u:%g' d f p
      as sh -c 'echo no > ../new' 2> /dev/null || echo refused
    `)
    expect(said).toBe('6755\n755\n4755\n750 1000:1000\n640 1000:1000\n640 1000:1000\nrefused\n')
  })

  able('shows what one writes to who has read the file before, or has it mapped', async () => {
    const { served, at } = servedAs('portable')
    await using mounted = await Mounted.mount(programs, at, served)
    const said = mounted.run(`python3 - <<'END'
import mmap, os
with open("seen", "wb") as file: file.write(b"a" * 8192)
reader = os.open("seen", os.O_RDONLY)
mapped = mmap.mmap(reader, 8192, prot=mmap.PROT_READ)
print(os.pread(reader, 2, 0), mapped[4095:4097])
writer = os.open("seen", os.O_WRONLY)
os.pwrite(writer, b"bb", 4095)
os.pwrite(writer, b"c", 0)
print(os.pread(reader, 2, 0), os.pread(reader, 2, 4095), mapped[4095:4097])
END`)
    expect(said).toBe("b'aa' b'aa'\nb'ca' b'bb' b'bb'\n")
  })

  for (const upper of ['portable', 'overlay'] as const) {
    able(`takes file capabilities with every way of writing, root's too (upper: ${upper})`, async () => {
      const { served, at } = servedAs(upper)
      await using mounted = await Mounted.mount(programs, at, served)
      const said = mounted.run(`python3 - <<'END'
import os
capability = bytes.fromhex("0100000200200000000000000000000000000000")
for flags in (os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_APPEND, os.O_RDWR, os.O_WRONLY | os.O_TRUNC):
    fd = os.open("able", flags, 0o755)
    os.setxattr("able", "security.capability", capability)
    os.write(fd, b"ab")
    os.close(fd)
    print(os.listxattr("able"), open("able").read())
END`)
      expect(said).toBe('[] ab\n[] abab\n[] abab\n[] ab\n')
    })
  }
})

describe('the end of a mount', () => {
  able('comes when somebody else unmounts it, and waits for open files where it is detached', async () => {
    const { served, at } = servedAs('portable')
    await using mounted = await Mounted.mount(programs, at, served)
    mounted.run(`exec 3> late && umount -l ${at} && echo written >&3`)
    expect(mountedAt(at)).toBe(false)
    expect(await mounted.unmount()).toBe('ready\ndone\n')
    expect(inside(served).find(({ path }) => path === 'late')!.size).toBe(8)
  })

  able('comes with the process that exits, which waits for nobody', async () => {
    const { served, at } = servedAs('portable')
    await using mounted = await Mounted.mount(programs, at, served)
    mounted.run('echo kept > kept && sync kept')
    expect(await mounted.exit()).toBe(3)
    expect(mountedAt(at)).toBe(false)
    expect(inside(served).find(({ path }) => path === 'kept')!.size).toBe(5)
  })

  able('by a kill leaves a dead mount, nobody hanging, and what was synced', async () => {
    const { served, at } = servedAs('portable')
    await using mounted = await Mounted.mount(programs, at, served)
    mounted.run('echo kept > kept && sync kept .')
    await mounted.kill()
    expect(() => mounted.run('ls')).toThrow()
    expect(inside(served).find(({ path }) => path === 'kept')!.size).toBe(5)
  })

  ableWith('python3')(
    'keeps idle processors awake while it is asked, where that is wished, and no longer',
    async () => {
      const { served, at } = servedAs('memory')
      await using mounted = await Mounted.mount(programs, at, served, { lowLatency: true })
      const script = join(folder, 'wish.py')
      writeFileSync(script, wish)
      expect(mounted.run(`python3 ${script} 2>&1`)).toBe('kept awake\nlet sleep\n')
      expect(await mounted.unmount()).toBe('ready\ndone\n')
    },
  )

  able('is a refusal where the tree cannot be opened, and nothing is mounted then', async () => {
    const { served, at } = servedAs('portable')
    const broken: Served = { ...served, lower: { ...served.lower, index: join(folder, 'nothing') } }
    await expect(Mounted.mount(programs, at, broken)).rejects.toThrow(/ENOENT/)
    expect(mountedAt(at)).toBe(false)
    await expect(Mounted.mount(programs, join(at, 'no-such'), served, { target: join(at, 'other') })).rejects.toThrow(
      /ENOENT.*mount/,
    )
  })
})

/** What the strictest wish on this machine is, in microseconds: while names are made, and when none are any more. */
const wish = `
import os, struct, time

def strictest():
    with open('/dev/cpu_dma_latency', 'rb') as device: return struct.unpack('i', device.read(4))[0]

deadline = time.monotonic() + 60
made = 0
while strictest() != 0 and time.monotonic() < deadline:
    for i in range(100): os.mkdir(str(made + i))
    made += 100
print('kept awake' if strictest() == 0 else 'never kept awake')
while strictest() == 0 and time.monotonic() < deadline: time.sleep(0.1)
print('let sleep' if strictest() != 0 else 'never let sleep')
`

/** Calls of which the answers are asserted there. */
const calls = `
import errno, fcntl, mmap, os, sys

def refuses(code, call, *given, **more):
    try:
        call(*given, **more)
    except OSError as error:
        assert error.errno == code, (call, given, error)
        return
    raise AssertionError((call, given))

fd = os.open('mapped', os.O_RDWR | os.O_CREAT, 0o644)
os.ftruncate(fd, 10000)
with mmap.mmap(fd, 10000) as shared:
    shared[5000:5005] = b'hello'
    shared.flush()
assert os.pread(fd, 5, 5000) == b'hello'
os.unlink('mapped')
assert os.fstat(fd).st_nlink == 0
os.pwrite(fd, b'x', 20000)
os.fchmod(fd, 0o600)
os.ftruncate(fd, 5)
assert (os.fstat(fd).st_size, os.fstat(fd).st_mode & 0o777) == (5, 0o600)
os.close(fd)

fd = os.open('.', os.O_TMPFILE | os.O_RDWR, 0o640)
os.write(fd, b'tmp')
here = os.open('.', os.O_RDONLY)
os.link('/proc/self/fd/%d' % fd, 'named', dst_dir_fd=here, follow_symlinks=True)
os.close(here)
assert os.stat('named').st_size == 3 and os.fstat(fd).st_nlink == 1
os.close(fd)

fd = os.open('sparse', os.O_RDWR | os.O_CREAT)
os.pwrite(fd, b'a', 1 << 20)
if sys.argv[1] == 'collected':
    assert (os.lseek(fd, 0, os.SEEK_HOLE), os.lseek(fd, 0, os.SEEK_DATA)) == ((1 << 20) + 1, 0)
else:
    assert os.lseek(fd, 0, os.SEEK_HOLE) == 0
    assert os.lseek(fd, 0, os.SEEK_DATA) > 0
os.posix_fallocate(fd, 0, 3 << 20)
assert os.fstat(fd).st_size == 3 << 20
os.pwrite(fd, b'copyme', 100)
other = os.open('other', os.O_RDWR | os.O_CREAT)
assert os.copy_file_range(fd, other, 6, 100, 7) == 6
assert os.pread(other, 6, 7) == b'copyme'
fcntl.flock(fd, fcntl.LOCK_EX)
again = os.open('sparse', os.O_RDWR)
refuses(errno.EAGAIN, fcntl.flock, again, fcntl.LOCK_EX | fcntl.LOCK_NB)
fcntl.lockf(other, fcntl.LOCK_EX, 10)
refuses(errno.ENOTTY, fcntl.ioctl, fd, 0x1234)
os.fsync(fd)

os.mkdir('gone')
place = os.open('gone', os.O_RDONLY)
os.rmdir('gone')
assert os.fstat(place).st_nlink == 0
refuses(errno.ENOENT, os.open, 'x', os.O_CREAT | os.O_RDWR, dir_fd=place)
assert os.listdir(place) == []

path = os.open('etc/passwd', os.O_PATH)
os.unlink('etc/passwd')
assert os.fstat(path).st_nlink == 0

refuses(errno.ENOTEMPTY, os.rmdir, 'usr')
refuses(errno.EISDIR, os.rename, 'top', 'usr')
refuses(errno.ENOTDIR, os.rename, 'usr', 'top')
refuses(errno.EINVAL, os.rename, 'usr', 'usr/lib/x')
refuses(errno.EEXIST, os.mkdir, 'usr')
refuses(errno.ENAMETOOLONG, os.mkdir, 'n' * 256)
refuses(errno.ENODATA, os.getxattr, 'top', 'user.none')
os.setxattr('top', 'user.a', b'1', os.XATTR_CREATE)
refuses(errno.EEXIST, os.setxattr, 'top', 'user.a', b'1', os.XATTR_CREATE)
assert os.listxattr('top') == ['user.a']
os.utime('top', ns=(123456789123456789, -5))
assert (os.stat('top').st_atime_ns, os.stat('top').st_mtime_ns) == (123456789123456789, -5)

os.mkdir('many')
for i in range(3000):
    open('many/%d' % i, 'w').close()
assert len(os.listdir('many')) == 3000
with os.scandir('many') as entries:
    for entry in entries:
        os.unlink(entry)
os.rmdir('many')
print('done')
`

/** Random reads, writes, truncations and mappings of a file that stands below, compared with a copy in memory. */
const randomContent = `
import mmap, os, random, sys

random.seed(int(sys.argv[1]))
name = 'var/log/messages'
with open(name, 'rb') as file:
    wanted = bytearray(file.read())
reader = os.open(name, os.O_RDONLY)
fd = os.open(name, os.O_RDWR)

def put(at, data):
    if at > len(wanted):
        wanted.extend(bytes(at - len(wanted)))
    wanted[at:at + len(data)] = data

for step in range(3000):
    what = random.randrange(7)
    at = random.randrange(300000)
    length = random.randrange(1, 40000)
    if what == 0:
        data = os.urandom(length)
        assert os.pwrite(fd, data, at) == length
        put(at, data)
    elif what == 1:
        os.ftruncate(fd, at)
        if at < len(wanted):
            del wanted[at:]
        else:
            wanted.extend(bytes(at - len(wanted)))
    elif what == 2:
        assert os.pread(random.choice((fd, reader)), length, at) == bytes(wanted[at:at + length]), step
    elif what == 3 and len(wanted) > at + length:
        with mmap.mmap(fd, len(wanted)) as mapped:
            data = os.urandom(length)
            mapped[at:at + length] = data
            put(at, data)
    elif what == 4 and len(wanted) > 0:
        with mmap.mmap(reader, len(wanted), prot=mmap.PROT_READ) as mapped:
            assert mapped[at:at + length] == bytes(wanted[at:at + length]), step
    elif what == 5:
        os.close(fd)
        fd = os.open(name, os.O_RDWR)
    elif what == 6 and random.randrange(20) == 0:
        os.fsync(fd)
    assert os.fstat(fd).st_size == len(wanted), step
print('done')
`
