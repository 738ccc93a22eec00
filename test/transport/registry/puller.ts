import { copy, openSource, openStore } from '../../../src/index.ts'

/** What a process that pulls is told. */
export interface Pulls {
  readonly root: string
  /** By the name that each gets in the store. */
  readonly references: Readonly<Record<string, string>>
}

/** All at once into one store, each as a program of its own would do it. Prints the digests by name. */
const { root, references }: Pulls = JSON.parse(process.argv[2]!)
const pulled = await Promise.all(
  Object.entries(references).map(async ([name, reference]) => {
    await using store = await openStore(root)
    await using source = await openSource(reference)
    const { digest } = await copy(source, store, { as: name })
    return [name, digest] as const
  }),
)
process.stdout.write(JSON.stringify(Object.fromEntries(pulled)))
