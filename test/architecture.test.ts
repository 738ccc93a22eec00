import { readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

/** docs/architecture.md: a folder imports only folders of a lower rank. */
const tiers = [
  ['model'],
  ['stream', 'tar', 'sys', 'dockerfile'],
  ['erofs', 'blob', 'signature'],
  ['layer'],
  ['stack'],
  ['union'],
  ['overlay', 'extract', 'diff', 'query', 'fs', 'fuse', 'image'],
  ['transport', 'trace'],
  ['store', 'check'],
  ['mount', 'explore'],
  ['run'],
  ['build'],
  ['index.ts'],
  ['cli'],
]
const pure = new Set([
  'explore',
  'model',
  'dockerfile',
  'stream',
  'tar',
  'erofs',
  'signature',
  'layer',
  'stack',
  'union',
  'diff',
  'query',
  'fs',
  'fuse',
  'image',
  'trace',
  'check',
])
/** Where a pure folder meets the machine. */
const edges = new Set(['explore/page.ts', 'fuse/ask-mount.ts', 'fuse/mount-fuse.ts', 'fuse/thread.ts'])
const edgeModules = new Set(['node:fs', 'node:fs/promises', 'koffi', 'memfs', 'node:child_process'])

const root = fileURLToPath(new URL('../src', import.meta.url))
const files = (readdirSync(root, { recursive: true }) as string[]).filter((file) => file.endsWith('.ts')).sort()
const homeOf = (file: string) => file.split('/')[0]!
const rank = (folder: string) => tiers.findIndex((tier) => tier.includes(folder))

function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8')
  return [...text.matchAll(/^(?:import|export)\s[^'"]*?from\s+'([^']+)'|import\('([^']+)'\)/gm)].map(
    (match) => match[1] ?? match[2]!,
  )
}

describe('the architecture', () => {
  test('every folder of src has a rank', () => {
    expect([...new Set(files.map(homeOf))].filter((home) => rank(home) < 0)).toEqual([])
  })

  test('docs/architecture.md shows every folder, with its rank and whether it is pure', () => {
    const page = readFileSync(join(root, '../docs/architecture.md'), 'utf8')
    const shown = [...page.matchAll(/^[├└]── (\w+)\/? .*? (\d+)(?: {2}(pure|edge))?$/gm)].map(
      ([, folder = '', number, kind]) => [folder, Number(number), kind === 'pure'],
    )
    const known = tiers.flat().filter((folder) => folder !== 'index.ts')
    expect(shown.toSorted()).toEqual(known.map((folder) => [folder, rank(folder), pure.has(folder)]).toSorted())
    const inStore = readdirSync(join(root, 'store'), { withFileTypes: true }).filter((entry) => entry.isDirectory())
    for (const { name } of inStore) expect(page).toMatch(new RegExp(`^│ {3}[├└]── ${name}/`, 'm'))
  })

  for (const file of files) {
    const home = homeOf(file)
    const imports = importsOf(file)
    const away = [
      ...new Set(
        imports.filter((name) => name.startsWith('.')).map((name) => homeOf(posix.join(posix.dirname(file), name))),
      ),
    ]
    test(`${file} imports only folders below ${home}`, () => {
      expect(away.filter((folder) => folder !== home && rank(folder) >= rank(home))).toEqual([])
      if (home === 'cli') expect(away.filter((folder) => folder !== 'cli' && folder !== 'index.ts')).toEqual([])
    })
    if (pure.has(home) && !edges.has(file)) {
      test(`${file} is pure: it calls no disk and no kernel`, () => {
        expect(imports.filter((name) => edgeModules.has(name))).toEqual([])
        expect(away.filter((folder) => folder === 'sys')).toEqual([])
      })
    }
    test(`${file} names Node's modules by node:, and system calls stay in sys`, () => {
      expect(imports.filter((name) => builtinModules.includes(name))).toEqual([])
      if (home !== 'sys') expect(imports.filter((name) => name === 'koffi' || name === 'memfs')).toEqual([])
    })
  }
})
