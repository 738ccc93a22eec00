// What programs do in a FUSE mount: ours, over an upper of either form and with low latency, fuse-overlayfs and the kernel's overlayfs
// over the same layers, extracted, and of what makes and moves names a FUSE server that keeps nothing, in turns.
//
//   fuse.mjs IMAGES SCRATCH ROUNDS SIZE [WHO,…] [WHAT,…]     SIZE: how many files are made; WHO: overlay, portable, low-latency (over an
//                                                            upper as overlay), fuse-overlayfs, kernel, nothing, nothing-awake
//
// Ours is served as `ply mount` serves it, by a process with the same flags. Before something is read, what the server reads it from is
// read once: some machines give up the page cache of what nobody has touched for seconds.
//
// Of the first write to a lower file there are two rows: fuse-overlayfs syncs none of the copies, a store and the kernel only where they
// are told not to (`--no-durable`, `volatile`).
// With PLY_BENCH_TELL each measurement is told as it is made; PLY_BENCH_NODE are options of Node for our server (--cpu-prof).
// Prints { WHO: { WHAT: { wall, server, client, count } } }: medians, in microseconds; server and client are CPU time.
import { execFileSync, spawn } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { append, configure, layerFrom, openSource, openStore } from '../../.modules/index.js'
import { servingFlags } from '../../.modules/mount/serving-flags.js'

const [
  images,
  scratch,
  rounds,
  size,
  whom = 'overlay,portable,low-latency,fuse-overlayfs,kernel,nothing,nothing-awake',
  wanted,
] = process.argv.slice(2)
const files = Number(size)
const at = join(scratch, 'fuse')
const [client, nothing, durableRoot, hastyRoot, bigTar, archive, list, otherList, layers] = [
  'client',
  'nothing',
  'store',
  'store-not-durable',
  'big.tar',
  'archive.tar',
  'list',
  'other-list',
  'layers',
].map((name) => join(at, name))
const mountPoint = join(at, 'mnt')
const megabytes = 256
const readsLower = /walk|read|stat|lower/

if (!existsSync(otherList)) await prepare()

const samples = {}
for (let round = 0; round < Number(rounds); round++) {
  for (const who of whom.split(',')) {
    samples[who] ??= {}
    if (who.startsWith('nothing')) {
      const served = await mount(who)
      for (const what of ['create', 'rename', 'unlink'])
        await measure(served, who, what, [what, mountPoint, `${files}`])
      await served.unmount()
      continue
    }
    let served = await mount(who)
    await measure(served, who, 'readdir walk', ['readdir', mountPoint])
    await served.unmount()
    served = await mount(who)
    await measure(served, who, 'stat walk', ['stat', mountPoint])
    await measure(served, who, 'stat walk again', ['stat', mountPoint])
    await measure(served, who, '4 KiB random read', ['random', `${mountPoint}/bench-big`, '20000'])
    await served.unmount()
    served = await mount(who)
    await measure(served, who, 'stat', ['lstat', mountPoint, list])
    await measure(served, who, 'reading small files', ['cat', mountPoint, list])
    await measure(served, who, 'reading small files again', ['cat', mountPoint, list])
    await measure(served, who, 'sequential read', ['read', `${mountPoint}/bench-big`])
    if (!wanted || wanted.includes('first write') || wanted.includes('lower file'))
      execFileSync(client, ['stat', mountPoint])
    await measure(served, who, 'first write to a lower file', ['copy-up', mountPoint, list])
    await measure(served, who, 'unlink of a lower file', ['remove', mountPoint, otherList])
    const folder = `${mountPoint}/bench-new`
    mkdirSync(folder)
    for (const what of ['create', 'rename', 'unlink']) await measure(served, who, what, [what, folder, `${files}`])
    await measure(served, who, 'sequential write', ['write', `${folder}/big`, `${megabytes}`])
    await measure(served, who, 'untar', ['run', 'tar', 'xf', archive, '-C', folder])
    await measure(served, who, 'rm -r', ['run', 'rm', '-r', folder])
    await served.unmount()
    const unsynced = 'first write to a lower file, not synced'
    if (wanted && !wanted.split(',').includes(unsynced)) continue
    served = await mount(who, hastyRoot)
    execFileSync(client, ['stat', mountPoint])
    await measure(served, who, unsynced, ['copy-up', mountPoint, list])
    await served.unmount()
  }
}
const median = (numbers) => numbers.sort((a, b) => a - b)[(numbers.length - 1) >> 1]
const medians = (each) =>
  Object.fromEntries(Object.keys(each[0]).map((key) => [key, median(each.map((sample) => sample[key]))]))
for (const who of Object.keys(samples))
  for (const what of Object.keys(samples[who])) samples[who][what] = medians(samples[who][what])
console.log(JSON.stringify(samples))

async function measure(served, who, what, words) {
  if (wanted && !wanted.split(',').includes(what)) return
  execFileSync('sync', ['-f', at])
  if (readsLower.test(what)) served.warm()
  // What the machine has just been busy with decides for a while where it lets a thread run.
  await setTimeout(300)
  const before = served.cpu()
  const [wall, cpu, count] = execFileSync(client, words, { encoding: 'utf8' }).split(' ').map(Number)
  await setTimeout(50)
  const sample = { wall: wall / 1000, server: (served.cpu() - before) / 1000, client: cpu / 1000, count }
  samples[who][what] ??= []
  samples[who][what].push(sample)
  if (process.env.PLY_BENCH_TELL)
    console.error(
      `${who.padEnd(15)} ${what.padEnd(28)} ${['wall', 'server', 'client'].map((key) => `${(sample[key] / count).toFixed(1)}`.padStart(9)).join(' ')}`,
    )
}

/** Reads what a mount is served from. */
function warm(who, root) {
  const read =
    who === 'fuse-overlayfs' || who === 'kernel'
      ? `tar cf - -C ${layers} . | cat > /dev/null`
      : `find ${root}/blobs ${root}/cache -type f -exec cat {} + > /dev/null`
  execFileSync('sh', ['-c', read])
}

/** Mounts, over an empty upper; ours is in the store that is given. */
async function mount(who, root = durableRoot) {
  mkdirSync(mountPoint, { recursive: true })
  if (who === 'kernel') return mountKernel(root === hastyRoot)
  const child =
    who === 'fuse-overlayfs'
      ? mountPeer()
      : who.startsWith('nothing')
        ? begin(nothing, [mountPoint, ...(who === 'nothing-awake' ? ['awake'] : [])])
        : await mountOurs(who, root)
  return {
    warm: () => warm(who, root),
    /** Nanoseconds that all threads of the server have run. */
    cpu() {
      const tasks = `/proc/${child.pid}/task`
      return readdirSync(tasks).reduce(
        (sum, task) => sum + Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]),
        0,
      )
    },
    async unmount() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      if (who === 'fuse-overlayfs' || who.startsWith('nothing')) execFileSync('umount', [mountPoint])
      else child.stdin.end()
      await ended
    },
  }

  function mountPeer() {
    return begin('fuse-overlayfs', ['-f', '-o', overExtracted(), mountPoint])
  }

  function mountKernel(volatile) {
    const options = `${overExtracted()}${volatile ? ',volatile' : ''}`
    execFileSync('mount', ['-t', 'overlay', '-o', options, 'overlay', mountPoint])
    return { warm: () => warm(who, root), cpu: () => 0, unmount: () => execFileSync('umount', [mountPoint]) }
  }

  /** Options of an overlay with an empty upper. */
  function overExtracted() {
    const [upper, work] = ['upper', 'work'].map((name) => join(at, name))
    for (const directory of [upper, work]) {
      rmSync(directory, { recursive: true, force: true })
      mkdirSync(directory)
    }
    const lower = readdirSync(layers)
      .sort((a, b) => b - a)
      .map((layer) => join(layers, layer))
      .join(':')
    return `lowerdir=${lower},upperdir=${upper},workdir=${work}`
  }

  /** Starts a server, and returns when its mount is there. */
  function begin(program, words) {
    const server = spawn(program, words, { stdio: ['ignore', 'ignore', 'inherit'] })
    while (!readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${mountPoint} `)) execFileSync('sleep', ['0.02'])
    return server
  }

  async function mountOurs(who, root) {
    const form = who === 'low-latency' ? 'overlay' : who
    const store = await openStore(root, { upperForm: form })
    if ((await store.containers.list()).some(({ name }) => name === 'bench')) await store.containers.remove('bench')
    await (await store.containers.create('bench', 'bench')).close()
    const input = { root, upperForm: form, container: 'bench' }
    const request = { target: mountPoint, input, lowLatency: who === 'low-latency' }
    const asked = (process.env.PLY_BENCH_NODE ?? '').split(' ').filter((flag) => flag !== '')
    const flags = [...servingFlags(), ...asked]
    const script = join(import.meta.dirname, 'fuse-mount.mjs')
    const ours = spawn(process.execPath, [...flags, script, JSON.stringify(request)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    await new Promise((resolve, reject) => {
      ours.stdout.once('data', resolve)
      ours.once('exit', reject)
    })
    return ours
  }
}

/** The image: distro, and a layer with one large file; its layers extracted; an archive; two lists of lower files. */
async function prepare() {
  rmSync(at, { recursive: true, force: true })
  mkdirSync(layers, { recursive: true })
  for (const [program, source] of [
    [client, 'fuse-client.c'],
    [nothing, 'fuse-nothing.c'],
  ])
    execFileSync('cc', ['-O2', '-o', program, join(import.meta.dirname, source)])
  const big = randomFillSync(Buffer.alloc(megabytes << 20))
  writeFileSync(join(at, 'bench-big'), big)
  execFileSync('tar', ['cf', bigTar, '-C', at, 'bench-big'])
  rmSync(join(at, 'bench-big'))
  const source = await openSource(`oci:${images}/distro/oci:latest`)
  for (const [root, durable] of [
    [durableRoot, true],
    [hastyRoot, false],
  ]) {
    const store = await openStore(root, { durable })
    await store.write(configure(append(await source.image(), layerFrom({ '/bench-big': big })), {}), 'bench')
  }
  const store = await openStore(durableRoot)
  const { layers: blobs } = JSON.parse(
    execFileSync('skopeo', ['inspect', '--raw', `oci:${images}/distro/oci:latest`], { encoding: 'utf8' }),
  )
  for (const [i, { digest }] of blobs.entries())
    extract(join(images, 'distro/oci/blobs/sha256', digest.slice(7)), String(i))
  extract(bigTar, String(blobs.length))

  const tree = await store.tree('bench')
  const found = []
  const todo = [[tree.root, '']]
  for (let next = todo.pop(); next; next = todo.pop()) {
    for (const { name, ino, kind } of tree.list(next[0])) {
      const path = `${next[1]}${name}`
      if (kind === 'directory') todo.push([ino, `${path}/`])
      else if (kind === 'file' && !path.includes('\n')) {
        const { size, links } = tree.stat(ino)
        if (links === 1 && size > 0 && size <= 65536) found.push(path)
      }
    }
  }
  tree.close()
  const step = Math.floor(found.length / Math.min(2000, found.length))
  const content = Buffer.alloc(5000, 'content ')
  for (let i = 0; i < 4000; i++) {
    const directory = join(at, 'tree', `directory-${i % 100}`)
    if (i < 100) mkdirSync(directory, { recursive: true })
    writeFileSync(join(directory, `file-${i}`), content)
  }
  execFileSync('tar', ['cf', archive, '-C', join(at, 'tree'), '.'])
  rmSync(join(at, 'tree'), { recursive: true })
  // Names are byte strings.
  for (const [path, first] of [
    [list, 0],
    [otherList, step >> 1],
  ])
    writeFileSync(path, `${found.filter((_, i) => i % step === first).join('\n')}\n`, 'latin1')

  function extract(tar, name) {
    mkdirSync(join(layers, name))
    execFileSync('tar', ['xpf', tar, '-C', join(layers, name), '--xattrs', '--xattrs-include=*'])
  }
}
