import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Outline } from '../../src/explore/outline.ts'
import type { Rows } from '../../src/explore/table.ts'

/** Rows of paths, a directory before what is in it. */
function rowsOf(paths: readonly string[]): { readonly rows: Rows; readonly all: readonly string[] } {
  const all = new Set([''])
  for (const path of paths) {
    const names = path.split('/')
    for (let depth = 1; depth <= names.length; depth++) all.add(names.slice(0, depth).join('/'))
  }
  const sorted = [...all].sort((a, b) => (a.replaceAll('/', '\0') < b.replaceAll('/', '\0') ? -1 : 1))
  const rows = {
    count: sorted.length,
    names: sorted.map((path) => `${path.slice(path.lastIndexOf('/') + 1)}/`).join(''),
    depth: Uint16Array.from(sorted, (path) => (path === '' ? 0 : path.split('/').length)),
    kind: new Uint8Array(sorted.length).fill(1),
  }
  return { rows, all: sorted.map((path) => `/${path}`) }
}

const name = fc.constantFrom('a', 'ab', 'B', 'ba', 'İx', 'b.a', 'aa')
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'))

test('paths, parents and ends are those of the tree', () => {
  fc.assert(
    fc.property(fc.array(path, { maxLength: 12 }), (paths) => {
      const { rows, all } = rowsOf(paths)
      const outline = new Outline(rows)
      for (let row = 0; row < rows.count; row++) {
        expect(outline.path(row)).toBe(all[row])
        expect(outline.find(all[row]!)).toBe(row)
        const under = all.findIndex((other, at) => at > row && !(row === 0 || other.startsWith(`${all[row]}/`)))
        expect(outline.end[row]).toBe(under < 0 ? rows.count : under)
        if (row > 0) expect(all[outline.parent[row]!]).toBe(all[row]!.slice(0, all[row]!.lastIndexOf('/')) || '/')
      }
    }),
  )
})

test('a search finds what a look at every name finds', () => {
  const query = fc.oneof(
    name,
    path,
    path.map((text) => `/${text}`),
    fc.constantFrom('', 'i̇x', '.', '/', 'A', 'a/', 'z'),
  )
  fc.assert(
    fc.property(fc.array(path, { maxLength: 12 }), query, (paths, asked) => {
      const { rows, all } = rowsOf(paths)
      const found = new Outline(rows).matches(asked)
      const wanted = asked.toLowerCase()
      const parts = wanted.split('/')
      const expected = all.map((own, row) => {
        const lower = own.toLowerCase()
        if (wanted === '') return 1
        if (parts.length === 1) return Number(row > 0 && lower.slice(lower.lastIndexOf('/') + 1).includes(wanted))
        if (row === 0) return found[0]!
        const names = lower.split('/')
        const tail = names.slice(-parts.length)
        if (tail.length < parts.length) return 0
        const matches = tail.every((text, at) =>
          at === parts.length - 1
            ? text.startsWith(parts[at]!)
            : at === 0
              ? parts[0] === ''
                ? text === ''
                : text.endsWith(parts[0]!)
              : text === parts[at],
        )
        return Number(matches && (parts[0] !== '' || names.length === parts.length))
      })
      expect([...found]).toEqual(expected)
    }),
  )
})
