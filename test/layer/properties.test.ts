import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { codeOf, PlyError } from '../../src/model/errors.ts'
import { archive, member } from '../tar/raw.ts'
import { layerOf, sayings } from './layer.ts'
import { dir, file, gone, link, symlink } from './parts.ts'

const names = fc.constantFrom('a', 'b', 'c')

describe('properties', () => {
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
