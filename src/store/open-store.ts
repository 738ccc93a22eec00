import { join, resolve } from 'node:path'
import { diskBlobStore } from '../blob/disk-blob-store.ts'
import type { BlobStore } from '../blob/blob-store.ts'
import { imageFromBlobs } from '../image/image-from-blobs.ts'
import type { Image, Listed } from '../image/image.ts'
import type { Descriptor } from '../model/documents.ts'
import { mediaTypes } from '../model/documents.ts'
import { chainIds, isDigest } from '../model/digest.ts'
import { codeOf, PlyError } from '../model/errors.ts'
import type { Operation } from '../model/operation.ts'
import { normalName } from '../model/reference.ts'
import type { Tree } from '../stack/tree.ts'
import type { Disk, Lock } from '../sys/disk.ts'
import { memoryDisk } from '../sys/memory-disk.ts'
import { nodeDisk } from '../sys/node-disk.ts'
import { nativeZstd } from '../sys/libzstd.ts'
import { collect } from './collect.ts'
import { commitContainer } from './commit.ts'
import { containersOf } from './containers.ts'
import { Layers } from './layers.ts'
import { openLayout } from './layout.ts'
import { Names } from './names.ts'
import { overlayWorks } from './upper-form.ts'
import type { Store, StoredImage } from './store.ts'
import { Trees } from './trees.ts'
import { Uppers } from './uppers.ts'
import { usageOf } from './usage.ts'

export interface StoreOptions {
  /** Open for reading only: nothing is made, locked or changed. */
  readonly readOnly?: boolean
  /** The form of new uppers; default: overlayfs's own where this process may write it, else the portable one. */
  readonly upperForm?: 'portable' | 'overlay'
}

/** Where a store is when nobody says: `$PLY_ROOT`, else `$XDG_DATA_HOME/ply`, else `~/.local/share/ply`. */
export function defaultRoot(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment.PLY_ROOT) return environment.PLY_ROOT
  const data = environment.XDG_DATA_HOME || join(environment.HOME || '/root', '.local', 'share')
  return join(data, 'ply')
}
