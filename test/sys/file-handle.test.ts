import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { expect } from 'vitest'
import { fileHandle, inodeOfHandle } from '../../src/sys/file-handle.ts'
import { bundled } from '../crash/bundled.ts'
import { testIf } from '../support/ability.ts'
import { temporary } from '../support/temporary.ts'

const handleTest = testIf(
  opensHandles(),
  'nobody here can open files by their handles: that takes root, and a file system that has some',
)

handleTest('a handle names an inode until that has gone, whatever has its name', () => {
  const directory = temporary()
  const file = join(directory, 'file')
  writeFileSync(file, '')
  const handle = fileHandle(file)!
  const fd = openSync(directory, 'r')
  try {
    expect(inodeOfHandle(fd, handle)).toBe(statSync(file).ino)
    rmSync(file)
    writeFileSync(file, '')
    expect(inodeOfHandle(fd, handle)).toBeUndefined()
  } finally {
    closeSync(fd)
  }
})

handleTest('a thread that asks is not warned of descriptors that Node did not open', async () => {
  const directory = temporary()
  const file = join(directory, 'file')
  writeFileSync(file, '')
  const program = await bundled('test/sys/handle-in-thread.ts', join(directory, 'bundled'))
  const worker = new Worker(program, { workerData: { directory, file } })
  const said = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  expect(said).toEqual({ ino: statSync(file).ino, warnings: [] })
})

function opensHandles(): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'plyfs-probe-'))
  const fd = openSync(directory, 'r')
  try {
    const handle = fileHandle(directory)
    return handle !== undefined && inodeOfHandle(fd, handle) !== undefined
  } finally {
    closeSync(fd)
    rmSync(directory, { recursive: true })
  }
}
