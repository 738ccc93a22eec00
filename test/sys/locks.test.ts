import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { nodeDisk } from '../../src/sys/node-disk.ts'
import { hasProgram, testIf } from '../support/ability.ts'
import { temporary } from '../support/temporary.ts'

/** Another process that holds the lock until it is killed. */
async function holder(path: string): Promise<ChildProcess> {
  const child = spawn('flock', ['--exclusive', path, 'sh', '-c', 'echo held; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  await once(child.stdout!, 'data')
  return child
}

testIf(hasProgram('flock'), 'there is no flock program here')(
  'a lock excludes other processes, and ends with the process that holds it',
  async () => {
    const path = `${temporary()}/lock`
    const disk = nodeDisk()
    const other = await holder(path)
    expect(await disk.lock(path)).toBeUndefined()
    const waiting = disk.lock(path, { wait: true })
    process.kill(-other.pid!, 'SIGKILL')
    const lock = await waiting
    expect(lock).toBeDefined()
    lock!.release()
  },
)

test('a lock file that is removed or replaced meanwhile is not what is locked', async () => {
  const at = temporary()
  const path = `${at}/lock`
  const disk = nodeDisk()
  const first = await disk.lock(path)
  unlinkSync(path)
  const second = await disk.lock(path)
  expect(second).toBeDefined()
  expect(await disk.lock(path)).toBeUndefined()
  first!.release()
  expect(await disk.lock(path)).toBeUndefined()
  writeFileSync(`${at}/new`, '')
  renameSync(`${at}/new`, path)
  expect(await disk.lock(path)).toBeDefined()
  second!.release()
})

test('a lock file that may only be read can be locked', async () => {
  const at = temporary()
  const directory = `${at}/sealed`
  mkdirSync(directory)
  writeFileSync(`${directory}/lock`, '')
  chmodSync(`${directory}/lock`, 0o444)
  chmodSync(directory, 0o555)
  const disk = nodeDisk()
  try {
    const lock = await disk.lock(`${directory}/lock`, { shared: true })
    expect(lock).toBeDefined()
    expect(await disk.lock(`${directory}/lock`)).toBeUndefined()
    lock!.release()
  } finally {
    chmodSync(directory, 0o755)
    rmSync(directory, { recursive: true })
  }
})

test('no descriptor is left open by locks that were not got', async () => {
  const path = `${temporary()}/lock`
  const disk = nodeDisk()
  const held = await disk.lock(path)
  const { readdirSync } = await import('node:fs')
  const open = () => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0)
  const before = open()
  for (let i = 0; i < 100; i++) expect(await disk.lock(path)).toBeUndefined()
  expect(open()).toBe(before)
  held!.release()
})
