import type { ByteString } from '../../src/model/bytes.ts'
import type { Random } from '../fuzz/random.ts'
import { aclValue, type Line, tags } from './model-acl.ts'

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
  'security.capability',
  'system.posix_acl_access',
  'system.posix_acl_access',
  'system.posix_acl_default',
]

/** What an xattr may be set to: mostly something that it takes. */
export function someValue(random: Random, name: ByteString): ByteString {
  if (name.startsWith('system.')) return someAcl(random).toString('latin1')
  if (name === 'security.capability') return capability.toString('latin1')
  const size = random.pick([0, 1, 4, 20, 255, 700])
  return random.bytes(size).toString('latin1')
}

/** `struct vfs_cap_data`, revision 2: CAP_NET_RAW, permitted and effective. */
const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex')

function someAcl(random: Random): Buffer {
  const permissions = () => random.below(8)
  const of = (tag: number, id = -1): Line => ({ tag, permissions: permissions(), id })
  const lines: Line[] = [of(tags.owner)]
  const users = random.below(3)
  for (let i = 0; i < users; i++) lines.push(of(tags.user, 1000 * i))
  lines.push(of(tags.owning))
  const groups = random.below(2)
  for (let i = 0; i < groups; i++) lines.push(of(tags.group, 100 * i))
  if ((users + groups > 0 || random.chance(0.3)) && !random.chance(0.03)) lines.push(of(tags.mask))
  lines.push(of(tags.other))
  if (random.chance(0.03)) lines.reverse()
  const value = aclValue(lines)
  if (random.chance(0.03)) return value.subarray(0, 4)
  return random.chance(0.03) ? value.subarray(0, 4 + random.below(value.length - 4)) : value
}
