import type { Image, ImageDescription } from './library.ts'

/** What `docker image inspect` has of an image, as far as an image says it: a daemon's own facts are not there. */
export function dockerFields(
  image: Image,
  { id, config, layers, size }: ImageDescription,
  names: readonly string[],
): object {
  const { created, author, architecture, variant, os, history } = image.config
  const repositories = new Set(names.map((name) => name.replace(/:[^:/]*$/, '')))
  return {
    Id: id,
    RepoTags: names,
    RepoDigests: [...repositories].map((name) => `${name}@${image.digest}`),
    Parent: '',
    Comment: history?.at(-1)?.comment ?? '',
    ...(created !== undefined && { Created: created }),
    Author: author ?? '',
    Architecture: architecture,
    ...(variant !== undefined && { Variant: variant }),
    Os: os,
    Size: size,
    Config: config,
    RootFS: { Type: 'layers', Layers: layers.map(({ diffId }) => diffId) },
  }
}
