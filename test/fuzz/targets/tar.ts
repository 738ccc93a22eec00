import { mutateTar } from '../mutate/tar.ts'
import { checkTar } from '../oracle/check-tar.ts'
import { tarSeeds } from '../seeds/tars.ts'
import type { Target } from '../target.ts'

/** Whole archives: headers, members, names, links and markers. */
export const tar: Target = {
  name: 'tar',
  covers: ['tar', 'layer', 'erofs', 'stack'],
  largest: 64 << 10,
  seeds: async () => tarSeeds(),
  mutate: mutateTar,
  run: checkTar,
}
