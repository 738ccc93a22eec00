import { lstatSync } from 'node:fs'
import { type ByteString, bytesOf } from '../../model/bytes.ts'
import { codeOf } from '../../model/errors.ts'
import { holdersLeft } from '../../sys/mount-holders.ts'
import { type MountLine, mountTable, whereMounted } from '../../sys/mount-table.ts'
import { bootId, mountNamespaceOf, processIn, startOf } from '../../sys/processes.ts'
import type { MountRecord, MountState } from './mount-record.ts'

/**
 * Asks the machine what has become of mounts: each namespace is looked for and its table read once, however many records name it. Nothing
 * that is mounted is touched, so a dead server holds up nobody.
 */
export class Liveness {
  readonly #tables = new Map<string, readonly MountLine[] | 'unknown'>()

  stateOf(record: MountRecord): MountState | 'held' {
    const { mount, server } = record
    if (mount === null) return isThere(record) ? 'live' : 'void'
    if (record.bootId !== bootId()) return 'void'
    const serves = server === undefined || startOf(server.pid) === server.started
    const table = this.#tableOf(mount.namespace)
    // Somebody else's processes are in it: nothing can be told of the mount, and nobody but them can get to it.
    if (table === 'unknown') return serves ? 'live' : 'void'
    // A number of a mount is given again when it is gone: what is mounted under it has to come from the same source.
    if (!table.some(({ id, source }) => id === mount.id && source === mount.source))
      return holdersLeft(mount).length > 0 ? 'held' : 'void'
    return serves ? 'live' : 'dead'
  }

  /** The directory that a mount is on by now, where that can be told from here. */
  targetOf({ mount, target }: MountRecord): ByteString {
    if (mount?.namespace !== mountNamespaceOf('self')) return target
    const table = this.#tableOf(mount.namespace)
    const isThat = ({ id, source }: MountLine) => id === mount.id && source === mount.source
    return (table !== 'unknown' && whereMounted(isThat, table)) || target
  }

  #tableOf(namespace: string): readonly MountLine[] | 'unknown' {
    let found = this.#tables.get(namespace)
    if (found === undefined) this.#tables.set(namespace, (found = readTable(namespace)))
    return found
  }
}

function readTable(namespace: string): readonly MountLine[] | 'unknown' {
  if (mountNamespaceOf('self') === namespace) return mountTable()
  const pid = processIn(namespace)
  if (pid === undefined || pid === 'unknown') return pid ?? []
  try {
    return mountTable(pid)
  } catch (error) {
    if (codeOf(error) === undefined) throw error
    return readTable(namespace)
  }
}

function isThere({ target, directory }: MountRecord): boolean {
  try {
    return lstatSync(bytesOf(target)).ino === directory
  } catch (error) {
    // What cannot be looked at may be there.
    return codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR'
  }
}
