import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { heldBytes } from '../../src/store/layers/held-bytes.ts'
import { nodeDisk } from '../../src/sys/node-disk.ts'
import { temporary } from '../support/temporary.ts'

/** Runs a shell program while the file is locked as by who looks whether it is in use. */
async function locked(path: string, program: string): Promise<{ readonly done: Promise<unknown> }> {
  const holder = spawn('flock', ['--exclusive', path, 'sh', '-c', `echo held; ${program}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(holder.stdout, 'data')
  return { done: once(holder, 'close') }
}

test('a cache that somebody looks at is waited for, however long a busy machine keeps them from going on', async ({
  skip,
}) => {
  if (process.platform !== 'linux') skip('util-linux has the flock command')
  const path = join(temporary(), 'index')
  writeFileSync(path, 'index')
  const { done } = await locked(path, 'sleep 0.3')
  const bytes = heldBytes(nodeDisk(), path)
  expect(bytes.size).toBe(5)
  bytes.close()
  await done
})

test('a cache that was taken meanwhile is not there', async ({ skip }) => {
  if (process.platform !== 'linux') skip('util-linux has the flock command')
  const path = join(temporary(), 'index')
  writeFileSync(path, 'index')
  const { done } = await locked(path, `sleep 0.1; rm '${path}'; sleep 0.2`)
  expect(() => heldBytes(nodeDisk(), path)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
  await done
})
