import * as Flags from '@oclif/core/flags'
import type { Library, OwnerShift } from './library.ts'

/** How owners are shifted, wherever they can be. */
export const ownerFlags = {
  uidmap: Flags.string({
    helpValue: 'FROM:TO:COUNT',
    summary: 'Show users FROM and on, COUNT of them, as TO and on; several with commas between them.',
  }),
  gidmap: Flags.string({ helpValue: 'FROM:TO:COUNT', summary: 'The same for groups.' }),
}

/** What they say. @throws PLY_USAGE */
export function ownersFrom(
  { uidmap, gidmap }: { readonly uidmap?: string | undefined; readonly gidmap?: string | undefined },
  { IdMapping }: Library,
): OwnerShift | undefined {
  if (uidmap === undefined && gidmap === undefined) return undefined
  return {
    ...(uidmap !== undefined && { uids: IdMapping.parse(uidmap) }),
    ...(gidmap !== undefined && { gids: IdMapping.parse(gidmap) }),
  }
}
