import { spawnSync } from 'node:child_process'
import { lstatSync, readFileSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { encodeText } from '../model/bytes.ts'
import { codeOf } from '../model/errors.ts'
import { namespaceOfCommand } from '../mount/command.ts'
import { programPath } from '../mount/program-path.ts'
import { mountGround } from '../store/mounts/ground.ts'
import { namesIn } from '../store/records.ts'
import type { Store } from '../store/store.ts'
import { nodeDisk } from '../sys/node-disk.ts'
import { isRemoved, removeScratch, scratchPattern, type Trace, tracePattern } from './traces.ts'

/** Milliseconds in which a container is made after it was noted that it would be. */
const making = 10_000

/**
 * Clears away what runs and builds have left that were killed: their directories, and containers that were made to be removed. What of it
 * somebody still uses, or may not be removed, stays for the next time. A store that is only read is left as it is.
 */
export async function clearAbandoned(store: Store): Promise<void> {
  const { layout } = store[mountGround]
  const disk = nodeDisk()
  const files = namesIn(disk, layout.locks).flatMap((name) => (tracePattern.test(name) ? join(layout.locks, name) : []))
  // What is mounted in a directory of one may keep the container of another.
  const order = files.map((file) => [file, traceIn(file).scratch === undefined ? 1 : 0] as const)
  for (const [file] of order.sort(([, a], [, b]) => a - b)) {
    using free = await disk.lock(file)
    if (free !== undefined && (await cleared(store, traceIn(file)))) rmSync(file, { force: true })
  }
}

/** Whether nothing is left of it. */
async function cleared(store: Store, { scratch, container }: Trace): Promise<boolean> {
  if (scratch !== undefined && isOurs(scratch) && !(await withoutScratch(store, scratch))) return false
  if (container === undefined) return true
  const { name, since, upper } = container
  const found = (await store.containers.list()).find((one) => one.name === name)
  if (found === undefined) return true
  const begun = Date.parse(found.created) - since
  // Somebody may have given the name to another container meanwhile.
  const isIt = upper === undefined ? begun > -1000 && begun < making : found.upper === upper
  return !isIt || (await isRemoved(store, name, 0))
}

async function withoutScratch(store: Store, scratch: string): Promise<boolean> {
  const { records } = store[mountGround]
  const within = encodeText(`${scratch}/`)
  for (const { target, via } of records.list()) {
    // A copy may hold what its container does not have yet.
    if (via === 'extract' && target.startsWith(within) && !isBroughtBack(store, target)) return false
  }
  try {
    removeScratch(scratch)
    return true
  } catch (error) {
    if (codeOf(error) === undefined) throw error
    return false
  }
}

/** Unmounts a copy as whom it was made. */
function isBroughtBack(store: Store, target: string): boolean {
  const words = [...namespaceOfCommand().enter, process.execPath, programPath('command-in-mount'), store.root, target]
  return spawnSync(words[0]!, words.slice(1), { stdio: 'ignore' }).status === 0
}

function traceIn(file: string): Trace {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Trace
  } catch (error) {
    // It ended before it had made anything.
    if (error instanceof SyntaxError || codeOf(error) === 'ENOENT') return {}
    throw error
  }
}

function isOurs(scratch: string): boolean {
  if (!scratchPattern.test(basename(scratch))) return false
  const found = lstatSync(scratch, { throwIfNoEntry: false })
  return found?.isDirectory() === true && found.uid === process.geteuid?.()
}
