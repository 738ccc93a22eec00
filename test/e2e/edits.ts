import type * as nodeFs from 'node:fs'

type Writing = Pick<
  typeof nodeFs,
  'readFileSync' | 'writeFileSync' | 'rmSync' | 'mkdirSync' | 'utimesSync' | 'chmodSync'
>

const when = new Date('2024-02-29T12:00:00Z')

/** What is done to an image: ten files changed, ten deleted, one directory replaced. Paths have no leading slash. */
export interface Edits {
  readonly changed: readonly string[]
  readonly removed: readonly string[]
  readonly replaced: string
}

/** Chooses them, spread over the whole image. `files` are plain files with one name. */
export function chooseEdits(files: readonly string[], directories: readonly string[]): Edits {
  const plain = files.filter((path) => /^[\x21-\x7e]+$/.test(path))
  const every = Math.max(1, Math.floor(plain.length / 21))
  const changed = plain.filter((_, i) => i % (2 * every) === 0).slice(0, 10)
  const removed = plain.filter((_, i) => i % (2 * every) === every).slice(0, 10)
  const busy = [...changed, ...removed]
  const replaced = directories.find(
    (path) => plain.some((file) => file.startsWith(`${path}/`)) && !busy.some((file) => file.startsWith(`${path}/`)),
  )
  if (changed.length < 10 || removed.length < 10 || replaced === undefined)
    throw new Error('this image is too small to edit')
  return { changed, removed, replaced }
}

/** Does them: `top` is a directory for Node's own `fs`, and `''` for that of a container. */
export function edit(fs: Writing, top: string, { changed, removed, replaced }: Edits): void {
  for (const path of changed) {
    fs.writeFileSync(`${top}/${path}`, Buffer.concat([fs.readFileSync(`${top}/${path}`), Buffer.from('changed\n')]))
    fs.utimesSync(`${top}/${path}`, when, when)
  }
  for (const path of removed) fs.rmSync(`${top}/${path}`)
  fs.rmSync(`${top}/${replaced}`, { recursive: true })
  fs.mkdirSync(`${top}/${replaced}`)
  fs.chmodSync(`${top}/${replaced}`, 0o750)
  fs.writeFileSync(`${top}/${replaced}/new`, 'nothing of the old directory\n', { mode: 0o640 })
  fs.utimesSync(`${top}/${replaced}/new`, when, when)
  // What was written into got the time of now: with a time of its own the same edits give the same layer.
  const parents = [...changed, ...removed, replaced, `${replaced}/new`].map((path) =>
    path.slice(0, path.lastIndexOf('/')),
  )
  for (const parent of new Set(parents)) fs.utimesSync(`${top}/${parent}`, when, when)
}
