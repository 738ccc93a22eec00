// The kernel mount of a stored image, and walks and reads through it beside the kernel's overlayfs over the same layers, extracted.
//
//   kernel-mount.mjs IMAGES SCRATCH ROUNDS
//
// Prints { mounting: { mount, unmount }, ours: { walk, read }, peer: { walk, read } }: medians of wall time, in milliseconds. Both are asked
// in turns, each after a new mount, and with nothing in the page cache.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { copy, extractLayers, mount, openSource, openStore } from '../../dist/index.js'

const [images, scratch, rounds] = process.argv.slice(2)
const at = join(scratch, 'kernel-mount')
const [root, layers, target] = ['store', 'layers', 'mnt'].map((name) => join(at, name))
rmSync(at, { recursive: true, force: true })
mkdirSync(target, { recursive: true })

const store = await openStore(root)
const source = await openSource(`oci:${images}/distro/oci:latest`)
await copy(source, store, { as: 'bench' })
{
  const stack = await store.layers('bench')
  await extractLayers(
    stack.layers.map(({ view }) => view),
    layers,
  )
  stack.close()
}
const lower = readdirSync(layers)
  .sort((a, b) => b - a)
  .map((name) => join(layers, name))
  .join(':')

const ours = async () => {
  const mounted = await mount({ store, image: 'bench' }, target, { via: 'kernel' })
  return () => mounted.unmount()
}
const peer = async () => {
  execFileSync('mount', ['-t', 'overlay', '-o', `ro,lowerdir=${lower}`, 'overlay', target])
  return () => execFileSync('umount', [target])
}
const programs = {
  walk: "find . -xdev -printf '%s %m %T@' > /dev/null",
  read: 'find . -xdev -type f -print0 | xargs -0 cat > /dev/null',
}

const times = { mount: [], unmount: [] }
for (let i = 0; i < 20; i++) {
  const from = performance.now()
  const unmount = await ours()
  const between = performance.now()
  await unmount()
  times.mount.push(between - from)
  times.unmount.push(performance.now() - between)
}
const samples = { ours: { walk: [], read: [] }, peer: { walk: [], read: [] } }
for (let round = 0; round < Number(rounds); round++)
  for (const [what, script] of Object.entries(programs))
    for (const [who, mounting] of Object.entries({ ours, peer })) {
      const unmount = await mounting()
      execFileSync('sync')
      writeFileSync('/proc/sys/vm/drop_caches', '3')
      const from = performance.now()
      execFileSync('sh', ['-c', script], { cwd: target })
      samples[who][what].push(performance.now() - from)
      await unmount()
    }
const median = (numbers) => numbers.sort((a, b) => a - b)[(numbers.length - 1) >> 1]
const medians = (each) => Object.fromEntries(Object.entries(each).map(([what, numbers]) => [what, median(numbers)]))
console.log(JSON.stringify({ mounting: medians(times), ours: medians(samples.ours), peer: medians(samples.peer) }))
await store[Symbol.asyncDispose]()
await source[Symbol.asyncDispose]?.()
