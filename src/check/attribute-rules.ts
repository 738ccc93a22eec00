import { displayText } from '../model/bytes.ts'
import { numberOf } from '../stack/inode-numbers.ts'
import type { LayerStack } from '../trace/index.ts'
import type { Findings } from './findings.ts'
import { anyPattern } from './path-pattern.ts'
import type { CheckRules, Forbidden } from './rules.ts'
import type { PathQuestion, Standing, Visited } from './visited.ts'

/** Files are no larger than this, nor all of them together; a content with several names counts once. */
export class FileSizes implements PathQuestion {
  readonly #size: CheckRules['size']
  readonly #findings: Findings
  readonly #counted = new Set<number>()
  #contents = 0

  constructor(size: CheckRules['size'], findings: Findings) {
    this.#size = size
    this.#findings = findings
    if (size.file !== undefined) findings.asks('size-file')
  }

  visit({ path, now }: Visited): void {
    if (now?.stat.kind !== 'file') return
    const { links, size } = now.stat
    if (links > 1) {
      const own = numberOf(now.node.place)
      if (this.#counted.has(own)) return
      this.#counted.add(own)
    }
    this.#contents += size
    this.#findings.limit('size-file', displayText(`/${path}`), size, this.#size.file, now.at)
  }

  end(): void {
    this.#findings.limit('size-contents', 'all files', this.#contents, this.#size.contents)
  }
}

/** No file runs as its owner or its group. */
export function setIdFiles(forbidden: Forbidden, findings: Findings): PathQuestion {
  return forbiddenBut(forbidden, findings, 'set-id', ({ stat: { kind, mode, uid, gid } }) =>
    kind === 'file' && (mode & 0o6000) !== 0
      ? `runs as its owner or group: mode ${modeOf(mode)}, ${uid}:${gid}`
      : undefined,
  )
}

/** Nothing may be written by everybody, but for directories in which each may remove his own alone. */
export function worldWritable(forbidden: Forbidden, findings: Findings): PathQuestion {
  return forbiddenBut(forbidden, findings, 'world-writable', ({ stat: { kind, mode } }) => {
    const shared = kind === 'directory' && (mode & 0o1000) !== 0
    return (kind === 'file' || kind === 'directory') && (mode & 0o002) !== 0 && !shared
      ? `everybody may write it: mode ${modeOf(mode)}`
      : undefined
  })
}

/** No file has capabilities. */
export function capableFiles(forbidden: Forbidden, stack: LayerStack, findings: Findings): PathQuestion {
  return forbiddenBut(forbidden, findings, 'capability', ({ node: { place }, stat }) =>
    stat.kind === 'file' && stack.layers[place.side]!.view.xattrs(place.ino).has('security.capability')
      ? 'has capabilities when it is run'
      : undefined,
  )
}

/** @param why answers why something is what is forbidden, if it is */
function forbiddenBut(
  { allow }: Forbidden,
  findings: Findings,
  rule: 'set-id' | 'world-writable' | 'capability',
  why: (now: Standing) => string | undefined,
): PathQuestion {
  findings.asks(rule)
  const allowed = anyPattern(allow)
  return {
    visit({ path, now }) {
      const message = now && why(now)
      if (now !== undefined && message !== undefined && !allowed(path)) findings.add({ rule, message, ...now.at })
    },
  }
}

function modeOf(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}
