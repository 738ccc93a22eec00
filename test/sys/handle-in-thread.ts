/** A thread that has the number of a file asked for by its handle, as the thread that serves a mount does; says what Node warned of. */
import { closeSync, openSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { fileHandle, inodeOfHandle } from '../../src/sys/file-handle.ts'

const { directory, file } = workerData as { readonly directory: string; readonly file: string }
const warnings: string[] = []
process.on('warning', ({ message }) => warnings.push(message))
const fd = openSync(directory, 'r')
const handle = fileHandle(file)
const ino = handle && inodeOfHandle(fd, handle)
closeSync(fd)
// Warnings are told by the next tick.
await setTimeout(1)
parentPort!.postMessage({ ino, warnings })
