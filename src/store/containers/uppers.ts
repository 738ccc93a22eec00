import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { ChainId, Digest } from '../../model/digest.ts'
import { PlyError } from '../../model/errors.ts'
import { dropHostAcls } from '../../overlay/host-acls.ts'
import { openOverlayUpper } from '../../overlay/overlay-upper.ts'
import { openPortableUpper } from '../../overlay/portable-upper.ts'
import type { StoredUpper } from '../../overlay/stored-upper.ts'
import type { Disk } from '../../sys/disk.ts'
import { syncFileSystem } from '../../sys/sync.ts'
import { type Layout, sayBlocks } from '../layout.ts'
import { namesIn, readJson, recordText, writeFileAtomically } from '../records.ts'

/** How an upper keeps what was written (docs/upper-format.md). */
export type UpperForm = 'portable' | 'overlay'

const upperForms: readonly string[] = ['portable', 'overlay'] satisfies UpperForm[]

/** @throws PLY_USAGE for what is no form: programs without types may say anything */
export function checkUpperForm(form: UpperForm): void {
  if (upperForms.includes(form)) return
  const reason = `${JSON.stringify(form)} is no form of an upper: say ${upperForms.join(' or ')}`
  throw new PlyError('PLY_USAGE', { reason })
}

/** `uppers/<id>/record.json`: what an upper stands on. It never changes. */
export interface UpperRecord {
  readonly id: string
  /** The frozen upper below it, in a chain of snapshots. */
  readonly parent: string | null
  readonly form: UpperForm
  /** The version of the index format whose inode numbers the upper holds. */
  readonly indexFormat: 1
  readonly chainId: ChainId | null
  /** The manifest whose layers are that chain. */
  readonly manifest: Digest
}

/** The writable layers of a store, by id. They are state: only their user removes them. */
export class Uppers {
  readonly #disk: Disk
  readonly #layout: Layout
  readonly #blocksFrom: number

  /** `blocksFrom`: bytes that a lower file has that is written block by block, or more. */
  constructor(disk: Disk, layout: Layout, blocksFrom: number) {
    this.#disk = disk
    this.#layout = layout
    this.#blocksFrom = blocksFrom
  }

  /** Makes an empty upper and returns its record. */
  create(stands: Omit<UpperRecord, 'id' | 'indexFormat'>): UpperRecord {
    const { fs } = this.#disk
    const record: UpperRecord = { id: randomBytes(12).toString('hex'), indexFormat: 1, ...stands }
    const making = join(this.#layout.tmp, `upper-${record.id}`)
    fs.mkdirSync(join(making, 'upper'), { recursive: true, mode: 0o700 })
    fs.mkdirSync(join(making, 'work'), { mode: 0o700 })
    if (record.form === 'overlay') dropHostAcls(join(making, 'upper'))
    writeFileAtomically({ disk: this.#disk, tmp: this.#layout.tmp }, join(making, 'record.json'), recordText(record))
    fs.renameSync(making, this.#pathOf(record.id))
    this.#disk.syncDirectory(this.#layout.uppers)
    return record
  }

  /** Makes an empty upper over another one, which nobody writes from the moment that somebody stands on this one. */
  createOver(parent: string): UpperRecord {
    const { form, chainId, manifest } = this.record(parent)
    return this.create({ parent, form, chainId, manifest })
  }

  list(): string[] {
    return namesIn(this.#disk, this.#layout.uppers)
  }

  record(id: string): UpperRecord {
    const path = join(this.#pathOf(id), 'record.json')
    const record = readJson<UpperRecord>(this.#disk, path)
    if (record === undefined) throw new PlyError('ENOENT', { syscall: 'open', path })
    return record
  }

  /** `below` are the frozen uppers that it stands on, open, oldest first. */
  open(
    record: UpperRecord,
    {
      readOnly,
      below,
      unclean = false,
    }: { readonly readOnly: boolean; readonly below: readonly StoredUpper[]; readonly unclean?: boolean },
  ): StoredUpper {
    const root = this.#pathOf(record.id)
    const numbersFrom = below.at(-1)?.nextNumber ?? 0
    const upper = {
      disk: this.#disk,
      readOnly,
      numbersFrom,
      blocksFrom: this.#blocksFrom,
      onBlocks: () => sayBlocks(this.#disk, this.#layout),
    }
    if (record.form === 'portable') return openPortableUpper({ ...upper, root: join(root, 'upper') })
    return openOverlayUpper({
      ...upper,
      upperDir: join(root, 'upper'),
      workDir: join(root, 'work'),
      xattr: 'trusted',
      metacopy: true,
      below,
      unclean,
      ...(record.chainId && { chainId: record.chainId }),
    })
  }

  /**
   * Notes that an upper is written, until `written`. A process that died meanwhile may have left what is on no disk yet: then it is
   * brought there first, so that nothing counts on what a power cut takes away.
   */
  writing(id: string): void {
    if (this.#disk.kind === 'memory') return
    this.secure(id)
    this.#disk.fs.writeFileSync(this.#noteOf(id), '', { mode: 0o600 })
  }

  /** What was written in an upper is on the disk. */
  written(id: string): void {
    this.#disk.fs.rmSync(this.#noteOf(id), { force: true })
  }

  /**
   * Returns when what was written in an upper that nobody has open is on the disk, and its numbers are known: at once, where it was
   * closed. The caller holds its lock.
   */
  secure(id: string): void {
    if (!this.#disk.fs.existsSync(this.#noteOf(id))) return
    syncFileSystem(this.#pathOf(id))
    const record = this.record(id)
    if (record.form === 'overlay') {
      // Which numbers were given in it is all that is asked, and that is the same whatever it stands on.
      this.open(record, { readOnly: false, below: [], unclean: true }).close()
      syncFileSystem(this.#pathOf(id))
    }
    this.written(id)
  }

  /** Out of sight at once, then gone. */
  remove(id: string): void {
    const { fs } = this.#disk
    const doomed = join(this.#layout.tmp, `removed-${id}-${randomBytes(4).toString('hex')}`)
    fs.renameSync(this.#pathOf(id), doomed)
    fs.rmSync(doomed, { recursive: true, force: true })
    fs.rmSync(this.lockOf(id), { force: true })
  }

  lockOf(id: string): string {
    return join(this.#layout.locks, `upper-${id}`)
  }

  /** Whether files are kept in blocks in it. */
  hasBlocks(id: string): boolean {
    const { form } = this.record(id)
    const folder = join(this.#pathOf(id), ...(form === 'portable' ? ['upper', 'extents'] : ['extents']))
    return this.#disk.fs.existsSync(folder) && (this.#disk.fs.readdirSync(folder) as string[]).length > 0
  }

  pathOf(id: string): string {
    return this.#pathOf(id)
  }

  #noteOf(id: string): string {
    return join(this.#pathOf(id), 'writing')
  }

  #pathOf(id: string): string {
    return join(this.#layout.uppers, id)
  }
}
