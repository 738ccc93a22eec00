import { closeSync, openSync } from 'node:fs'
import { type ByteString, encodeText } from '../model/bytes.ts'
import { PlyError } from '../model/errors.ts'
import { type LoopDevice, loopDevice } from '../sys/loop.ts'
import { longestParameter, NewFileSystem, pathOfDescriptor } from '../sys/new-mount.ts'

/** By what the kernel reads an index and its tars: the files themselves (Linux 6.12), or loop devices over them. */
export type Backing = 'file' | 'loop'

export interface KernelImage {
  /** The root of the file system, mounted nowhere; the caller closes it. */
  readonly fd: number
  /** What the table of mounts will say that it comes from. */
  readonly source: ByteString
  readonly backing: Backing
}

/** ENOTBLK, EINVAL, ELOOP, EOPNOTSUPP: this kernel takes no files, or none of the file system that the store is on. */
const needsBlockDevice = new Set<unknown>([15, 22, 40, 95])

/**
 * Makes the file system of a folded index with its tars and spills, read only. Paths are text, of any length and number.
 *
 * @param attributes of `mountAttributes`
 * @throws ENODEV where the kernel has no EROFS, EPERM, ENOENT; PLY_UNSUPPORTED without loop devices where they are needed
 */
export function kernelImage(
  index: string,
  devices: readonly string[],
  { attributes, backing }: { readonly attributes: number; readonly backing?: Backing | undefined },
): KernelImage {
  if (backing !== 'loop')
    try {
      return { ...fromFiles(index, devices, attributes), backing: 'file' }
    } catch (error) {
      if (backing === 'file' || !(error instanceof PlyError) || !needsBlockDevice.has(error.details.errno)) throw error
    }
  return { ...fromLoops(index, devices, attributes), backing: 'loop' }
}

type Made = Pick<KernelImage, 'fd' | 'source'>

function fromFiles(index: string, devices: readonly string[], attributes: number): Made {
  const opened: number[] = []
  const short = (path: string): ByteString => {
    const bytes = encodeText(path)
    if (bytes.length <= longestParameter) return bytes
    const fd = openSync(path, 'r')
    opened.push(fd)
    return pathOfDescriptor(fd)
  }
  try {
    return mounted(short(index), devices.map(short), attributes)
  } finally {
    for (const fd of opened) closeSync(fd)
  }
}

function fromLoops(index: string, devices: readonly string[], attributes: number): Made {
  const loops: LoopDevice[] = []
  try {
    for (const path of [index, ...devices]) loops.push(loopDevice(path))
    const [source, ...rest] = loops.map(({ path }) => path)
    return mounted(source!, rest, attributes)
  } finally {
    // What is mounted keeps its own.
    for (const loop of loops) loop[Symbol.dispose]()
  }
}

function mounted(source: ByteString, devices: readonly ByteString[], attributes: number): Made {
  using made = new NewFileSystem('erofs')
  made.set('source', source).flag('ro')
  for (const device of devices) made.set('device', device)
  return { fd: made.mount(attributes), source }
}
