import type { ByteString } from '../../model/bytes.ts'
import { PlyError } from '../../model/errors.ts'
import type { Operation } from '../../model/operation.ts'
import type { StoredUpper } from '../../overlay/stored-upper.ts'
import type { Tree } from '../../stack/tree.ts'
import type { Container } from './container.ts'

/** The members of an open container by which it is mounted, and nobody else uses. */
export const handOver: unique symbol = Symbol('hands writing over')
export const asSeen: unique symbol = Symbol('what shows in a container, wherever it is written')

/** A container that is written elsewhere for now. */
export interface HandedOver {
  /**
   * It is written here again, and shows what was written meanwhile. Nothing happens if it was closed. Safe to call twice.
   * @throws PLY_CONTAINER_BUSY, PLY_CONTAINER_NOT_FOUND if somebody else was faster
   */
  back(): Promise<void>
}

export interface Mountable {
  /**
   * Closes what an open container stands on, and gives its lock free: until it is back, everything in it answers EBUSY.
   * @param where it will be written, for messages
   * @throws EBUSY while something in it is open; EROFS if it is open for reading only
   */
  [handOver](where: string): HandedOver
  /** The container itself, or, while it is written elsewhere, one that is open for reading, and which the caller closes. */
  [asSeen](operation?: Operation): Promise<Container>
}

/** The sides of a union that is elsewhere: its root stands, and whoever asks more is told where it is. */
export function sidesElsewhere(
  where: string,
  { root: lowerRoot }: Tree,
  { root: upperRoot }: StoredUpper,
): { readonly lower: Tree; readonly upper: StoredUpper } {
  const elsewhere = (syscall: string) => (): never => {
    // The cause is what comes through whoever says on which path it was met.
    throw new PlyError('EBUSY', { syscall }, { cause: new Error(`it is mounted at ${where}: write there`) })
  }
  const absent = new Set<ByteString>(['place', 'digests', 'groups', 'blocks', 'then'])
  const side = (known: Readonly<Record<string, unknown>>) =>
    new Proxy(
      {},
      {
        get: (_, key) => {
          if (typeof key === 'symbol' || absent.has(key)) return undefined
          return key in known ? known[key] : elsewhere(key)
        },
      },
    )
  const close = () => {}
  return {
    lower: side({
      root: lowerRoot,
      close,
      kind: (ino: number) => (ino === lowerRoot ? 'directory' : elsewhere('stat')()),
    }) as Tree,
    upper: side({ root: upperRoot, close }) as StoredUpper,
  }
}
