import type { Target } from '../target.ts'

/** Every target there is. */
export const targetNames = ['tar', 'pax', 'sparse', 'gzip', 'zstd', 'erofs', 'layer', 'documents'] as const

/** Loads one target and nothing of the others, so that nothing of theirs counts as its code. */
export async function targetNamed(name: string): Promise<Target> {
  switch (name) {
    case 'tar':
      return (await import('./tar.ts')).tar
    case 'pax':
      return (await import('./pax.ts')).pax
    case 'sparse':
      return (await import('./sparse.ts')).sparse
    case 'gzip':
      return (await import('./gzip.ts')).gzip
    case 'zstd':
      return (await import('./zstd.ts')).zstd
    case 'erofs':
      return (await import('./erofs.ts')).erofs
    case 'layer':
      return (await import('./layer.ts')).layer
    case 'documents':
      return (await import('./documents.ts')).documents
    case 'planted':
      return (await import('./planted.ts')).planted
    default:
      throw new Error(`no target named ${name}; there are: ${targetNames.join(', ')}`)
  }
}
