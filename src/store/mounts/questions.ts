/** What a mounted container can be asked by others, through the root of the mount (`askMount`). Answers are JSON. */
export type MountQuestion =
  /** Have everything that was written on the disk. Answer: `null`. */
  | { readonly ask: 'sync' }
  /** `Container.snapshot`. Answer: the snapshot. */
  | { readonly ask: 'snapshot'; readonly name: string | undefined }
  /** `Container.clone`. Answer: the record of the new container. */
  | { readonly ask: 'clone'; readonly name: string }
