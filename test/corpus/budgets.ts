import type { LayerLimits } from '../../src/layer/limits.ts'
import { dir, file, gone, named, withXattrs } from '../layer/parts.ts'
import { type Case, refuses, says } from './case.ts'
import { told } from './lines.ts'
import { gnu00, gnu01, gnu10, logical, many, oldGnu } from './sparse.ts'

const deep = (depth: number) => `${'d/'.repeat(depth - 1)}f`

/** A budget, an archive that needs so much of it, and what it says. */
type Budget = readonly [keyof LayerLimits, number, readonly Buffer[], table: string, what?: string]

const budgets: readonly Budget[] = [
  ['entries', 3, [dir('d'), file('d/f', 'x'), gone('d/g')], 'd/ directory 755\nd/f file 644 "x"\nd/g whiteout'],
  ['depth', 3, [file('a/b/c', 'x')], 'a/ implied\na/b/ implied\na/b/c file 644 "x"'],
  ['logicalSize', 6, [file('a', 'xxx'), file('b', 'xxx')], 'a file 644 "xxx"\nb file 644 "xxx"'],
  ['xattrSize', 4, [withXattrs({ 'user.a': 'xxxx' }, file('f'))], 'f file 644 ""\nf [user.a] "xxxx"'],
  ...[oldGnu, gnu00, gnu01, gnu10].map(
    (make): Budget => ['sparseEntries', 3, [make('f', many(3))], `f file 644 ${told(logical(many(3)))}`, make.name],
  ),
]

/** Section 17. */
export const budgetCases: readonly Case[] = [
  ...budgets.flatMap(([budget, needed, parts, table, what = 'an archive']) => [
    says(`section 17: ${budget} of ${needed} are enough for what needs as many (${what})`, parts, table, {
      limits: { [budget]: needed },
    }),
    refuses(`section 17: ${budget} of ${needed - 1} are not (${what})`, parts, {
      limits: { [budget]: needed - 1 },
      code: 'PLY_BUDGET',
    }),
  ]),
  says(
    'section 17: a path of 1024 components',
    [named(deep(1024), file('-'))],
    [...Array.from({ length: 1023 }, (_, i) => `${'d/'.repeat(i + 1)} implied`), `${deep(1024)} file 644 ""`],
  ),
  refuses('section 17: a path of 1025 components', [named(deep(1025), file('-'))], { code: 'PLY_BUDGET' }),
  refuses('section 17: an attribute of 65,536 bytes', [withXattrs({ 'user.a': 'x'.repeat(65_536) }, file('f'))], {
    code: 'PLY_BUDGET',
  }),
  refuses(
    'section 17: attributes of more than 255 KiB together',
    [withXattrs(Object.fromEntries([...'abcd'].map((name) => [`user.${name}`, 'x'.repeat(65_500)])), file('f'))],
    { code: 'PLY_BUDGET' },
  ),
]
