import type { ByteString } from '../../src/model/bytes.ts'
import type { Random } from '../fuzz/random.ts'

const plain = ['a', 'b', 'c', 'd', 'e', 'f']

/** Names that somebody stumbles over: the longest, bytes that are no UTF-8, what OCI and overlayfs mark with, control characters. */
const odd: readonly ByteString[] = [
  'x'.repeat(255),
  '\xff\xfe',
  '\xc3',
  '.wh.a',
  '.wh..wh..opq',
  '#0',
  'new\nline',
  ' ',
  '...',
  '-rf',
  'caf\xc3\xa9',
  '\x01',
  'a b',
  '.x',
  '\xf0\x9f\x90\xb3',
  '%2e',
  'redirect',
  '\\',
]

/** What a sequence calls its files: few names, so that they meet. */
export function somePool(random: Random): ByteString[] {
  const names = plain.slice(0, 3 + random.below(3))
  for (let more = random.below(3); more > 0; more--) names.push(random.pick(odd))
  return names
}

export const xattrNames: readonly ByteString[] = [
  'user.a',
  'user.b',
  'user.a',
  'user.b',
  'trusted.t',
  'trusted.overlay.opaque',
  'trusted.overlay.redirect',
  'trusted.overlay.x',
  'security.s',
  'user.overlay.opaque',
  `user.${'n'.repeat(200)}`,
]

export function someValue(random: Random): ByteString {
  const size = random.pick([0, 1, 4, 20, 255, 700])
  return random.bytes(size).toString('latin1')
}
