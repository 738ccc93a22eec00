import { file } from '../layer/parts.ts'
import { archive, base256, member, pax, type RawHeader } from '../tar/raw.ts'
import { type Case, refuses, says } from './case.ts'

type Field = 'mode' | 'uid' | 'gid' | 'mtime' | 'major' | 'minor'

/**
 * A number as it is spelled, and what becomes of it: what the table shows, or the rule that refuses it. Fields of eight
 * bytes hold 62 bits of base-256 and a sign.
 */
type Row = readonly [spelled: string, ends: string, base256?: bigint]

const refusing = /^[A-Z]-\d\d$/

function inField(field: Field, size: 8 | 12, rows: readonly Row[], shows: (text: string) => string): Case[] {
  const type = field === 'major' || field === 'minor' ? '3' : '0'
  return rows.map(([spelled, ends, binary]) => {
    const value = binary === undefined ? spelled : base256(binary, size)
    const parts = [member({ name: 'f', type, ...({ [field]: value } satisfies RawHeader) })]
    const what = binary === undefined ? `the octal ${JSON.stringify(spelled)}` : `${spelled} in base-256`
    return refusing.test(ends)
      ? refuses(`${ends}: ${what} as ${field}`, parts)
      : says(`${rulesOf(field)}: ${what} as ${field}`, parts, shows(ends))
  })
}

function inExtended(key: 'uid' | 'gid' | 'mtime', rows: readonly Row[], shows: (text: string) => string): Case[] {
  return rows.map(([spelled, ends]) => {
    const parts = [pax({ [key]: spelled }), file('f')]
    return refusing.test(ends)
      ? refuses(`${ends}: the ${key} ${spelled} of an extended header`, parts)
      : says(`P-06, ${rulesOf(key)}: the ${key} ${spelled} of an extended header`, parts, shows(ends))
  })
}

function rulesOf(field: Field): string {
  return {
    mode: 'F-01, F-02',
    uid: 'F-01, F-02',
    gid: 'F-01, F-02',
    mtime: 'F-01, M-02',
    major: 'F-01, T-07',
    minor: 'F-01, T-07',
  }[field]
}

const modes: readonly Row[] = [
  ['0000644\0', '644'],
  ['7777777\0', '7777'],
  ['00000640', '640'],
  ['77777777', '7777'],
  ['2^31 + 0640', '640', 2n ** 31n + 0o640n],
  ['2^32 + 0640', '640', 2n ** 32n + 0o640n],
  ['2^33 + 0640', '640', 2n ** 33n + 0o640n],
  ['2^53 + 0641', '641', 2n ** 53n + 0o641n],
  ['2^62 - 1', '7777', 2n ** 62n - 1n],
  ['-1', '7777', -1n],
  ['-2', '7776', -2n],
  ['-2^53 + 1', '1', -(2n ** 53n) + 1n],
  ['-2^62', '0', -(2n ** 62n)],
]

const owners: readonly Row[] = [
  ['0000017\0', '15'],
  ['7777777\0', '2097151'],
  ['00000017', '15'],
  ['77777777', '16777215'],
  ['0', '0', 0n],
  ['2^31 - 1', '2147483647', 2n ** 31n - 1n],
  ['2^31', '2147483648', 2n ** 31n],
  ['2^32 - 2', '4294967294', 2n ** 32n - 2n],
  ['2^32 - 1', 'F-02', 2n ** 32n - 1n],
  ['2^32', 'F-02', 2n ** 32n],
  ['2^33', 'F-02', 2n ** 33n],
  ['2^53', 'F-02', 2n ** 53n],
  ['2^62 - 1', 'F-02', 2n ** 62n - 1n],
  ['-1', 'F-02', -1n],
  ['-2^31', 'F-02', -(2n ** 31n)],
  ['-2^62', 'F-02', -(2n ** 62n)],
]

const extendedOwners: readonly Row[] = [
  ['0', '0'],
  ['2097151', '2097151'],
  ['2097152', '2097152'],
  ['16777216', '16777216'],
  ['2147483648', '2147483648'],
  ['4294967294', '4294967294'],
  ['4294967295', 'F-02'],
  ['4294967296', 'F-02'],
  ['8589934592', 'F-02'],
  ['9007199254740992', 'F-02'],
  ['9223372036854775807', 'F-02'],
  ['9223372036854775808', 'F-01'],
  ['18446744073709551617', 'F-01'],
  ['-1', 'F-02'],
  ['-9223372036854775808', 'F-02'],
  ['-9223372036854775809', 'F-01'],
  ['00000000000000000000000000000012', '12'],
  ['0x10', 'F-01'],
  [' 1', 'F-01'],
  ['1.5', 'F-01'],
]

const times: readonly Row[] = [
  ['7777777\0', '2097151'],
  ['77777777\0', '16777215'],
  ['77777777777\0', '8589934591'],
  ['777777777777', '68719476735'],
  ['2^31', '2147483648', 2n ** 31n],
  ['2^32', '4294967296', 2n ** 32n],
  ['2^33', '8589934592', 2n ** 33n],
  ['2^53', '9007199254740992', 2n ** 53n],
  ['2^53 + 1', '9007199254740993', 2n ** 53n + 1n],
  ['2^63 - 1', '9223372036854775807', 2n ** 63n - 1n],
  ['2^63', 'F-01', 2n ** 63n],
  ['2^94', 'F-01', 2n ** 94n],
  ['-1', '-1', -1n],
  ['-2^31', '-2147483648', -(2n ** 31n)],
  ['-2^53 - 1', '-9007199254740993', -(2n ** 53n) - 1n],
  ['-2^63', '-9223372036854775808', -(2n ** 63n)],
  ['-2^63 - 1', 'F-01', -(2n ** 63n) - 1n],
]

const extendedTimes: readonly Row[] = [
  ['2147483648', '2147483648'],
  ['8589934592', '8589934592'],
  ['9007199254740993', '9007199254740993'],
  ['9007199254740993.123456789', '9007199254740993.123456789'],
  ['9223372036854775807', '9223372036854775807'],
  ['9223372036854775808', 'M-01'],
  ['-1', '-1'],
  ['-9223372036854775808', '-9223372036854775808'],
  ['-9223372036854775809', 'M-01'],
]

const devices = (largest: string, largestValue: string, tooLarge: bigint): readonly Row[] => [
  ['0000007\0', '7'],
  [largest, largestValue],
  ['7777777\0', 'T-07'],
  ['00000007', '7'],
  ['77777777', 'T-07'],
  [`${tooLarge - 1n}`, String(tooLarge - 1n), tooLarge - 1n],
  [`${tooLarge}`, 'T-07', tooLarge],
  ['2^31', 'T-07', 2n ** 31n],
  ['2^32', 'T-07', 2n ** 32n],
  ['2^33', 'T-07', 2n ** 33n],
  ['2^53', 'T-07', 2n ** 53n],
  ['2^62 - 1', 'T-07', 2n ** 62n - 1n],
  ['-1', 'T-07', -1n],
]

/** Sizes: nobody has that much content, so it is the budget that shows how a size was read. */
const sizes: readonly (readonly [spelled: string, size: number, header: string | undefined])[] = [
  ['the octal "7777777"', 0o7777777, '00007777777\0'],
  ['the octal "77777777"', 0o77777777, '00077777777\0'],
  ['the octal "77777777777"', 2 ** 33 - 1, '77777777777\0'],
  ['the octal "777777777777"', 2 ** 36 - 1, '777777777777'],
  ...[2 ** 31, 2 ** 32, 2 ** 33, 2 ** 40].flatMap((size) => [
    [`${size} in base-256`, size, base256(BigInt(size), 12)] as const,
    [`${size} in an extended header`, size, undefined] as const,
  ]),
]

function sized(size: bigint | number, header?: string): Buffer {
  return header === undefined
    ? archive(pax({ size: String(size) }), member({ name: 'f' }))
    : archive(member({ name: 'f', size: header }))
}

const impossible: readonly (readonly [bigint, rule: string, code: string])[] = [
  [2n ** 40n + 1n, 'section 17', 'PLY_BUDGET'],
  [2n ** 53n - 1n, 'section 17', 'PLY_BUDGET'],
  [2n ** 53n, 'section 17', 'PLY_BUDGET'],
  [2n ** 63n - 1n, 'section 17', 'PLY_BUDGET'],
  [2n ** 63n, 'F-01', 'PLY_BAD_LAYER'],
  [-1n, 'F-02', 'PLY_BAD_LAYER'],
  [-(2n ** 63n), 'F-02', 'PLY_BAD_LAYER'],
  [-(2n ** 63n) - 1n, 'F-01', 'PLY_BAD_LAYER'],
]

const device = (major: string, minor: string) => `f character ${major}:${minor} 644`

/** Section 19: numbers at every boundary, in every field, in every form. */
export const numbers: readonly Case[] = [
  ...inField('mode', 8, modes, (mode) => `f file ${mode} ""`),
  ...inField('uid', 8, owners, (uid) => (uid === '0' ? 'f file 644 ""' : `f file 644 ${uid}:0 ""`)),
  ...inField('gid', 8, owners, (gid) => (gid === '0' ? 'f file 644 ""' : `f file 644 0:${gid} ""`)),
  ...inExtended('uid', extendedOwners, (uid) => (uid === '0' ? 'f file 644 ""' : `f file 644 ${uid}:0 ""`)),
  ...inExtended('gid', extendedOwners, (gid) => (gid === '0' ? 'f file 644 ""' : `f file 644 0:${gid} ""`)),
  ...inField('mtime', 12, times, (time) => `f file 644 @${time} ""`),
  ...inExtended('mtime', extendedTimes, (time) => `f file 644 @${time} ""`),
  ...inField('major', 8, devices('0007777\0', '4095', 4096n), (major) => device(major, '0')),
  ...inField('minor', 8, devices('3777777\0', '1048575', 1048576n), (minor) => device('0', minor)),
  ...sizes.flatMap(([spelled, size, header]) => [
    refuses(`Z-04, F-01: a size of ${spelled}, and too little content`, sized(size, header), {
      limits: { logicalSize: size },
    }),
    refuses(`section 17: a size of ${spelled} is above a budget of one byte less`, sized(size, header), {
      limits: { logicalSize: size - 1 },
      code: 'PLY_BUDGET',
    }),
  ]),
  ...impossible.flatMap(([size, rule, code]) => [
    refuses(`${rule}: a size of ${size} in base-256`, sized(size, base256(size, 12)), { code }),
    refuses(`${rule}: a size of ${size} in an extended header`, sized(size), { code }),
  ]),
  ...['00000000003\0', '000000000003', '3', '          3 '].map((size) =>
    says(`F-01: the octal size ${JSON.stringify(size)}`, [member({ name: 'f', size }, 'abc')], 'f file 644 "abc"'),
  ),
  says('F-01: a size of 3 in base-256', [member({ name: 'f', size: base256(3n, 12) }, 'abc')], 'f file 644 "abc"'),
  says(
    'P-06: a size of 3 in an extended header',
    [pax({ size: '3' }), member({ name: 'f', size: 9 }, 'abc')],
    ['f file 644 "abc"'],
  ),
]
