import { append, scratch } from '../../src/image/append.ts'
import { configure } from '../../src/image/configure.ts'
import type { Image, Layer } from '../../src/image/image.ts'
import { layerFromBlob } from '../../src/image/image-from-blobs.ts'
import { digestOf } from '../../src/model/digest.ts'
import { mediaTypes } from '../../src/model/documents.ts'
import { memoryBytes, streamOf } from '../../src/stream/bytes.ts'
import { type RawMember, rawTar } from '../support/raw-tar.ts'

/** A name that would end the page's script if it stood in it. */
export const script = 'x</script><script>window.hit=1<'
/** Text of the other direction, turned around, with a line feed, and bytes that are no UTF-8. */
const odd = Buffer.concat([Buffer.from('odd\u202etxt.exe\n\x1b[31m'), Buffer.from([0xff, 0xfe])])
export const shownOdd = 'odd\\xe2\\x80\\xaetxt.exe\\x0a\\x1b[31m\\xff\\xfe'

function layer(members: readonly RawMember[]): Layer {
  const tar = rawTar(members)
  const digest = digestOf(tar)
  const descriptor = { mediaType: mediaTypes.ociLayer, digest, size: tar.length }
  return layerFromBlob(descriptor, digest, () => streamOf(memoryBytes(tar)))
}

const directory = (name: string): RawMember => ({ name: `${name}/`, type: '5' })
const file = (name: string | Uint8Array, content: string | Uint8Array, more: Partial<RawMember> = {}): RawMember => ({
  name,
  content,
  ...more,
})
const many = (prefix: string, count: number, size: number) =>
  Array.from({ length: count }, (_, at) =>
    file(`${prefix}${String(at).padStart(3, '0')}`, Buffer.alloc(size + at, `${prefix}${at}`)),
  )

const base = layer([
  directory('bin'),
  file('bin/busybox', Buffer.alloc(400_000, 'b'), { mode: 0o755 }),
  { name: 'bin/sh', type: '2', link: 'busybox' },
  { name: 'bin/ash', type: '1', link: 'bin/busybox' },
  directory('dev'),
  { name: 'dev/null', type: '3', major: 1, minor: 3, mode: 0o666 },
  directory('etc'),
  file('etc/motd', 'welcome\n'),
  file('etc/passwd', 'root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/srv:/bin/sh\n'),
  file('etc/group', 'root:x:0:\napp:x:1000:\n'),
  directory('usr'),
  directory('usr/lib'),
  ...many('usr/lib/lib-', 40, 30_000),
  directory('var'),
  directory('var/cache'),
  ...many('var/cache/package-', 12, 50_000),
  directory('odd'),
  file(`odd/${script}`, 'x'),
  file(Buffer.concat([Buffer.from('odd/'), odd]), 'y'),
  file('odd/日本語のファイル', 'z'),
])
const install = layer([
  directory('etc'),
  file('etc/motd', 'welcome to the app, friends\n'),
  directory('srv'),
  directory('srv/app'),
  file('srv/app/server.js', Buffer.alloc(120_000, 'j'), { uid: 1000, gid: 1000 }),
  ...many('srv/app/chunk-', 25, 20_000),
  directory('var'),
  directory('var/cache'),
  file('var/cache/.wh.package-003', ''),
  file('var/cache/.wh.package-004', ''),
])
const tidy = layer([
  directory('bin'),
  file('bin/busybox', Buffer.alloc(400_000, 'b'), { mode: 0o750 }),
  directory('srv'),
  directory('srv/app'),
  file('srv/app/copy-of-server.js', Buffer.alloc(120_000, 'j')),
  directory('var'),
  file('var/.wh.cache', ''),
])
const update = layer([
  directory('etc'),
  file('etc/motd', 'goodbye\n'),
  file('etc/passwd', 'root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/srv:/bin/sh\n', { mode: 0o600 }),
  directory('opt'),
  directory('opt/extra'),
  ...many('opt/extra/part-', 5, 9_000),
  directory('usr'),
  directory('usr/lib'),
  ...Array.from({ length: 8 }, (_, at) => file(`usr/lib/.wh.lib-${String(at).padStart(3, '0')}`, '')),
])

/** Four layers: a base, something installed, something tidied up. Every kind of waste is in them. */
export function sample(): Image {
  let image = append(scratch, base, {
    created: '2024-05-01T10:00:00Z',
    created_by: '/bin/sh -c #(nop) ADD file:rootfs.tar in / ',
  })
  image = append(image, install, {
    created: '2024-05-02T10:00:00Z',
    created_by: 'RUN /bin/sh -c npm ci --omit=dev &&     npm run build # buildkit',
  })
  image = append(image, tidy, {
    created: '2024-05-03T10:00:00Z',
    created_by: 'RUN /bin/sh -c rm -rf /var/cache && chmod 750 /bin/busybox # buildkit',
    comment: 'buildkit.dockerfile.v0',
  })
  return configure(image, {
    cmd: ['node', '/srv/app/server.js'],
    env: { NODE_ENV: 'production' },
    platform: 'linux/amd64',
  })
}

/** The same with one layer more, and other settings. */
export function updated(): Image {
  const image = append(sample(), update, {
    created: '2024-06-01T10:00:00Z',
    created_by: 'COPY --link extra /opt/extra # buildkit',
  })
  return configure(image, { env: { NODE_ENV: 'test', DEBUG: '1' }, labels: { 'org.example.version': '2' } })
}
