import type { Random } from '../random.ts'
import { mutateBytes } from './bytes.ts'

/** One record of an extended header: texts are byte strings. */
export interface PaxRecord {
  key: string
  value: string
}

const keys = ['path', 'linkpath', 'size', 'uid', 'gid', 'mtime', 'atime', 'ctime', 'hdrcharset', 'comment', 'charset']
  .concat([
    'SCHILY.xattr.user.a',
    'SCHILY.xattr.',
    'SCHILY.xattr.security.capability',
    'SCHILY.xattr.trusted.overlay.x',
  ])
  .concat(['SCHILY.xattr.user.b=', 'SCHILY.xattr.security.selinux', 'SCHILY.xattr.system.posix_acl_access'])
  .concat(['LIBARCHIVE.xattr.user.a', 'LIBARCHIVE.xattr.user%2Eb', 'LIBARCHIVE.xattr.%00', 'RHT.security.selinux'])
  .concat(['SCHILY.xattr.user.containers.override_stat', 'SCHILY.acl.access', 'SCHILY.realsize', 'MSWINDOWS.rawsd'])
  .concat(['GNU.sparse.major', 'GNU.sparse.minor', 'GNU.sparse.name', 'GNU.sparse.realsize', 'GNU.sparse.size'])
  .concat(['GNU.sparse.map', 'GNU.sparse.numblocks', 'GNU.sparse.offset', 'GNU.sparse.numbytes', ''])

const values = ['', '0', '1', '-1', '00', '8', '512', '8191', '4294967294', '4294967295', '4294967296', '-0', '+1']
  .concat(['9007199254740991', '9007199254740993', '9223372036854775807', '9223372036854775808', '1e3', '0x10', ' 1'])
  .concat([
    '1.5',
    '-1.5',
    '1.',
    '.5',
    '1.0000000001',
    '-9223372036854775808',
    '99999999999999999999999999999999',
    '1.5.5',
  ])
  .concat([
    '0,512',
    '0,512,1024,512',
    '512,0',
    '0,1,0,1',
    ',',
    '1,',
    'a',
    'a/b',
    '/',
    '..',
    '../x',
    'a/../b',
    './a/',
    '.wh.a',
  ])
  .concat([
    'a\0b',
    '\n',
    '=',
    'YQ==',
    'YQ=',
    '!',
    '\xff\xfe',
    '\xc3\xa9',
    'd/f',
    'n'.repeat(256),
    'p/'.repeat(60),
    'x'.repeat(200),
  ])

/** Reads records as far as they go; the rest comes back as `tail`. */
function parse(payload: string): { records: PaxRecord[]; tail: string } {
  const records: PaxRecord[] = []
  let rest = payload
  for (;;) {
    const length = /^(\d{1,7}) /.exec(rest)
    if (length === null) break
    const whole = rest.slice(0, Number(length[1]))
    const equals = whole.indexOf('=')
    if (equals < 0 || !whole.endsWith('\n')) break
    records.push({ key: whole.slice(length[0].length, equals), value: whole.slice(equals + 1, -1) })
    rest = rest.slice(whole.length)
  }
  return { records, tail: rest }
}

/** A record with the length it should have, off by `error`. */
export function paxRecord({ key, value }: PaxRecord, error = 0, pad = 0): string {
  const rest = key.length + value.length + 3
  let length = rest + 1
  while (rest + pad + String(length).length !== length) length = rest + pad + String(length).length
  return `${'0'.repeat(pad)}${length + error} ${key}=${value}\n`
}

/** Changes what an extended header says; the lengths of its records are right afterwards, nearly always. */
export function mutatePax(payload: Buffer, other: Buffer, random: Random): Buffer {
  if (random.chance(0.12)) return mutateBytes(payload, other, random, { words: keys })
  const { records, tail } = parse(payload.toString('latin1'))
  const others = parse(other.toString('latin1')).records
  const changes = 1 + random.small(4)
  for (let i = 0; i < changes; i++) {
    const at = random.below(records.length)
    const one = records[at]
    const added = others.length > 0 && random.chance(0.5) ? random.pick(others) : undefined
    switch (random.below(one === undefined ? 1 : 8)) {
      case 0:
        records.splice(at, 0, { ...(added ?? { key: random.pick(keys), value: random.pick(values) }) })
        break
      case 1:
        records.splice(at, 1)
        break
      case 2:
        records.splice(random.below(records.length + 1), 0, { ...one! })
        break
      case 3:
        one!.key = random.chance(0.8) ? random.pick(keys) : mutatedText(one!.key, random)
        break
      case 4:
      case 5:
        one!.value = random.pick(values)
        break
      case 6:
        one!.value = mutatedText(one!.value, random)
        break
      default: {
        const to = random.below(records.length)
        records[at] = records[to]!
        records[to] = one!
      }
    }
  }
  const wrong = random.chance(0.06) ? random.below(records.length) : -1
  const text = records
    .map((one, i) =>
      paxRecord(one, i === wrong ? random.pick([-1, 1, 2, 100, 99_999_999]) : 0, random.chance(0.01) ? 3 : 0),
    )
    .join('')
  return Buffer.from(text + (random.chance(0.9) ? tail : ''), 'latin1')
}

function mutatedText(text: string, random: Random): string {
  const bytes = Buffer.from(text, 'latin1')
  return mutateBytes(bytes, bytes, random, { words: values }).toString('latin1').slice(0, 70_000)
}
