import { describe, expect, test } from 'vitest'
import { expandWord, expandWords } from '../../src/dockerfile/index.ts'

const values: Readonly<Record<string, string>> = {
  NAME: 'value',
  EMPTY: '',
  SPACED: 'a b',
  FILE: 'archive.tar.gz',
  PATH: '/usr/local/bin:/usr/bin',
  DOLLAR: '$NAME',
}
const variables = (name: string) => values[name]

describe('a word of a Dockerfile', () => {
  for (const [written, meant] of [
    ['plain', 'plain'],
    ['$NAME', 'value'],
    ['${NAME}', 'value'],
    ['${NAME}s', 'values'],
    ['$NAMEs', ''],
    ['a$NONE', 'a'],
    ['$', '$'],
    ['a$ b', 'a$ b'],
    ['\\$NAME', '$NAME'],
    ["'$NAME'", '$NAME'],
    ['"$NAME"', 'value'],
    ['"\\$NAME"', '$NAME'],
    ['"a\\b"', 'a\\b'],
    ['"a\\"b"', 'a"b'],
    ["'a\\b'", 'a\\b'],
    ['a\\ b', 'a b'],
    ['a"b c"d', 'ab cd'],
    ['$DOLLAR', '$NAME'],
    ['${NAME:-other}', 'value'],
    ['${EMPTY:-other}', 'other'],
    ['${EMPTY-other}', ''],
    ['${NONE-other}', 'other'],
    ['${NONE:-}', ''],
    ['${NONE:-$NAME}', 'value'],
    ['${NONE:-${NONE:-deep}}', 'deep'],
    ["${NONE:-'}'}", '}'],
    ['${NAME:+other}', 'other'],
    ['${EMPTY:+other}', ''],
    ['${EMPTY+other}', 'other'],
    ['${NONE+other}', ''],
    ['${NAME:?wanted}', 'value'],
    ['${EMPTY?wanted}', ''],
    ['${FILE%.*}', 'archive.tar'],
    ['${FILE%%.*}', 'archive'],
    ['${FILE#*.}', 'tar.gz'],
    ['${FILE##*.}', 'gz'],
    ['${FILE#x}', 'archive.tar.gz'],
    ['${FILE%.??}', 'archive.tar'],
    ['${FILE/tar/zip}', 'archive.zip.gz'],
    ['${FILE//a/A}', 'Archive.tAr.gz'],
    ['${FILE//a/}', 'rchive.tr.gz'],
    ['${PATH//\\/usr/}', '/local/bin:/bin'],
    ['${FILE/a*r/x}', 'x.gz'],
    ['${NONE/a/b}', ''],
    ['$1x', 'x'],
    ['grün$NAME', 'grünvalue'],
  ] as const) {
    test(`${written} is ${JSON.stringify(meant)}`, () => {
      expect(expandWord(written, variables)).toBe(meant)
    })
  }

  for (const [written, why] of [
    ["'open", /single quote/],
    ['"open', /double quote/],
    ['${NAME', /not closed/],
    ['${NAME:-x', /not closed/],
    ['${NAME:', /no such modifier/],
    ['${NAME!x}', /no such modifier/],
    ['${NAME:#x}', /no such modifier/],
    ['${}', /without a name/],
    ['${NONE:?it is wanted}', /^NONE: it is wanted$/],
    ['${NONE?}', /not allowed to be unset/],
    ['${EMPTY:?}', /not allowed to be empty/],
    ['${NAME#a\\b}', /escapes nothing/],
  ] as const) {
    test(`${written} is refused, and says why`, () => {
      expect(() => expandWord(written, variables)).toThrow(why)
    })
  }

  test('is escaped by a backtick where the file says so', () => {
    expect(expandWord('`$NAME c:\\dir', variables, { escape: '`' })).toBe('$NAME c:\\dir')
  })

  test('keeps what is not set where that is wanted, as a shell is going to see it', () => {
    const kept = ['$NONE', '${NONE}', '${NONE:-x}', '${NONE%.*}', '${NONE//a/b}']
    for (const word of kept) expect(expandWord(word, variables, { keepUnset: true })).toBe(word)
  })

  test('tells which variables were not set', () => {
    const unset: string[] = []
    expandWord('$A ${B} ${C:-x} ${NAME} ${D#x} ${E?}'.slice(0, -6), variables, { onUnset: (name) => unset.push(name) })
    expect(unset).toEqual(['A', 'B', 'D'])
  })
})

describe('words of a Dockerfile', () => {
  for (const [written, meant] of [
    ['a b  c', ['a', 'b', 'c']],
    ['"a b" c', ['a b', 'c']],
    ["'a b'c", ['a bc']],
    ['a\\ b c', ['a b', 'c']],
    ['$SPACED', ['a', 'b']],
    ['"$SPACED"', ['a b']],
    ['x$SPACED', ['xa', 'b']],
    ['""', ['']],
    ['$EMPTY', []],
    ['a "" b', ['a', '', 'b']],
    ['', []],
  ] as const) {
    test(`${written || 'nothing'} are ${JSON.stringify(meant)}`, () => {
      expect(expandWords(written, variables)).toEqual(meant)
    })
  }
})
