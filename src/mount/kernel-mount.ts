import { closeSync, constants, openSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { type ByteString, encodeText } from '../model/bytes.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { IdMapping } from '../model/id-mapping.ts'
import type { OwnerShift } from '../stack/mapped-tree.ts'
import { asFileOwner } from '../sys/file-owner.ts'
import {
  cloneMount,
  mapOwners,
  mountAttributes,
  mountIdOf,
  moveMount,
  NewFileSystem,
  pathOfDescriptor,
} from '../sys/new-mount.ts'
import { type Backing, kernelImage } from './kernel-image.ts'
import type { MountOptions } from './mounted.ts'
import { ownerNamespace } from './owner-namespace.ts'
import { Stage, takesUnseen } from './stage.ts'
import type { Standing } from './standing.ts'
import { upperInUse } from './upper-in-use.ts'

const openPath = 0o10000000

/** A mount by the kernel that is ready and can be seen nowhere yet. It goes when it is closed before it is `attach`ed. */
export interface KernelMount extends Disposable {
  /** What its mount namespace calls it, and what the table of mounts will say that it comes from. */
  readonly id: number
  readonly source: ByteString
  readonly backing: Backing | undefined
  /** Puts it on a directory, a byte string. @throws ENOENT, ENOTDIR, EPERM */
  attach(target: ByteString): void
}

export interface KernelMountRequest extends Pick<MountOptions, 'readOnly' | 'owners' | 'suid' | 'devices'> {
  /** Names the mount in the table of mounts. */
  readonly id: string
  /** The directory that it is for, a byte string: kernels before Linux 6.15 need it before. */
  readonly target: ByteString
  /** Default: as this kernel needs it. */
  readonly staged?: boolean | undefined
  /** The paths of all devices, spills too. */
  readonly files: readonly string[]
  /** Default: whatever works. */
  readonly backing?: Backing | undefined
}

/**
 * What stands on a store as a mount by the kernel: the folded index as EROFS with its tars as devices, and over it, where there are
 * uppers, overlayfs. Needs CAP_SYS_ADMIN on the host. Whatever fails, nothing is left behind.
 *
 * @throws EPERM, ENODEV; PLY_UNSUPPORTED, with the kernel's words, for what it cannot stack; PLY_CONTAINER_BUSY for an upper that the
 * kernel has in another mount
 */
export async function kernelMount(standing: Standing, request: KernelMountRequest): Promise<KernelMount> {
  const { readOnly = false, owners, suid = false, devices = false, id, target, staged = !takesUnseen() } = request
  const { upper, frozen } = standing
  const attributes =
    (readOnly || upper === undefined ? mountAttributes.readOnly : 0) |
    (suid ? 0 : mountAttributes.noSuid) |
    (devices ? 0 : mountAttributes.noDevices)
  using opened = new Descriptors()
  const shifted = owners?.uids || owners?.gids ? await ownerNamespace(owners) : undefined
  using _ = shifted
  try {
    const image = lowest(standing, request, frozen.length === 0 && upper === undefined ? attributes : 0)
    opened.add(image.fd)
    if (shifted) mapOwners(image.fd, shifted.fd)
    if (frozen.length === 0 && upper === undefined) return ready(opened.take(image.fd), image.source, image.backing)

    using stage = new Stage(staged ? target : undefined)
    const directory = (path: string) =>
      shifted ? stage.show(opened.add(mapped(path, shifted.fd))) : opened.add(openDirectory(path))
    using overlay = new NewFileSystem('overlay')
    const source = `ply:${id}`
    overlay.set('source', source)
    const lowers = [...frozen.map(({ upperDir }) => directory(upperDir)).reverse(), stage.show(image.fd)]
    for (const fd of lowers) layer(overlay, 'lowerdir+', fd)
    if (upper) {
      // Both have to be seen through one mount.
      const both = directory(dirname(upper.upperDir))
      for (const [key, path] of [
        ['upperdir', upper.upperDir],
        ['workdir', upper.workDir],
      ] as const)
        layer(overlay, key, opened.add(openDirectory(`${pathOfDescriptor(both)}/${basename(path)}`)))
    }
    // What the upper's form counts on (docs/upper-format.md). With `xino` the numbers of lower inodes would not be exact in programs
    // that count in doubles.
    for (const [key, value] of Object.entries({ redirect_dir: 'on', index: 'on', metacopy: 'on', xino: 'off' }))
      if (key !== 'index' || upper) overlay.set(key, value)
    return ready(
      madeBy(owners, () => overlay.mount(attributes)),
      source,
      image.backing,
    )
  } catch (error) {
    if (upper && codeOf(error) === 'EBUSY') throw upperInUse(standing, upper, error)
    throw refused(error)
  }
}

/**
 * Has overlayfs write its own directories as who is root of the image: where owners are mapped, nobody else's number may be in its upper.
 */
function madeBy(owners: OwnerShift | undefined, make: () => number): number {
  const { uids, gids } = owners ?? {}
  const shown = (mapping: IdMapping | undefined) => (mapping ? (mapping.get(0) ?? mapping.ranges[0]?.to ?? 0) : 0)
  return uids || gids ? asFileOwner({ uid: shown(uids), gid: shown(gids) }, make) : make()
}

/** The bottom: the image, or nothing where it has no layers. */
function lowest({ index }: Standing, { files, backing }: KernelMountRequest, attributes: number) {
  if (index !== undefined) return kernelImage(index, files, { attributes, backing })
  using empty = new NewFileSystem('tmpfs')
  const fd = empty
    .set('source', 'ply')
    .set('mode', '0755')
    .mount(attributes | mountAttributes.readOnly)
  return { fd, source: 'ply', backing: undefined }
}

/** A directory as a layer: by its descriptor (Linux 6.13), or as a path that is short and holds nothing that had to be escaped. */
function layer(overlay: NewFileSystem, key: string, fd: number): void {
  try {
    overlay.setFile(key, fd)
  } catch (error) {
    const reason = error instanceof PlyError ? error.details.reason : undefined
    if (codeOf(error) !== 'EINVAL' || (reason !== undefined && !/Bad value|Unknown parameter/.test(String(reason))))
      throw error
    overlay.set(key, pathOfDescriptor(fd))
  }
}

function openDirectory(path: string): number {
  return openSync(path, openPath | constants.O_DIRECTORY)
}

function mapped(path: string, userNamespace: number): number {
  const fd = cloneMount(encodeText(path))
  try {
    mapOwners(fd, userNamespace)
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

function ready(fd: number, source: ByteString, backing: Backing | undefined): KernelMount {
  let open = true
  const close = () => {
    if (open) closeSync(fd)
    open = false
  }
  try {
    const id = mountIdOf(fd)
    return { id, source, backing, attach: (target) => moveMount(fd, target), [Symbol.dispose]: close }
  } catch (error) {
    close()
    throw error
  }
}

/** Descriptors that are closed at the end, but for those that were taken out. */
class Descriptors implements Disposable {
  readonly #open = new Set<number>()

  add(fd: number): number {
    this.#open.add(fd)
    return fd
  }

  take(fd: number): number {
    this.#open.delete(fd)
    return fd
  }

  [Symbol.dispose](): void {
    for (const fd of this.#open) closeSync(fd)
    this.#open.clear()
  }
}

/** What the kernel has refused in its own words, as what cannot be done here. */
function refused(error: unknown): unknown {
  const reason = error instanceof PlyError ? error.details.reason : undefined
  if (typeof reason !== 'string' || (error instanceof PlyError && error.code.startsWith('PLY_'))) return error
  return new PlyError(
    'PLY_UNSUPPORTED',
    { what: 'this mount by the kernel', reason: `it says: ${reason}` },
    { cause: error },
  )
}
