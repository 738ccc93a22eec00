import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { contextTree } from '../../src/build/context/context.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ply-test-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function write(...paths: string[]): void {
  for (const path of paths) {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), path)
  }
}

function shown(options?: Parameters<typeof contextTree>[1]): string[] {
  const tree = contextTree(directory, options)
  const paths: string[] = []
  const walk = (ino: number, prefix: string) => {
    for (const { name, ino: child, kind } of tree.list(ino)) {
      expect(tree.lookup(ino, name)).toBe(child)
      if (kind === 'directory') walk(child, `${prefix}${name}/`)
      else paths.push(prefix + name)
    }
  }
  walk(tree.root, '')
  tree.close()
  return paths
}

describe('a context', () => {
  test('is all of a directory where nothing is ignored', () => {
    write('a', 'd/b', '.hidden')
    symlinkSync('/etc', join(directory, 'l'))
    expect(shown()).toEqual(['.hidden', 'a', 'd/b', 'l'])
  })

  for (const [patterns, expected] of [
    ['a', ['.dockerignore', 'A', 'd/a', 'd/b.md', 'd/e/c.md', 'x.md']],
    ['/a', ['.dockerignore', 'A', 'd/a', 'd/b.md', 'd/e/c.md', 'x.md']],
    ['*/a', ['.dockerignore', 'A', 'a', 'd/b.md', 'd/e/c.md', 'x.md']],
    ['**/a', ['.dockerignore', 'A', 'd/b.md', 'd/e/c.md', 'x.md']],
    ['*.md', ['.dockerignore', 'A', 'a', 'd/a', 'd/b.md', 'd/e/c.md']],
    ['**/*.md', ['.dockerignore', 'A', 'a', 'd/a']],
    ['d', ['.dockerignore', 'A', 'a', 'x.md']],
    ['d/', ['.dockerignore', 'A', 'a', 'x.md']],
    ['d/*', ['.dockerignore', 'A', 'a', 'x.md']],
    ['d\n!d/e', ['.dockerignore', 'A', 'a', 'd/e/c.md', 'x.md']],
    ['*\n!d/b.md', ['d/b.md']],
    ['*\n!**/*.md\nx.md', ['d/b.md', 'd/e/c.md']],
    ['# a\n\n  a  \n', ['.dockerignore', 'A', 'd/a', 'd/b.md', 'd/e/c.md', 'x.md']],
    ['[ax]*', ['.dockerignore', 'A', 'd/a', 'd/b.md', 'd/e/c.md']],
    ['?', ['.dockerignore', 'x.md']],
    ['.dockerignore', ['A', 'a', 'd/a', 'd/b.md', 'd/e/c.md', 'x.md']],
  ] as const) {
    test(`is without what ${JSON.stringify(patterns)} names`, () => {
      write('a', 'A', 'd/a', 'd/b.md', 'd/e/c.md', 'x.md')
      writeFileSync(join(directory, '.dockerignore'), patterns)
      expect(shown()).toEqual(expected)
    })
  }

  test('goes by the list of the Dockerfile before its own', () => {
    write('a', 'b', 'Dockerfile')
    writeFileSync(join(directory, '.dockerignore'), 'a')
    writeFileSync(join(directory, 'Dockerfile.dockerignore'), 'b\n*ocker*')
    expect(shown({ dockerfile: join(directory, 'Dockerfile') })).toEqual(['a'])
    expect(shown({ dockerfile: join(directory, 'Other') })).toEqual([
      '.dockerignore',
      'Dockerfile',
      'Dockerfile.dockerignore',
      'b',
    ])
    expect(shown({ ignored: [] })).toHaveLength(5)
  })
})
