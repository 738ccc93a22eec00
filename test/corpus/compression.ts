import { gzipSync } from 'node:zlib'
import { mediaTypes } from '../../src/model/documents.ts'
import { file } from '../layer/parts.ts'
import { bomb, rawFrame, skippable } from '../stream/zstd-writing.ts'
import { archive } from '../tar/raw.ts'
import { type Case, type More, refuses, says } from './case.ts'

/** What all these blobs hold. */
export const tar = archive(file('a', 'x'), file('b', 'bytes'))
const table = 'a file 644 "x"\nb file 644 "bytes"'
const holding = (more: More = {}): More => ({ tar, ...more })
const damaged = (more: More = {}) => holding({ code: 'PLY_BAD_COMPRESSION', ...more })

/** So many members, of about the same size. */
const members = (count: number) => {
  const at = (i: number) => Math.floor((tar.length * i) / count)
  return Buffer.concat(Array.from({ length: count }, (_, i) => gzipSync(tar.subarray(at(i), at(i + 1)))))
}
export const gzip = members(1)
const zstd = rawFrame(tar)
const half = tar.length >> 1
const frames = [rawFrame(tar.subarray(0, half)), rawFrame(tar.subarray(half))] as const
const some = Buffer.from('anything')
const changed = (blob: Buffer, at: number) => {
  const copy = Buffer.from(blob)
  const where = at < 0 ? copy.length + at : at
  copy[where] = copy[where]! ^ 0x40
  return copy
}

/** Section 12, compression. */
export const compression: readonly Case[] = [
  ...[1, 2, 100].map((count) => says(`Z-01, Z-02: gzip in ${count} members`, members(count), table, holding())),
  says(
    'Z-02: gzip with empty members',
    Buffer.concat([gzipSync(''), gzip, gzipSync(''), gzipSync('')]),
    table,
    holding(),
  ),
  says('Z-02: NUL bytes after the last member', Buffer.concat([gzip, Buffer.alloc(777)]), table, holding()),
  says(
    'Z-02: NUL bytes after the last of 100 members',
    Buffer.concat([members(100), Buffer.alloc(1)]),
    table,
    holding(),
  ),
  refuses('Z-02: other bytes after the last member', Buffer.concat([gzip, Buffer.from('tail')]), damaged()),
  refuses(
    'Z-02: NUL bytes and then others after the last member',
    Buffer.concat([gzip, Buffer.alloc(600), some]),
    damaged(),
  ),
  says('Z-02: with lenient other bytes after the last member are a warning', Buffer.concat([gzip, some]), table, {
    ...holding(),
    lenient: true,
    warnings: ['Z-02'],
  }),
  refuses('Z-04: a wrong checksum in gzip', changed(gzip, -6), damaged()),
  refuses('Z-04: a wrong size in gzip', changed(gzip, -3), damaged()),
  refuses(
    'Z-04: a wrong checksum in the first of two members',
    Buffer.concat([changed(gzipSync('x'), -6), gzip]),
    damaged(),
  ),
  says('Z-01, Z-03: one frame of zstd', zstd, table, holding()),
  says('Z-03: two frames of zstd', Buffer.concat(frames), table, holding()),
  says('Z-03: a skippable frame first', Buffer.concat([skippable(some), zstd]), table, holding()),
  says('Z-03: an empty skippable frame first', Buffer.concat([skippable(Buffer.alloc(0), 15), zstd]), table, holding()),
  says(
    'Z-03: a skippable frame between two',
    Buffer.concat([frames[0], skippable(some, 7), frames[1]]),
    table,
    holding(),
  ),
  says('Z-03: a skippable frame last', Buffer.concat([zstd, skippable(some)]), table, holding()),
  says(
    'Z-03: skippable frames everywhere',
    Buffer.concat([skippable(some), skippable(some, 1), frames[0], skippable(some, 2), frames[1], skippable(some, 3)]),
    table,
    holding(),
  ),
  says('Z-03, Z-06: nothing but a skippable frame is an empty layer', skippable(some), '', { tar: Buffer.alloc(0) }),
  says(
    'Z-03: a frame that says its size, and one without a checksum',
    Buffer.concat([rawFrame(tar.subarray(0, half), { size: true }), rawFrame(tar.subarray(half), { checksum: false })]),
    table,
    holding(),
  ),
  says('Z-03: a window of 128 MiB', rawFrame(tar, { windowDescriptor: 17 << 3 }), table, holding()),
  refuses('Z-03: a window of 144 MiB', rawFrame(tar, { windowDescriptor: (17 << 3) | 1 }), damaged()),
  refuses(
    'Z-03: a window of 2 GiB, in the second frame',
    Buffer.concat([frames[0], rawFrame(tar, { windowDescriptor: 21 << 3 })]),
    damaged(),
  ),
  says('Z-03: a window of as much as the cap that was set', rawFrame(tar, { windowDescriptor: 10 << 3 }), table, {
    ...holding(),
    limits: { zstdWindow: 1 << 20 },
  }),
  refuses(
    'Z-03: a window of an eighth more than the cap that was set',
    rawFrame(tar, { windowDescriptor: (10 << 3) | 1 }),
    {
      ...damaged(),
      limits: { zstdWindow: 1 << 20 },
    },
  ),
  refuses('Z-03: a dictionary', rawFrame(tar, { dictionary: 1 }), damaged()),
  refuses('Z-04: a wrong checksum in zstd', changed(zstd, -1), damaged()),
  refuses(
    'Z-04: a wrong checksum in the first of two frames',
    Buffer.concat([changed(frames[0], -1), frames[1]]),
    damaged(),
  ),
  refuses('Z-04: a frame that holds more than it announces', rawFrame(tar, { size: tar.length - 1 }), damaged()),
  refuses('Z-04: a frame that holds less than it announces', rawFrame(tar, { size: tar.length + 1 }), damaged()),
  refuses('Z-04: bytes between frames', Buffer.concat([frames[0], some, frames[1]]), damaged()),
  refuses('Z-04: bytes after the last frame', Buffer.concat([zstd, some]), damaged()),
  refuses('F-03, Z-01: a tar compressed twice is no tar', gzipSync(members(100)), { tar: members(100) }),
  refuses('F-03, Z-01: an unknown encoding is read as a tar', Buffer.from(`BZh91AY&SY${'x'.repeat(1014)}`), {}),
  refuses('F-03, Z-03: a tar of one byte repeated, from a small frame, is no tar', bomb(1), {
    tar: Buffer.alloc(128 << 10, 'a'),
  }),
  says('Z-01: a media type that says gzip of a tar', tar, table, {
    mediaType: mediaTypes.ociLayerGzip,
    warnings: ['Z-01'],
  }),
  says('Z-01: a media type that says zstd of gzip', gzip, table, {
    ...holding(),
    mediaType: mediaTypes.ociLayerZstd,
    warnings: ['Z-01'],
  }),
  says('Q-06: a foreign media type is a layer like others', gzip, table, {
    ...holding(),
    mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
  }),
  says('Q-06: a non-distributable media type too', zstd, table, {
    ...holding(),
    mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd',
  }),
  refuses('Q-07: an encrypted layer', gzip, {
    ...holding(),
    mediaType: `${mediaTypes.ociLayerGzip}+encrypted`,
    code: 'PLY_UNSUPPORTED',
  }),
]
