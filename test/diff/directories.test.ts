import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, expect } from 'vitest'
import { type DiffOptions, diff } from '../../src/diff/index.ts'
import { directoryTree, extractTree } from '../../src/extract/index.ts'
import type { Tree } from '../../src/stack/tree.ts'
import { readXattrs } from '../../src/sys/xattr.ts'
import { holds } from '../properties/seed.ts'
import { root, testIf } from '../support/ability.ts'
import { edited, edits } from './edits.ts'

const work = mkdtempSync(join(tmpdir(), 'ply-test-pairs-'))
afterAll(() => rmSync(work, { recursive: true, force: true }))

/** What stands at each path of a directory, by what the system says alone. */
function plainly(directory: string): Map<string, Record<string, string>> {
  const found = new Map<string, Record<string, string>>()
  const visit = (path: string) => {
    const at = Buffer.from(`${directory}${path === '' ? '' : `/${path}`}`, 'latin1')
    const stat = lstatSync(at, { bigint: true })
    const format = Number(stat.mode) & 0o170000
    const seconds =
      (stat.mtimeNs - (((stat.mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n)) / 1_000_000_000n
    const kept = format === 0o100000 || format === 0o040000
    const xattrs = kept
      ? [...readXattrs(at.toString('latin1'))].map(([name, value]) => `${name}=${Buffer.from(value).toString('hex')}`)
      : []
    found.set(path, {
      kind: String(format),
      owner: `${stat.uid}:${stat.gid}`,
      mode: format === 0o120000 ? '' : String(Number(stat.mode) & 0o7777),
      mtime: format === 0o040000 ? '' : String(seconds),
      xattrs: xattrs.sort().join(' '),
      content: format === 0o100000 ? readFileSync(at, 'latin1') : '',
      target: format === 0o120000 ? readlinkSync(at, 'latin1') : '',
      device: String(format === 0o020000 ? stat.rdev : ''),
    })
    if (format !== 0o040000) return
    for (const name of readdirSync(at, 'latin1')) visit(path === '' ? name : `${path}/${name}`)
  }
  visit('')
  return found
}

/** A line a path: what is told once for everything under a removed directory is told once here too. */
function comparedPlainly(before: string, after: string): string[] {
  const [x, y] = [plainly(before), plainly(after)]
  const lines: string[] = []
  for (const [path, was] of x) {
    const is = y.get(path)
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')))
    if (is === undefined) {
      if (y.get(parent)?.kind === String(0o040000)) lines.push(`D ${path}`)
      continue
    }
    const differing = Object.keys(was).filter((aspect) => was[aspect] !== is[aspect])
    if (differing.includes('kind')) lines.push(`C ${path} kind`)
    else if (differing.length > 0) lines.push(`C ${path} ${differing.sort().join(',')}`)
  }
  for (const path of y.keys()) if (!x.has(path)) lines.push(`A ${path}`)
  return lines.sort()
}

async function told(before: Tree, after: Tree, options: DiffOptions = {}): Promise<string[]> {
  const lines: string[] = []
  for await (const change of diff(before, after, { ...options, ignore: new Set(['links']) })) {
    if (change.kind !== 'modify') lines.push(`${change.kind === 'add' ? 'A' : 'D'} ${change.bytes}`)
    else {
      // Only files and directories keep every extended attribute on the disk.
      const kept = change.after.kind === 'file' || change.after.kind === 'directory'
      const changed = change.changed.filter((aspect) => kept || aspect !== 'xattrs')
      if (changed.length > 0) lines.push(`C ${change.bytes} ${changed.toSorted().join(',')}`)
    }
  }
  return lines.sort()
}

testIf(root, 'only root may write every owner and device')(
  'E-01, E-02, E-03, E-06: a diff says what a plain comparison of both, extracted to directories, says',
  async () => {
    let number = 0
    await holds('diff equals a plain comparison', 60, fc.tuple(edits, edits, edits), async ([base, one, other]) => {
      const at = join(work, String(number++))
      const [before, after] = [edited(base, one), edited(base, other)]
      await extractTree(before, `${at}-before`)
      await extractTree(after, `${at}-after`)
      const expected = comparedPlainly(`${at}-before`, `${at}-after`)
      expect(await told(before, after)).toEqual(expected)
      expect(await told(directoryTree(`${at}-before`), directoryTree(`${at}-after`))).toEqual(expected)
    })
  },
)
