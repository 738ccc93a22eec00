import type { Switches } from '../switch.ts'
import { budgets } from './budgets.ts'
import { compression } from './compression.ts'
import { disk } from './disk.ts'
import { exporting } from './export.ts'
import { foreign } from './foreign.ts'
import { hardlinks } from './hardlinks.ts'
import { headers } from './headers.ts'
import { markers } from './markers.ts'
import { model } from './model.ts'
import { names } from './names.ts'
import { owners } from './owners.ts'
import { reExport } from './re-export.ts'
import { replacement } from './replacement.ts'
import { sparse } from './sparse.ts'
import { times } from './times.ts'
import { types } from './types.ts'
import { xattrs } from './xattrs.ts'

/** Every rule of layer-semantics that the tests must notice the absence of. */
export const switches: Switches = {
  ...model,
  ...names,
  ...types,
  ...markers,
  ...hardlinks,
  ...replacement,
  ...headers,
  ...sparse,
  ...times,
  ...owners,
  ...xattrs,
  ...compression,
  ...reExport,
  ...disk,
  ...foreign,
  ...exporting,
  ...budgets,
}
