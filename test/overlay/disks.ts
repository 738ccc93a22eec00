import { memoryDisk } from '../../src/sys/memory-disk.ts'
import { nodeDisk } from '../../src/sys/node-disk.ts'

/** Loaded once: memfs takes its time. Each test has a directory of its own on it. */
const memory = await memoryDisk()

export const onDisk = nodeDisk
export const inMemory = () => memory
