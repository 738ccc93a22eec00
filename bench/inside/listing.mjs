// A tree of very many entries, listed by the command as JSON: listing.mjs COUNT DIRECTORY
//
// Prints when the first bytes came, from the start of the process and beyond what one takes that lists a tree of one file; the peak of its
// memory; its CPU time; and what became of it when its reader went away after the first bytes.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { performance } from 'node:perf_hooks'

const [count, directory] = [Number(process.argv[2]), process.argv[3]]
const ply = [process.execPath, resolve(import.meta.dirname, '../../bin/ply.js')]
const root = join(directory, 'store')
mkdirSync(directory, { recursive: true })

function tarOf(path, entries) {
  const fd = openSync(path, 'w')
  const block = Buffer.alloc(512)
  const put = (name, type) => {
    block.fill(0)
    block.write(name, 0, 'latin1')
    block.write('0000644\x000000000\x000000000\x0000000000000\x0014371000000\x00', 100, 'latin1')
    block.write(`        ${type}`, 148, 'latin1')
    block.write('ustar\x0000', 257, 'latin1')
    let sum = 0
    for (const byte of block) sum += byte
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
    held.push(Buffer.from(block))
    if (held.length === 2048) writeSync(fd, Buffer.concat(held.splice(0)))
  }
  const held = []
  for (let i = 0; i < entries; i++) {
    if (i % 500 === 0) put(`d${i / 500}/`, '5')
    else put(`d${Math.floor(i / 500)}/a-file-with-a-name-${i}`, '0')
  }
  writeSync(fd, Buffer.concat([...held, Buffer.alloc(1024)]))
  closeSync(fd)
}

for (const [name, entries] of [
  ['many:1', count],
  ['one:1', 1],
]) {
  if (existsSync(join(directory, name))) continue
  const tar = join(directory, 'made.tar')
  tarOf(tar, entries)
  execFileSync(ply[0], [ply[1], 'import', tar, name, '-q', '--no-durable', '--root', root])
  closeSync(openSync(join(directory, name), 'w'))
  spawnSync('rm', [tar])
}

const listing = (name) => ['ls', name, '-R', '--json', '--root', root]

/** Milliseconds until the first bytes, after which nobody reads on; how the process ended, and what it said. */
async function begun(name) {
  const start = performance.now()
  const child = spawn(ply[0], [ply[1], ...listing(name)], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said += chunk
  })
  const first = await new Promise((done) => child.stdout.once('data', () => done(performance.now() - start)))
  child.stdout.destroy()
  const code = await new Promise((done) => child.on('close', done))
  return { first, code, said }
}

const best = async (name) => {
  let least
  for (let run = 0; run < 5; run++) {
    const one = await begun(name)
    if (least === undefined || one.first < least.first) least = one
  }
  return least
}
const [one, many] = [await best('one:1'), await best('many:1')]
const times = join(directory, 'times')
const whole = spawnSync('/usr/bin/time', ['-q', '-f', '%U %S %M', '-o', times, ...ply, ...listing('many:1')], {
  stdio: ['ignore', 'ignore', 'inherit'],
})
const [user, system, kib] = readFileSync(times, 'utf8').trim().split(' ').map(Number)
console.log(
  JSON.stringify({
    entries: count,
    first: many.first,
    beyondOne: many.first - one.first,
    memory: (kib * 1024) / 1e6,
    cpu: user + system,
    quiet: many.code === 0 && many.said === '' && whole.status === 0,
  }),
)
