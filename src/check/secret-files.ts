import { type ByteString, byteString, decodeText } from '../model/bytes.ts'
import { numberOf } from '../stack/inode-numbers.ts'
import type { Node } from '../stack/rule.ts'
import type { LayerStack } from '../trace/index.ts'
import type { Findings } from './findings.ts'
import { anyPattern } from './path-pattern.ts'
import type { SecretRules } from './rules.ts'
import type { SecretSearch } from './secrets.ts'
import { contentsOf, type PathQuestion, type Visited } from './visited.ts'

type View = LayerStack['layers'][number]['view']

/** No file that holds text has a secret in it, as far as limits let it be read. */
export class SecretFiles implements PathQuestion {
  readonly #stack: LayerStack
  readonly #rules: SecretRules
  readonly #search: SecretSearch
  readonly #findings: Findings
  readonly #harmless: (path: ByteString) => boolean
  readonly #scanned = new Set<number>()
  #read = 0
  #unread = 0

  constructor(stack: LayerStack, rules: SecretRules, search: SecretSearch, findings: Findings) {
    this.#stack = stack
    this.#rules = rules
    this.#search = search
    this.#findings = findings
    this.#harmless = anyPattern(rules.allow)
  }

  visit({ path, trail, now }: Visited): void {
    if (this.#harmless(path)) return
    const nodes = this.#rules.layers === 'all' ? contentsOf(trail) : now === undefined ? [] : [now.node]
    for (const node of nodes) this.#scan(path, node)
  }

  end(): void {
    if (this.#unread === 0) return
    const message = `secrets were not looked for in ${this.#unread} bytes beyond file-limit and total-limit`
    this.#findings.add({ rule: 'unscanned', message })
  }

  #scan(path: ByteString, { place }: Node): void {
    const { view } = this.#stack.layers[place.side]!
    const { kind, size, links } = view.stat(place.ino)
    if (kind !== 'file' || size === 0) return
    const own = numberOf(place)
    if (links > 1 && this.#scanned.has(own)) return
    if (links > 1) this.#scanned.add(own)
    const { fileLimit, totalLimit } = this.#rules
    const wanted = Math.min(size, fileLimit, Math.max(0, totalLimit - this.#read))
    if (wanted === 0) this.#unread += size
    const text = wanted > 0 ? beginning(view, place.ino, wanted) : undefined
    if (text === undefined) return
    this.#read += wanted
    this.#unread += size - wanted
    for (const { what, line, begins } of this.#search.in(text))
      this.#findings.add({
        rule: 'secret',
        path: `/${decodeText(path)}`,
        layer: place.side,
        line,
        message: `${what} (${begins})`,
      })
  }
}

/** The first bytes of a file that holds text; `undefined` for anything else. */
function beginning(view: View, ino: number, wanted: number): ByteString | undefined {
  const content = view.open(ino)
  try {
    const bytes = Buffer.allocUnsafe(wanted)
    // Most of what is large is no text: a look at its beginning tells.
    const looked = Math.min(wanted, 4096)
    const first = content.read(bytes.subarray(0, looked), 0)
    if (bytes.subarray(0, first).includes(0)) return undefined
    const rest = first < looked ? 0 : content.read(bytes.subarray(looked), looked)
    return byteString(bytes.subarray(0, first + rest))
  } finally {
    content.close()
  }
}
