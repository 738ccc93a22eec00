import { dir, file, symlink } from '../layer/parts.ts'
import { archive, header, member, pax } from '../tar/raw.ts'
import { type Case, refuses, says } from './case.ts'
import { told } from './lines.ts'

const x = (path: string) => file(path, 'x')
const two = Buffer.concat([x('a'), file('b', 'bytes')])
const both = 'a file 644 "x"\nb file 644 "bytes"'
const zeros = (blocks: number) => Buffer.alloc(blocks * 512)

/** Section 12, the tar; and section 17. */
export const framing: readonly Case[] = [
  ...[0, 1, 2, 3, 20].map((blocks) =>
    says(`Q-02, Q-01: an archive that ends with ${blocks} blocks of zeros`, Buffer.concat([two, zeros(blocks)]), both),
  ),
  says('Q-01, Q-04: zeros after the end that fill no block', Buffer.concat([two, zeros(2), Buffer.alloc(77)]), both),
  refuses('Q-02: a block of zeros and then a header', Buffer.concat([x('a'), zeros(1), x('b'), zeros(2)])),
  refuses('Z-04, Q-02: a block of zeros and then half of one', Buffer.concat([two, zeros(1), Buffer.alloc(100)])),
  says(
    'Q-03: no padding after the last payload',
    Buffer.concat([x('a'), header({ name: 'b', size: 5 }), Buffer.from('bytes')]),
    both,
  ),
  says(
    'Q-03: a part of the padding after the last payload',
    Buffer.concat([x('a'), header({ name: 'b', size: 5 }), Buffer.from('bytes'), Buffer.alloc(33)]),
    both,
  ),
  says(
    'Q-03: padding that is not zero means nothing',
    Buffer.concat([header({ name: 'a', size: 1 }), Buffer.from('x'.padEnd(512, '!')), file('b', 'bytes'), zeros(2)]),
    both,
  ),
  says('Q-04: zeros after the end marker', Buffer.concat([two, zeros(2), zeros(18)]), both),
  says('Q-04: other bytes after the end marker', Buffer.concat([two, zeros(2), Buffer.from('trailer')]), both, {
    warnings: ['Q-04'],
  }),
  says(
    'Q-04: a whole archive after the end marker means nothing',
    Buffer.concat([two, zeros(3), archive(x('c'), x('../d'))]),
    both,
    { warnings: ['Q-04'] },
  ),
  says('Q-05: an archive of an end marker alone', archive(), ''),
  says('Q-05: one block of zeros alone', zeros(1), ''),
  says('Q-05: a record of zeros, as tar writes it', zeros(20), ''),
  says('Z-06: no bytes at all', Buffer.alloc(0), ''),
  refuses('Z-04: cut inside a header', two.subarray(0, 511)),
  refuses('Z-04: cut inside a later header', two.subarray(0, 1025)),
  refuses('Z-04: cut inside a payload', two.subarray(0, 512 * 3 + 4)),
  refuses('Z-04: cut after a header that announces a payload', two.subarray(0, 512 * 3)),
  says('Q-02: cut between two entries it is an archive of the first', two.subarray(0, 1024), 'a file 644 "x"'),
  says(
    'I-01: everything odd at once comes out as it went in',
    Buffer.concat([
      pax({ mtime: '1.5', comment: 'kept' }),
      header({ name: 'd/a', size: 3 }),
      Buffer.from('one'.padEnd(512, '\xaa'), 'latin1'),
      file('d/a', 'two'),
      dir('d', { mode: 0o700 }),
      symlink('l', 'd'),
      x('l/b'),
      member({ name: '.wh.gone' }, 'payload of a marker'),
      zeros(2),
      Buffer.from('not zero'),
    ]),
    `d/ directory 700
     d/a file 644 "two"
     d/b file 644 "x"
     gone whiteout
     l symlink 777 -> d`,
    { warnings: ['N-12', 'W-02', 'Q-04'] },
  ),
  says(
    'I-01: content of all sizes around a block and a page',
    [0, 1, 511, 512, 513, 65_535, 65_536, 65_537].map((size, i) => file(`f${i}`, 'c'.repeat(size))),
    [0, 1, 511, 512, 513, 65_535, 65_536, 65_537].map((size, i) => `f${i} file 644 ${told('c'.repeat(size))}`),
  ),
]
