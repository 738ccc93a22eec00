import { execFileSync } from 'node:child_process'
import { linkSync, lstatSync, mkdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { encodeText } from '../../src/model/bytes.ts'
import type { Member } from '../../src/tar/index.ts'
import { hasProgram, testIf } from '../support/ability.ts'
import { temporary } from '../support/temporary.ts'
import { readAll } from './read.ts'

/** A directory with a bit of everything an ordinary user can make. */
function sample(longNames: boolean): string {
  const directory = temporary()
  const at = (...names: string[]) => join(directory, ...names)
  mkdirSync(at('sub', 'deeper'), { recursive: true })
  writeFileSync(at('empty'), '')
  writeFileSync(at('small'), 'hello\n')
  writeFileSync(at('block'), Buffer.alloc(512, 1))
  writeFileSync(at('sub', 'large'), Buffer.alloc(70_001, 2), { mode: 0o750 })
  linkSync(at('small'), at('sub', 'same'))
  symlinkSync('../small', at('sub', 'link'))
  utimesSync(at('block'), 1_000_000_000.25, 1_000_000_000.25)
  if (longNames) {
    writeFileSync(at('n'.repeat(180)), 'long')
    mkdirSync(at('sub', 'p'.repeat(120)))
    writeFileSync(at('sub', 'p'.repeat(120), 'q'.repeat(90)), 'split')
    symlinkSync('t'.repeat(300), at('far'))
    writeFileSync(at('caf\u00e9 \u{1f600}'), 'text')
  }
  return directory
}

const formats = [
  { format: 'v7', longNames: false, nanoseconds: false },
  { format: 'ustar', longNames: false, nanoseconds: false },
  { format: 'oldgnu', longNames: true, nanoseconds: false },
  { format: 'gnu', longNames: true, nanoseconds: false },
  { format: 'posix', longNames: true, nanoseconds: true },
]

for (const { format, longNames, nanoseconds } of formats) {
  testIf(hasProgram('tar'), 'there is no tar program')(
    `F-04: an archive made by tar --format=${format} says what the disk says`,
    () => {
      const directory = sample(longNames)
      const file = join(temporary(), 'made.tar')
      execFileSync('tar', [`--format=${format}`, '--sort=name', '-C', directory, '-cf', file, '.'])
      const bytes = readFileSync(file)
      const { members, warnings } = readAll(bytes, 10_000)
      expect(warnings).toEqual([])
      expect(members.length).toBe(longNames ? 14 : 9)
      const byName = new Map(members.map((member) => [member.name, member]))
      for (const member of members) compare(directory, member, bytes, nanoseconds)
      const linked = byName.get('./sub/same')
      expect(linked).toMatchObject({ type: '1', linkName: './small', size: 0 })
      if (longNames) expect(byName.has(`./${encodeText('caf\u00e9 \u{1f600}')}`)).toBe(true)
    },
  )
}

function compare(directory: string, member: Member, archive: Buffer, nanoseconds: boolean): void {
  const path = Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(member.name.replace(/\/$/, ''), 'latin1')])
  const stat = lstatSync(path, { bigint: true })
  expect(member).toMatchObject({ uid: Number(stat.uid), gid: Number(stat.gid), mode: Number(stat.mode & 0o7777n) })
  expect(member.mtime).toBe(nanoseconds ? stat.mtimeNs : (stat.mtimeNs / 1_000_000_000n) * 1_000_000_000n)
  if (member.type === '0') {
    expect(archive.subarray(member.data, member.data + member.size).equals(readFileSync(path))).toBe(true)
  }
  if (member.type === '2') expect(Number(stat.size)).toBe(member.linkName.length)
  expect(member.type === '5').toBe(stat.isDirectory())
}

testIf(hasProgram('tar'), 'there is no tar program')('P-01: xattrs that tar stores are read as bytes', () => {
  const directory = temporary()
  writeFileSync(join(directory, 'f'), 'x')
  const file = join(temporary(), 'made.tar')
  // The option that sets a record works where the disk has no xattrs.
  const made = ['--format=posix', '--pax-option=SCHILY.xattr.user.test:=a=b', '-C', directory, '-cf', file, 'f']
  execFileSync('tar', made)
  const { members } = readAll(readFileSync(file))
  expect([...members[0]!.xattrs].map(([name, value]) => [name, Buffer.from(value).toString()])).toEqual([
    ['user.test', 'a=b'],
  ])
})

testIf(hasProgram('tar'), 'there is no tar program')('every one of 20,000 members made by tar is read', () => {
  const directory = temporary()
  for (let i = 0; i < 200; i++) {
    mkdirSync(join(directory, `d${i}`))
    for (let j = 0; j < 100; j++) writeFileSync(join(directory, `d${i}`, `f${j}`), 'content')
  }
  const file = join(temporary(), 'made.tar')
  execFileSync('tar', ['-C', directory, '-cf', file, '.'])
  const bytes = readFileSync(file)
  expect(readAll(bytes, 1 << 18).members).toHaveLength(20_201)
})
