import { expect, test } from 'vitest'
import { type Change, diff } from '../../src/diff/index.ts'
import { type Digest, digestOf } from '../../src/model/digest.ts'
import type { ContentDigests } from '../../src/stack/content-digests.ts'
import type { Tree } from '../../src/stack/tree.ts'
import { type PlainSpec, plainTree } from '../support/plain-tree.ts'

const text = (content: string) => digestOf(Buffer.from(content))

/** A tree that remembers digests, and whose contents are counted when they are opened. */
function remembering(spec: PlainSpec, known: Readonly<Record<string, Digest>> = {}, { pays = false } = {}) {
  const tree = plainTree(spec)
  const at = (name: string) => tree.lookup(tree.root, name)!
  const digests = new Map(Object.entries(known).map(([name, digest]) => [at(name), digest]))
  const opened: number[] = []
  const answers: ContentDigests = {
    pays: () => pays,
    known: (ino) => digests.get(ino),
    of: () => expect.fail('nobody asks to hash'),
    complete: () => expect.fail('nobody asks to hash'),
    learn: (ino, digest) => digests.set(ino, digest),
  }
  const watched: Tree = {
    ...tree,
    digests: answers,
    open(ino) {
      opened.push(ino)
      return tree.open(ino)
    },
  }
  return { tree: watched, opened, known: (name: string) => digests.get(at(name)) }
}

async function changed(before: Tree, after: Tree): Promise<string[]> {
  const all: Change[] = []
  for await (const change of diff(before, after)) all.push(change)
  return all.map(({ path }) => path)
}

test('E-02: contents with known digests are compared by them, and not read', async () => {
  const before = remembering({ a: 'one', b: 'two' }, { a: text('one'), b: text('two') })
  const after = remembering({ a: 'one', b: 'six' }, { a: text('one'), b: text('six') })
  expect(await changed(before.tree, after.tree)).toEqual(['/b'])
  expect([...before.opened, ...after.opened]).toEqual([])
})

test('E-02: a content equal to one with a known digest has that digest from then on', async () => {
  const before = remembering({ a: 'one', b: 'two' }, { a: text('one'), b: text('two') })
  const after = remembering({ a: 'one', b: 'six' })
  expect(await changed(before.tree, after.tree)).toEqual(['/b'])
  expect(after.known('a')).toBe(text('one'))
  expect(after.known('b')).toBeUndefined()
  expect(await changed(after.tree, before.tree)).toEqual(['/b'])
  expect(after.opened).toHaveLength(3)
})

test('E-02: contents that nobody knows are compared byte by byte, without hashing', async () => {
  const before = remembering({ a: 'one' })
  const after = remembering({ a: 'one' })
  expect(await changed(before.tree, after.tree)).toEqual([])
  expect([before.known('a'), after.known('a')]).toEqual([undefined, undefined])
})

test('E-02: where digests pay, both sides of an equal pair are known from then on', async () => {
  const large = 'x'.repeat(700_000)
  const before = remembering({ a: large, b: 'two' })
  const after = remembering({ a: large, b: 'six' }, {}, { pays: true })
  expect(await changed(before.tree, after.tree)).toEqual(['/b'])
  expect([before.known('a'), after.known('a')]).toEqual([text(large), text(large)])
  expect([before.known('b'), after.known('b')]).toEqual([undefined, undefined])
})
