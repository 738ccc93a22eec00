import { readFileSync } from 'node:fs'

export interface Rule {
  readonly id: string
  /** The number of its section in layer-semantics. */
  readonly section: number
  readonly text: string
}

/** The rules of docs/layer-semantics.md, in its order. */
export function rulesOfPage(page = readFileSync('docs/layer-semantics.md', 'utf8')): readonly Rule[] {
  let section = 0
  const rules: Rule[] = []
  for (const line of page.split('\n')) {
    section = Number(/^## (\d+)\. /.exec(line)?.[1] ?? section)
    const found = /^- \[.\] \*\*([A-Z]-\d\d)\*\* (.*)/.exec(line)
    if (found) rules.push({ id: found[1]!, section, text: found[2]! })
  }
  return rules
}
