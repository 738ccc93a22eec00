import { PlyError } from '../../src/model/errors.ts'
import { memoryBytes } from '../../src/stream/bytes.ts'
import { type Member, scanTar, TarReader } from '../../src/tar/index.ts'

export interface ReadArchive {
  readonly members: readonly Member[]
  readonly warnings: readonly { readonly rule: string; readonly entry: string }[]
}

/** Reads a whole archive pushed in chunks of this size. */
export function readAll(archive: Uint8Array, chunkSize = archive.length || 1): ReadArchive {
  const members: Member[] = []
  const warnings: { rule: string; entry: string }[] = []
  const reader = new TarReader({
    member: (member) => members.push(member),
    warning: (entry, { rule }) => warnings.push({ rule, entry }),
  })
  for (let at = 0; at < archive.length; at += chunkSize) reader.push(archive.subarray(at, at + chunkSize))
  reader.end()
  return { members, warnings }
}

/** The rule by which an archive is refused, by both readers; `undefined` if it is accepted. */
export function refusal(archive: Uint8Array): string | undefined {
  const pushed = ruleOf(() => readAll(archive))
  const scanned = ruleOf(() => [...scanTar(memoryBytes(archive))])
  if (pushed !== scanned) throw new Error(`the reader says ${pushed}, the scan says ${scanned}`)
  return pushed
}

export function ruleOf(action: () => unknown): string | undefined {
  try {
    action()
    return undefined
  } catch (error) {
    if (error instanceof PlyError && typeof error.details.rule === 'string') return error.details.rule
    throw error
  }
}
