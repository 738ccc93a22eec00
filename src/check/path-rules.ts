import { type ByteString, decodeText, encodeText } from '../model/bytes.ts'
import type { Findings } from './findings.ts'
import { pathPattern } from './path-pattern.ts'
import type { CheckRules } from './rules.ts'
import { contentsOf, type PathQuestion, type Visited } from './visited.ts'

type PathRules = CheckRules['paths']

/** No path may be as a pattern says, in the end or in any layer. */
export class ForbiddenPaths implements PathQuestion {
  readonly #patterns: readonly (readonly [string, (path: ByteString) => boolean])[]
  readonly #everyLayer: boolean
  readonly #findings: Findings
  /** By pattern: the directory that was told last. */
  readonly #told = new Map<string, ByteString>()

  constructor({ forbidden, everyLayer }: PathRules, findings: Findings) {
    findings.asks('forbidden-path')
    this.#patterns = forbidden.map((pattern) => [pattern, pathPattern(encodeText(pattern))])
    this.#everyLayer = everyLayer
    this.#findings = findings
  }

  visit(visited: Visited): void {
    const { path } = visited
    for (const [pattern, matches] of this.#patterns) {
      const above = this.#told.get(pattern)
      // All that is in a directory that was told goes without saying.
      if ((above !== undefined && path.startsWith(above)) || !matches(path)) continue
      this.#told.set(pattern, `${path}/`)
      this.#tell(visited, pattern)
    }
  }

  #tell({ trail, path, now }: Visited, pattern: string): void {
    const rule = 'forbidden-path'
    if (now !== undefined) {
      this.#findings.add({ rule, message: `is forbidden by ${pattern}`, ...now.at })
      return
    }
    if (!this.#everyLayer) return
    const message = `is forbidden by ${pattern}, and still in the layer though it is gone`
    for (const { place } of contentsOf(trail))
      this.#findings.add({ rule, message, path: `/${decodeText(path)}`, layer: place.side })
  }
}

/** Something has to be as each pattern says. */
export class RequiredPaths implements PathQuestion {
  readonly #missing: Map<string, (path: ByteString) => boolean>
  readonly #findings: Findings

  constructor({ required }: PathRules, findings: Findings) {
    findings.asks('missing-path')
    this.#missing = new Map(required.map((pattern) => [pattern, pathPattern(encodeText(pattern))]))
    this.#findings = findings
  }

  visit({ path, now }: Visited): void {
    if (now === undefined) return
    for (const [pattern, matches] of this.#missing) if (matches(path)) this.#missing.delete(pattern)
  }

  end(): void {
    for (const pattern of this.#missing.keys())
      this.#findings.add({ rule: 'missing-path', message: `there is no ${pattern}` })
  }
}
