import { budgetCases } from './budgets.ts'
import type { Case } from './case.ts'
import { compression } from './compression.ts'
import { extended } from './extended.ts'
import { framing } from './framing.ts'
import { headers } from './headers.ts'
import { links } from './links.ts'
import { nameBytes, nameLengths, names } from './names.ts'
import { numbers } from './numbers.ts'
import { sparse } from './sparse.ts'
import { traversal } from './traversal.ts'
import { types } from './types.ts'
import { whiteouts } from './whiteouts.ts'
import { xattrs } from './xattrs.ts'

/**
 * The corpus of layer-semantics, section 19, by theme: archives and what the rules make of them. Of that section's list
 * there are besides: pairs of states in every order (pairs.test.ts), cuts at every byte (cuts.test.ts), random edits
 * (test/properties), and upper directories that a kernel mount made (test/overlay/kernel.test.ts).
 */
export const themes: Readonly<Record<string, readonly Case[]>> = {
  names,
  'lengths of names': nameLengths,
  'bytes of names': nameBytes,
  'entry types': types,
  'whiteouts and opaque directories': whiteouts,
  'hardlinks and replacement': links,
  'attempts to leave the root': traversal,
  headers,
  numbers,
  'extended headers': extended,
  'sparse files': sparse,
  'extended attributes': xattrs,
  framing,
  compression,
  budgets: budgetCases,
}

export const corpus: readonly Case[] = Object.values(themes).flat()
