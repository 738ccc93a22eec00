import { expect, test } from 'vitest'
import { displayName, displayText, encodeText } from '../../src/model/bytes.ts'

test('what is shown of a name is one printable line, and can be read back to its bytes', () => {
  for (const [name, shown] of [
    ['plain', 'plain'],
    [encodeText('für élise'), 'für élise'],
    ['a\nb\x1b[2J\x7f', 'a\\x0ab\\x1b[2J\\x7f'],
    ['back\\slash', 'back\\\\slash'],
    ['\xff\xe9', '\\xff\\xe9'],
    // The second half of the control characters, such as CSI: two bytes each in UTF-8.
    [encodeText('ü\u009b31m\u0085'), 'ü\\xc2\\x9b31m\\xc2\\x85'],
    [encodeText('nbsp\u00a0'), 'nbsp\u00a0'],
  ] as const) {
    expect(displayText(name)).toBe(shown)
  }
})

test('of a name as long as an archive allows, a message shows the beginning', () => {
  expect(displayName('short\n')).toBe('short\\x0a')
  expect(displayName('n'.repeat(1 << 20))).toBe(`${'n'.repeat(1000)}…`)
})
