// What a write of 4 KiB into a large file of an image costs, and copies of it that change a hundredth of their blocks each: containers, overlay
// mounts by the kernel over the same file, and copies. large-files.mjs DIRECTORY MEBIBYTES
//
// All on the disk of that directory. Everything is synced before it counts as done. Of the first writes into five containers the median counts.
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  createReadStream,
  createWriteStream,
  fsyncSync,
  mkdirSync,
  openSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { pipeline } from 'node:stream/promises'
import { openSource, openStore } from '../../dist/index.js'

const [folder, mebibytes] = process.argv.slice(2)
const size = Number(mebibytes) * 2 ** 20
const block = 4096
/** Whole copies take so long that two say enough. */
const [clones, copies] = [20, 2]
const run = (...command) => execFileSync(command[0], command.slice(1), { encoding: 'utf8', stdio: 'pipe' })
const taken = (path) => Number(run('du', '-s', '-B1', path).split('\t')[0])
const lower = join(folder, 'lower')
mkdirSync(lower, { recursive: true })
await pipeline(createReadStream('/dev/urandom', { end: size - 1 }), createWriteStream(join(lower, 'disk')))
run('sync', '--file-system', folder)

const bytes = (text) => Buffer.alloc(block, text)
/** Every hundredth block, in an order that a disk does not like, others in each copy. */
function* blocks(copy) {
  const count = Math.floor(size / block / 100)
  for (let i = 0; i < count; i++) yield (((i * 7919) % count) * 100 + copy) * block
}
const changed = Math.floor(size / block / 100) * block

/** Milliseconds until a block was written, and until it was on the disk. */
function first(fs, path) {
  const from = performance.now()
  const fd = fs.openSync(path, 'r+')
  fs.writeSync(fd, bytes('first '), 0, block, size / 2)
  const written = performance.now() - from
  fs.fsyncSync(fd)
  const synced = performance.now() - from
  fs.closeSync(fd)
  return { written, synced }
}

function change(fs, path, copy) {
  const fd = fs.openSync(path, 'r+')
  for (const at of blocks(copy)) fs.writeSync(fd, bytes(`${copy} `), 0, block, at)
  fs.fsyncSync(fd)
  fs.closeSync(fd)
}

const node = { openSync, writeSync, fsyncSync, closeSync }
const measured = {}

for (const upperForm of ['overlay', 'portable']) {
  const root = join(folder, `store-${upperForm}`)
  const uppers = join(root, 'uppers')
  const store = await openStore(root, { upperForm })
  run('tar', '-C', lower, '-cf', join(folder, 'image.tar'), 'disk')
  await store.write(await (await openSource(`tar:${join(folder, 'image.tar')}`)).image(), 'large')
  rmSync(join(folder, 'image.tar'))
  const work = await store.containers.create('work', 'large')
  work.fs.readdirSync('/')
  const empty = taken(uppers)
  const times = [first(work.fs, '/disk')]
  const oneTakes = taken(uppers) - empty
  await work.close()
  for (let round = 0; round < 4; round++) {
    const other = await store.containers.create('other', 'large')
    other.fs.readdirSync('/')
    times.push(first(other.fs, '/disk'))
    await other.close()
    await store.containers.remove('other')
  }
  const one = times.toSorted((a, b) => a.written - b.written)[times.length >> 1]
  const before = taken(uppers)
  const from = performance.now()
  for (let copy = 0; copy < clones; copy++) {
    await store.containers.clone('work', `clone-${copy}`)
    const clone = await store.containers.open(`clone-${copy}`)
    change(clone.fs, '/disk', copy)
    await clone.close()
  }
  const each = (performance.now() - from) / clones
  measured[`ply (${upperForm})`] = { ...one, takes: oneTakes, each, eachTakes: (taken(uppers) - before) / clones }
  rmSync(root, { recursive: true })
}

/** What a whole copy of the file costs, however it is made; `place` answers the file to write, and how to leave it. */
function copied(place) {
  const [path, leave] = place('first')
  const one = first(node, path)
  leave()
  const takes = taken(join(folder, 'first'))
  rmSync(join(folder, 'first'), { recursive: true })
  const from = performance.now()
  let bytesTaken = 0
  for (let copy = 0; copy < copies; copy++) {
    const [path, leave] = place('copy')
    change(node, path, copy)
    leave()
    bytesTaken += taken(join(folder, 'copy'))
    rmSync(join(folder, 'copy'), { recursive: true })
  }
  return { ...one, takes, each: (performance.now() - from) / copies, eachTakes: bytesTaken / copies }
}

measured["the kernel's overlay"] = copied((name) => {
  const at = (part) => join(folder, name, part)
  for (const part of ['upper', 'work', 'mount']) mkdirSync(at(part), { recursive: true })
  const options = `lowerdir=${lower},upperdir=${at('upper')},workdir=${at('work')}`
  run('mount', '-t', 'overlay', '-o', options, 'overlay', at('mount'))
  return [at('mount/disk'), () => run('umount', at('mount'))]
})
let copying = 0
measured['cp --reflink=auto'] = copied((name) => {
  mkdirSync(join(folder, name))
  const from = performance.now()
  run('cp', '--reflink=auto', join(lower, 'disk'), join(folder, name, 'disk'))
  copying = performance.now() - from
  return [join(folder, name, 'disk'), () => {}]
})
measured['cp --reflink=auto'].written += copying
measured['cp --reflink=auto'].synced += copying
rmSync(folder, { recursive: true })
process.stdout.write(JSON.stringify({ changed, measured }))
