import * as Flags from '@oclif/core/flags'

const compressions = ['gzip', 'zstd', 'none'] as const

/** How layers are compressed where they go; without these they keep their bytes. */
export const compressFlags = {
  compress: Flags.option({
    options: compressions,
    summary: 'Compress every layer anew; by default layers keep their bytes and digests.',
  })(),
  'compress-level': Flags.integer({
    helpValue: 'N',
    dependsOn: ['compress'],
    summary: 'gzip: 1 to 9, 4 by default; zstd: 1 to 22, 3 by default.',
  }),
}

export interface CompressFlags {
  readonly compress: (typeof compressions)[number] | undefined
  readonly 'compress-level': number | undefined
}
