/** What the explorer shows, as values without behaviour: read by the page in a browser too, so nothing here is Node's. */

/** Kinds of inodes by their number in a column. */
export const kinds = ['file', 'directory', 'symlink', 'character', 'block', 'fifo', 'socket'] as const

/** What a layer did at a path, by its number in a column: see `Deed` of blame. */
export const deeds = ['add', 'modify', 'attributes', 'repeat', 'delete', 'inside', 'nothing'] as const

/** What differs, by its bit in a column. */
export const aspects = ['kind', 'content', 'target', 'device', 'mode', 'owner', 'mtime', 'xattrs', 'links'] as const

/** Why bytes of a layer are of no use, by their number in a column. */
export const wasteCauses = ['overwritten', 'deleted', 'attributes', 'repeated', 'duplicate'] as const

export const noLayer = 0xffff

/** Marks of a row. */
export const marks = {
  /** It stands there once all layers are stacked. */
  present: 1,
  /** One more name of an inode: its content is counted elsewhere. */
  link: 2,
} as const

/** Rows of a tree, a directory before what is in it. Row 0 is the root; the rest is beside it, under its name. */
export interface Rows {
  readonly count: number
  /** Names as they are shown (`shownName`), each followed by a slash, the root's being empty. */
  readonly names: string
  readonly depth: Uint16Array
  readonly kind: Uint8Array
}

/** Every path that a layer of an image ever had, with what stands there last. */
export interface FileTable extends Rows {
  readonly marks: Uint8Array
  readonly mode: Uint16Array
  /** Places in `Exploration.owners`. */
  readonly owner: Uint32Array
  /** Bytes. */
  readonly size: Float64Array
  /** Seconds since the epoch. */
  readonly mtime: Float64Array
  /** The layer that put there what stands there last. */
  readonly layer: Uint16Array
  /** Rows whose story is longer than `layer` tells, in order. */
  readonly told: Uint32Array
  /** Where in the columns below the story of each of them begins; one more than there are rows. */
  readonly story: Uint32Array
  readonly stepLayer: Uint16Array
  readonly stepDeed: Uint8Array
  /** Bits: see `aspects`. */
  readonly stepChanged: Uint16Array
  readonly stepKind: Uint8Array
  readonly stepMode: Uint16Array
  readonly stepOwner: Uint32Array
  readonly stepSize: Float64Array
  readonly stepMtime: Float64Array
  /** How deep the path is that says so: smaller than the row's own where a directory above it is removed. */
  readonly stepAt: Uint16Array
  /** Rows that are symlinks, and their targets, each followed by a NUL. */
  readonly linked: Uint32Array
  readonly targets: string
  /** What is of no use: rows, causes, bytes, the layer that has it, the layer that made it useless. */
  readonly wasteRow: Uint32Array
  readonly wasteCause: Uint8Array
  readonly wasteBytes: Float64Array
  readonly wasteLayer: Uint16Array
  readonly wasteBy: Uint16Array
  /** Of a duplicate, the row that has the same content; else the row itself. */
  readonly wasteLike: Uint32Array
}

/** One layer of an image. */
export interface LayerFacts {
  readonly digest: string
  readonly diffId: string
  /** Bytes of the blob as it travels. */
  readonly size: number
  /** Bytes of contents that it holds, and those of no use. */
  readonly bytes: number
  readonly wasted: number
  readonly createdBy: string
  /** RFC 3339, where it is known. */
  readonly created: string
  readonly comment: string
  /** How many paths it added, changed and removed. */
  readonly added: number
  readonly changed: number
  readonly removed: number
}

export interface Owner {
  readonly uid: number
  readonly gid: number
  /** By the image's own accounts; empty where they have none. */
  readonly user: string
  readonly group: string
}

/** A tree with all that its layers did. What has no layers has one, without a digest. */
export interface Exploration {
  /** What it was called. */
  readonly name: string
  /** Of the image; empty for a tree that is none. */
  readonly digest: string
  readonly platform: string
  readonly created: string
  readonly layered: boolean
  /** Base first. */
  readonly layers: readonly LayerFacts[]
  readonly owners: readonly Owner[]
  readonly efficiency: number
  readonly diveEfficiency: number
  readonly files: FileTable
}

/** What happened to a row of a difference. */
export const changes = ['same', 'added', 'removed', 'changed'] as const

/** Paths that differ between two trees, and the directories that lead to them. */
export interface DifferenceTable extends Rows {
  /** See `changes`. */
  readonly change: Uint8Array
  /** Bits: see `aspects`. */
  readonly changed: Uint16Array
  readonly sizeBefore: Float64Array
  readonly sizeAfter: Float64Array
  readonly modeBefore: Uint16Array
  readonly modeAfter: Uint16Array
}

/** A layer of one image beside one of the other. */
export interface PairedLayers {
  readonly before: number | undefined
  readonly after: number | undefined
  readonly same: boolean
  readonly causes: readonly string[]
  readonly changed: readonly string[]
}

/** Something that two images say differently of themselves. */
export interface Statement {
  readonly at: string
  readonly before: string | undefined
  readonly after: string | undefined
}

/** What differs between the two images of an exploration. */
export interface Difference {
  readonly files: DifferenceTable
  readonly layers: readonly PairedLayers[]
  readonly statements: readonly Statement[]
}

/** One tree to look at, or two and what differs. */
export interface Explored {
  readonly before: Exploration
  readonly after: Exploration | undefined
  readonly difference: Difference | undefined
}
