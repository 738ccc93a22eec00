import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { copy } from '../../image/copy.ts'
import type { Image } from '../../image/image.ts'
import type { Operation } from '../../model/operation.ts'
import { openSource } from '../../transport/index.ts'
import type { RegistryOptions } from '../../transport/registry/options.ts'
import { openStore } from '../open-store.ts'
import type { Store } from '../store.ts'

/** An image of another place, read into a store of its own that `forget` removes. @throws what reading it throws */
export async function passingStore(
  reference: string,
  {
    platform,
    registry,
    ...operation
  }: { readonly platform: string | undefined; readonly registry: RegistryOptions | undefined } & Operation,
): Promise<{ readonly store: Store; readonly image: Image; forget(): void }> {
  const root = mkdtempSync(join(tmpdir(), 'ply-tree-'))
  const forget = () => rmSync(root, { recursive: true, force: true })
  try {
    await using source = await openSource(reference, { ...operation, ...(registry !== undefined && { registry }) })
    const store = await openStore(root)
    await copy(source, store, { as: 'tree', platform, ...operation })
    return { store, image: await store.image('tree', operation), forget }
  } catch (error) {
    forget()
    throw error
  }
}
