import { humanAge } from '../ages.ts'
import type { ContainerRecord, Library, RecordedMount } from '../library.ts'
import { StoreCommand } from '../store-command.ts'
import { shortId, table } from '../table.ts'

/** A container, or an image that is mounted. */
interface Row extends Partial<Pick<ContainerRecord, 'name' | 'snapshots' | 'upper'>> {
  readonly image: string | undefined
  readonly manifest: string
  readonly created: string
  readonly mounts: readonly MountValue[]
}

interface MountValue {
  readonly id: string
  readonly target: string
  readonly targetBytes?: string
  readonly via: string
  readonly readOnly: boolean
  readonly snapshot?: string
  readonly state: string
  /** The process that serves it. */
  readonly server?: number
}

export class Ps extends StoreCommand {
  static override summary = 'List the containers in the store, with their snapshots, and what is mounted.'
  static override description =
    'What is mounted is shown with its directory, the way, and the process that serves it. A mount whose process was killed is dead: ply umount removes it.'
  static override examples = [{ description: 'Containers, and the images they were made from', command: 'ply ps' }]

  async run() {
    await this.parse(Ps)
    const library = await this.library()
    const store = await this.store()
    const containers = await store.containers.list()
    const mounts = store.mounts.list()
    const rows: Row[] = containers.map((container) => ({
      ...container,
      mounts: mounts
        .filter(({ subject }) => containerOf(subject) === container.name)
        .map((one) => mountValue(one, library)),
    }))
    for (const one of mounts) {
      if (one.subject.kind !== 'image') continue
      const { subject, manifest, created } = one
      rows.push({ image: subject.name, manifest, created, mounts: [mountValue(one, library)] })
    }
    if (this.quiet) await this.printAll(containers.map((container) => container.name))
    else {
      await this.printAll(
        table(rows, [
          { header: 'name', of: (row) => row.name ?? '-' },
          { header: 'image', of: (row) => row.image ?? '<none>' },
          { header: 'manifest', of: (row) => shortId(row.manifest, false) },
          { header: 'snapshots', of: (row) => (row.snapshots ?? []).map(({ name }) => name).join(' ') || '-' },
          { header: 'mounted', of: (row) => row.mounts.map(mountText).join(', ') || '-' },
          { header: 'created', of: (row) => humanAge(row.created) },
        ]),
      )
    }
    return rows
  }
}

function containerOf(subject: RecordedMount['subject']): string | undefined {
  if (subject.kind === 'image') return undefined
  return subject.kind === 'container' ? subject.name : subject.container
}

function mountValue(mount: RecordedMount, { decodeText, displayText, encodeText }: Library): MountValue {
  const { id, target, via, readOnly, subject, state, server } = mount
  const text = decodeText(target)
  return {
    id,
    target: displayText(target),
    ...(encodeText(text) !== target && { targetBytes: Buffer.from(target, 'latin1').toString('base64') }),
    via,
    readOnly,
    ...(subject.kind === 'snapshot' && { snapshot: subject.snapshot }),
    state,
    ...(server && { server: server.pid }),
  }
}

/** `/mnt (fuse, 1234)` */
function mountText({ target, via, state, server, snapshot }: MountValue): string {
  const notes = [via, ...(snapshot ? [`@${snapshot}`] : []), ...(state === 'dead' ? ['dead'] : server ? [server] : [])]
  return `${target} (${notes.join(', ')})`
}
