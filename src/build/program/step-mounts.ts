import type { Meaning } from '../../dockerfile/index.ts'
import { type FilesFrom, literal } from './program.ts'

/** What a command sees beside its own files. Paths are absolute, or of the working directory. */
export type StepMount =
  | {
      readonly type: 'bind'
      readonly target: string
      readonly source?: string
      readonly from?: FilesFrom
      readonly writable?: boolean
    }
  | {
      readonly type: 'cache'
      readonly target: string
      /** Which cache it is; default: the target. */
      readonly id?: string
      readonly sharing?: 'shared' | 'private' | 'locked'
      readonly uid?: number
      readonly gid?: number
      readonly mode?: number
    }
  | { readonly type: 'tmpfs'; readonly target: string /** Bytes. */; readonly size?: number }
  | {
      readonly type: 'secret'
      readonly id: string
      readonly target?: string /** A variable to put it into. */
      readonly env?: string
      readonly required?: boolean
    }
  | { readonly type: 'ssh'; readonly id?: string; readonly target?: string; readonly required?: boolean }

type Mount = Extract<Meaning, { readonly is: 'run' }>['mounts'][number]

/** What it means in RUN. */
export function mountOf(mount: StepMount, nameOf: (from: FilesFrom) => string): Mount {
  const text = (name: string, value: string | number | undefined) =>
    value === undefined ? {} : { [name]: literal(String(value)) }
  const plain = { type: mount.type, readOnly: false, required: false }
  switch (mount.type) {
    case 'bind': {
      const { target, source, from, writable = false } = mount
      const name = from === undefined ? {} : { from: nameOf(from) }
      return { ...plain, readOnly: !writable, ...text('target', target), ...text('source', source), ...name }
    }
    case 'cache': {
      const { target, id, sharing, uid, gid, mode } = mount
      const owner = { ...text('uid', uid), ...text('gid', gid), ...text('mode', mode?.toString(8)) }
      return { ...plain, ...text('target', target), ...text('id', id), ...owner, ...(sharing && { sharing }) }
    }
    case 'tmpfs':
      return { ...plain, ...text('target', mount.target), ...text('size', mount.size) }
    case 'secret':
    case 'ssh': {
      const { id, target, required = false } = mount
      const env = mount.type === 'secret' ? mount.env : undefined
      return { ...plain, required, ...text('id', id), ...text('target', target), ...text('env', env) }
    }
    default:
      return mount satisfies never
  }
}
