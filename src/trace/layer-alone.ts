import type { Verdict } from '../layer/view.ts'
import type { ByteString } from '../model/bytes.ts'
import type { Stat } from '../model/entry.ts'
import { noXattrs } from '../model/entry.ts'
import { PlyError } from '../model/errors.ts'
import { numberOf, ownNumber, sideOf } from '../stack/inode-numbers.ts'
import type { Tree, TreeEntry } from '../stack/tree.ts'
import { type Bytes, memoryBytes } from '../stream/bytes.ts'
import type { LayerStack } from './layer-stack.ts'
import { standing, Trails } from './trail.ts'

/** What an archive spells a whiteout and an opaque directory with (layer-semantics W-01, W-12). */
const whiteoutPrefix = '.wh.'
const opaqueMarker = '.wh..wh..opq'

/**
 * What one layer of a stack has, alone: its own files and directories, and its whiteouts as the empty files `.wh.NAME` and
 * `.wh..wh..opq` that the archive spells them with. Directories that it only has something in have the attributes that they have
 * without any layer below. A hardlink to what is below is shown as what it leads to. Numbers are those of a stack of all layers; link
 * counts are the layer's own.
 *
 * It reads through the stack, which has to stay open; closing the tree closes nothing.
 * @throws PLY_USAGE if there is no such layer
 */
export function layerAlone(stack: LayerStack, layer: number): Tree {
  return new LayerAlone(stack, layer)
}

/** Markers have numbers of their own, beyond those of any layer. */
const markers = 2 ** 31

class LayerAlone implements Tree {
  readonly root: number
  readonly #stack: LayerStack
  readonly #layer: number
  readonly #trails: Trails
  readonly #parents = new Map<number, number>()
  #markers = 0

  constructor(stack: LayerStack, layer: number) {
    const found = stack.layers[layer]
    if (found === undefined) {
      const last = stack.layers.length - 1
      throw new PlyError('PLY_USAGE', { reason: `there is no layer ${layer}: they are numbered from 0 to ${last}` })
    }
    this.#stack = stack
    this.#layer = layer
    this.#trails = new Trails(stack.layers.map(({ view }) => view))
    this.root = this.#own(found.view.root.ino)
    this.#parents.set(this.root, this.root)
  }

  lookup(directory: number, name: ByteString): number | undefined {
    for (const entry of this.list(directory)) if (entry.name === name) return entry.ino
    return undefined
  }

  *list(directory: number): Generator<TreeEntry, void, undefined> {
    if (!this.#parents.has(directory)) throw new PlyError('ENOTDIR', { syscall: 'scandir' })
    const view = this.#stack.layers[this.#layer]!.view
    const entries: TreeEntry[] = []
    if (this.#isOpaque(directory)) entries.push(this.#marker(opaqueMarker))
    for (const { name, verdict } of view.list(ownNumber(directory))) {
      const entry = this.#entry(directory, name, verdict)
      if (entry !== undefined) entries.push(entry)
    }
    // The prefix puts markers elsewhere than the names that they stand for.
    yield* entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  parent(directory: number): number {
    const parent = this.#parents.get(directory)
    if (parent === undefined) throw new PlyError('ENOTDIR', { syscall: 'scandir' })
    return parent
  }

  stat(ino: number): Stat {
    if (ownNumber(ino) < markers) return { ...this.#view(ino).stat(ownNumber(ino)), ino }
    return { ino, kind: 'file', mode: 0, uid: 0, gid: 0, mtime: 0n, size: 0, links: 1, major: 0, minor: 0 }
  }

  readlink(ino: number): ByteString {
    return this.#view(ino).readlink(ownNumber(ino))
  }

  xattrs(ino: number) {
    return ownNumber(ino) < markers ? this.#view(ino).xattrs(ownNumber(ino)) : noXattrs
  }

  open(ino: number): Bytes {
    return ownNumber(ino) < markers ? this.#view(ino).open(ownNumber(ino)) : memoryBytes(new Uint8Array(0))
  }

  place(ino: number) {
    return ownNumber(ino) < markers ? this.#view(ino).place(ownNumber(ino)) : undefined
  }

  close(): void {}

  #entry(directory: number, name: ByteString, verdict: Verdict): TreeEntry | undefined {
    switch (verdict.says) {
      case 'nothing':
        return undefined
      case 'whiteout':
        return this.#marker(`${whiteoutPrefix}${name}`)
      case 'ghost': {
        const ino = this.#own(verdict.ino)
        this.#enter(ino, directory, false)
        return { name, ino, kind: 'directory' }
      }
      case 'link': {
        const target = standing(this.#trails.at(verdict.path, this.#layer), this.#layer)
        if (target === undefined) return undefined
        const ino = numberOf(target.place)
        return { name, ino, kind: this.stat(ino).kind }
      }
      case 'entry': {
        const ino = this.#own(verdict.ino)
        if (verdict.directory) this.#enter(ino, directory, verdict.opaque)
        return { name, ino, kind: verdict.kind ?? this.stat(ino).kind }
      }
      default:
        return verdict satisfies never
    }
  }

  readonly #opaque = new Set<number>()

  #enter(ino: number, parent: number, opaque: boolean): void {
    this.#parents.set(ino, parent)
    if (opaque) this.#opaque.add(ino)
  }

  #isOpaque(directory: number): boolean {
    if (directory === this.root) return this.#stack.layers[this.#layer]!.view.root.opaque
    return this.#opaque.has(directory)
  }

  #marker(name: ByteString): TreeEntry {
    return { name, ino: numberOf({ side: this.#layer, ino: markers + this.#markers++ }), kind: 'file' }
  }

  #own(ino: number): number {
    return numberOf({ side: this.#layer, ino })
  }

  #view(ino: number) {
    return this.#stack.layers[sideOf(ino)]!.view
  }
}
