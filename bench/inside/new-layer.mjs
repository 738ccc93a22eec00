// Puts a layer that nobody has yet over an image, into an OCI layout beside it: new bytes, compressed, at every call.
// new-layer.mjs LAYOUT:TAG NEW-LAYOUT MEGABYTES
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { append, copy, layerFrom, openSink, openSource, recompressed } from '../../dist/index.js'

const [from, to, megabytes] = process.argv.slice(2)
rmSync(to, { recursive: true, force: true })
const source = await openSource(`oci:${from}`)
const layer = layerFrom({ '/new/file': randomBytes(Math.round(Number(megabytes) * 2 ** 20)) })
const image = append(await source.image(), layer, { created_by: 'new' })
// Not a plain tar: skopeo would compress it, and be measured by that.
const packed = await recompressed(image, { compression: 'gzip', level: 1, from: image.layers.length - 1 })
const sink = await openSink(`oci:${to}:latest`)
await copy(packed.image, sink)
await packed[Symbol.asyncDispose]()
await source[Symbol.asyncDispose]()
