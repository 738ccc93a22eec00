import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { codeOf, PlyError } from '../../src/model/errors.ts'
import { archive, member } from '../tar/raw.ts'
import { layerOf, sayings } from './layer.ts'
import { dir, file, gone, link, opaque, symlink } from './parts.ts'

const names = fc.constantFrom('a', 'b', 'c')
const paths = fc.array(names, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'))

describe('properties', () => {
  test('A-01, W-03, W-12: what a layer says does not depend on the order of its entries', async () => {
    const part = fc.oneof(
      paths.map((path) => ({ key: `f ${path}`, path, bytes: file(path, path) })),
      paths.map((path) => ({ key: `d ${path}`, path, bytes: dir(path, { mode: 0o700 }) })),
      paths.map((path) => ({ key: `w ${path}`, path: `${path}/`, bytes: gone(path) })),
      paths.map((path) => ({ key: `o ${path}`, path: `${path}/`, bytes: opaque(path) })),
    )
    const layers = fc
      .uniqueArray(part, { selector: ({ key }) => key, maxLength: 10 })
      // One entry a path, and nothing inside a file: what those mean does depend on the order (N-12, N-14, W-13).
      .filter((parts) => {
        const entries = parts.filter(({ key }) => key[0] === 'f' || key[0] === 'd').map(({ path }) => path)
        const files = parts.filter(({ key }) => key[0] === 'f').map(({ path }) => `${path}/`)
        const inFiles = parts.some(({ key, path }) =>
          files.some((file) => path.startsWith(file) && (key[0] !== 'w' || path !== file)),
        )
        return new Set(entries).size === entries.length && !inFiles
      })
    await fc.assert(
      fc.asyncProperty(
        layers.chain((parts) => fc.tuple(fc.constant(parts), fc.shuffledSubarray(parts, { minLength: parts.length }))),
        async ([parts, shuffled]) => {
          const one = await layerOf(archive(...parts.map(({ bytes }) => bytes)))
          const other = await layerOf(archive(...shuffled.map(({ bytes }) => bytes)))
          expect(sayings(other.view)).toEqual(sayings(one.view))
        },
      ),
      { numRuns: 400 },
    )
  })

  test('I-03: the index does not depend on how the tar is cut into chunks', async () => {
    const tar = archive(dir('a'), file('a/b', 'x'.repeat(3000)), symlink('c', 'a'), file('c/d', 'y'), gone('e'))
    const whole = await layerOf(tar)
    for (const size of [1, 100, 511, 513]) expect((await layerOf(tar, {}, size)).index.equals(whole.index)).toBe(true)
  })

  test('hostile layers are refused with a PlyError, or have an index that can be walked and stays inside the root', async () => {
    const component = fc.oneof(
      { weight: 6, arbitrary: names },
      { weight: 2, arbitrary: fc.constantFrom('.wh.a', '.wh.b', '.wh..wh..opq', '.', '..', '', '.wh..wh.plnk') },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          '.wh.',
          '.wh..',
          '.wh..wh.x',
          'n'.repeat(60),
          '\xff\xfe',
          '\x01',
          '.wh.__dir_opaque',
        ),
      },
    )
    const name = fc.array(component, { maxLength: 5 }).map((parts) => parts.join('/'))
    const target = fc.oneof(name, fc.constantFrom('/', '.', '..', '../../..', '/a', 'a/b', ''))
    const part = fc
      .record({ kind: fc.constantFrom('file', 'dir', 'symlink', 'link', 'device'), name, target })
      .map((made) => {
        switch (made.kind) {
          case 'file':
            return file(made.name, 'x')
          case 'dir':
            return dir(made.name)
          case 'symlink':
            return symlink(made.name, made.target)
          case 'link':
            return link(made.name, made.target)
          default:
            return member({ name: made.name, type: '3' })
        }
      })
    let accepted = 0
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 12 }), fc.boolean(), async (parts, lenient) => {
        try {
          const { view } = await layerOf(archive(...parts), { lenient })
          accepted++
          for (const [path, said] of Object.entries(sayings(view))) {
            expect(path).not.toMatch(/(^|\/)\.{1,2}(\/|$)/)
            expect(path).not.toContain('.wh.')
            expect(said).not.toMatch(
              /link to (\/|.*(^|\/)\.\.(\/|$))/s.test(said) && !said.startsWith('symlink') ? /./ : /^$/,
            )
          }
        } catch (error) {
          if (!(error instanceof PlyError)) throw error
          expect(codeOf(error)).toBe('PLY_BAD_LAYER')
        }
      }),
      { numRuns: 1500 },
    )
    expect(accepted).toBeGreaterThan(100)
  })
})
