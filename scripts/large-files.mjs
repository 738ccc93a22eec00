// What a write into a large file of an image costs, and clones of it that change a part of it each. Checks what it measures.
//
//   node scripts/large-files.mjs [--on DIRECTORY] [--size BYTES] [--clones N] [--form overlay|portable] [--commit]
//
// Needs GNU tar, and a build.
import { execFileSync } from 'node:child_process'
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openSource, openStore } from '../dist/index.js'

const { values } = parseArgs({
  options: {
    on: { type: 'string', default: tmpdir() },
    size: { type: 'string', default: String(4 * 2 ** 30) },
    clones: { type: 'string', default: '20' },
    form: { type: 'string', default: process.getuid?.() === 0 ? 'overlay' : 'portable' },
    commit: { type: 'boolean', default: false },
  },
})
const size = Number(values.size)
const folder = mkdtempSync(join(values.on, 'ply-large-files-'))
const block = 4096
const MiB = (bytes) => `${(bytes / 2 ** 20).toFixed(2)} MiB`
const pattern = (at) => Buffer.alloc(block, `${at} `)

/** As `du` says it: what the disk gave. */
const used = () =>
  Number(execFileSync('du', ['-s', '-B1', join(folder, 'store/uppers')], { encoding: 'utf8' }).split('\t')[0])

function check(claim, text) {
  if (!claim) throw new Error(`wrong: ${text}`)
}

try {
  // A file with something in each 16 MiB of it; the archive says where its holes are.
  mkdirSync(join(folder, 'rootfs'))
  const fd = openSync(join(folder, 'rootfs/disk'), 'w')
  ftruncateSync(fd, size)
  for (let at = 0; at < size; at += 2 ** 24) writeSync(fd, pattern(at), 0, block, at)
  closeSync(fd)
  execFileSync('tar', ['--sparse', '-C', join(folder, 'rootfs'), '-cf', join(folder, 'image.tar'), 'disk'])
  rmSync(join(folder, 'rootfs'), { recursive: true })

  const store = await openStore(join(folder, 'store'), { upperForm: values.form })
  await store.write(await (await openSource(`tar:${join(folder, 'image.tar')}`)).image(), 'large')
  const firstWrite = (container) => {
    container.fs.readdirSync('/')
    const began = process.hrtime.bigint()
    const file = container.fs.openSync('/disk', 'r+')
    container.fs.writeSync(file, pattern('first'), 0, block, size / 2)
    const written = process.hrtime.bigint()
    container.fs.fsyncSync(file)
    const synced = process.hrtime.bigint()
    container.fs.closeSync(file)
    return { write: Number(written - began) / 1e6, sync: Number(synced - written) / 1e6 }
  }
  const work = await store.containers.create('work', 'large')
  const before = used()
  const first = firstWrite(work)
  const onDisk = used() - before
  // In other containers, since a machine does other things as well.
  const all = [first]
  for (let attempt = 0; attempt < 4; attempt++) {
    const other = await store.containers.create('other', 'large')
    all.push(firstWrite(other))
    await other.close()
    await store.containers.remove('other')
  }
  const took = all.toSorted((one, other) => one.write - other.write)[0]
  console.log(
    `${values.form}: the first write of 4 KiB into ${MiB(size)}: ${took.write.toFixed(1)} ms (the best of ${all.length}; the very first ${first.write.toFixed(1)}), syncing it ${took.sync.toFixed(1)} ms, ${MiB(onDisk)} of disk`,
  )
  check(onDisk < 8 * 2 ** 20, 'a write of 4 KiB took 8 MiB or more')
  const found = Buffer.alloc(block)
  const read = (container, at) => {
    const open = container.fs.openSync('/disk', 'r')
    container.fs.readSync(open, found, 0, block, at)
    container.fs.closeSync(open)
    return found
  }
  check(read(work, size / 2).equals(pattern('first')), 'the block that was written')
  check(read(work, 2 ** 24).equals(pattern(2 ** 24)), 'a block from below')
  check(work.fs.statSync('/disk').size === size, 'the size')
  await work.close()

  if (values.commit) {
    const start = Date.now()
    const again = await store.containers.open('work')
    await store.commit(again, 'committed')
    await again.close()
    const made = await store.containers.create('made', 'committed')
    check(read(made, size / 2).equals(pattern('first')), 'the block that was written, committed')
    check(read(made, 2 ** 24).equals(pattern(2 ** 24)), 'a block from below, committed')
    await made.close()
    await store.containers.remove('made')
    console.log(`committed in ${((Date.now() - start) / 1000).toFixed(1)} s`)
  }

  const clones = Number(values.clones)
  const start = Date.now()
  const cpu = process.cpuUsage()
  const empty = used()
  let changed = 0
  for (let number = 0; number < clones; number++) {
    await store.containers.clone('work', `clone${number}`)
    const clone = await store.containers.open(`clone${number}`)
    const open = clone.fs.openSync('/disk', 'r+')
    // Every hundredth block, others in each clone, in no order that a disk would like.
    const blocks = Math.floor(size / block / 100)
    for (let i = 0; i < blocks; i++) {
      const at = (((i * 7919) % blocks) * 100 + ((number * 13) % 100)) * block
      clone.fs.writeSync(open, pattern(`${number} ${at}`), 0, block, at)
      changed += block
    }
    clone.fs.closeSync(open)
    await clone.close()
  }
  const user = process.cpuUsage(cpu)
  const took20 = used() - empty
  console.log(
    `${clones} clones of it with 1 % of their blocks written each: ${MiB(took20)} of disk for ${MiB(changed)}, ${(took20 / changed).toFixed(3)} times; ${((Date.now() - start) / 1000).toFixed(1)} s, ${((user.user + user.system) / 1e6).toFixed(1)} s of CPU`,
  )
  check(took20 < 1.3 * changed, 'the clones take 1.3 times what was changed or more')
  for (let number = 0; number < clones; number++) {
    const clone = await store.containers.open(`clone${number}`, { readOnly: true })
    const blocks = Math.floor(size / block / 100)
    for (let i = 0; i < blocks; i += 97) {
      const at = (i * 100 + ((number * 13) % 100)) * block
      check(read(clone, at).equals(pattern(`${number} ${at}`)), `block ${at} of clone ${number}`)
    }
    check(
      read(clone, size / 2).equals(
        (number * 13) % 100 === (size / 2 / block) % 100 ? pattern(`${number} ${size / 2}`) : pattern('first'),
      ),
      `what clone ${number} has of the container`,
    )
    await clone.close()
  }
  const { findings } = await store.fsck({ level: 'sizes' })
  check(findings.length === 0, JSON.stringify(findings))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
