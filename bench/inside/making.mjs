// Empty files made and removed in a container beside node:fs on the same disk.
//
//   making.mjs SCRATCH FILES ROUNDS
//
// Prints { portable: { create: { cpu, wall }, unlink: … }, overlay: …, peer: … }: microseconds a call, the least of the rounds, in turns. Files
// are in directories of a thousand; neither side waits for the disk in it.
import { execFileSync } from 'node:child_process'
import * as nodeFs from 'node:fs'
import { join } from 'node:path'
import { openStore } from '../../dist/index.js'
import { cpuSeconds } from './cpu.mjs'
import { fewFiles } from './few-files.mjs'

const [directory, count, rounds] = process.argv.slice(2)
const files = Number(count)
const at = join(directory, 'making')
nodeFs.rmSync(at, { recursive: true, force: true })
nodeFs.mkdirSync(join(at, 'peer'), { recursive: true })
const best = {}
for (let round = 0; round < Number(rounds); round++) {
  for (const upperForm of ['portable', 'overlay']) {
    const root = join(at, upperForm)
    const store = await openStore(root, { upperForm })
    if (round === 0) await fewFiles(store, 'bench', 20)
    const container = await store.containers.create(`bench-${round}`, 'bench')
    measure(upperForm, container.fs, '', () => container.tree.sync())
    await container[Symbol.asyncDispose]()
    await store.containers.remove(`bench-${round}`)
    await store[Symbol.asyncDispose]()
  }
  measure('peer', nodeFs, join(at, 'peer'), () => {})
}
console.log(JSON.stringify(best))
nodeFs.rmSync(at, { recursive: true, force: true })

function measure(who, fs, base, sync) {
  const paths = Array.from({ length: files }, (_, i) => `${base}/made-${Math.floor(i / 1000)}/file-${i}`)
  for (let i = 0; i < files; i += 1000) fs.mkdirSync(`${base}/made-${i / 1000}`)
  timed(who, 'create', (path) => fs.closeSync(fs.openSync(path, 'wx')))
  timed(who, 'unlink', (path) => fs.unlinkSync(path))
  for (let i = 0; i < files; i += 1000) fs.rmdirSync(`${base}/made-${i / 1000}`)

  function timed(name, call, act) {
    execFileSync('sync')
    const from = performance.now()
    const cpu = cpuSeconds()
    for (const path of paths) act(path)
    const calls = { cpu: ((cpuSeconds() - cpu) * 1e6) / files, wall: ((performance.now() - from) * 1000) / files }
    sync()
    const known = ((best[name] ??= {})[call] ??= { cpu: Infinity, wall: Infinity })
    known.cpu = Math.min(known.cpu, calls.cpu)
    known.wall = Math.min(known.wall, calls.wall)
  }
}
