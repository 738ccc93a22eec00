import { build } from '../../../src/build/build.ts'
import { ignoreLines, withoutIgnored } from '../../../src/build/context/context.ts'
import type { Image } from '../../../src/image/image.ts'
import { memoryUpper, plainLayer, type Store, type Tree, union } from '../../../src/index.ts'
import type { ExecutionConfig } from '../../../src/model/documents.ts'
import type { Case, Files, Given } from './case.ts'

const treeOf = (files: Files): Tree => union([plainLayer({ '/': { directory: true }, ...files })], memoryUpper())

function contextOf({ context = {}, ignored }: Given): { readonly tree: Tree; readonly ignored: readonly string[] } {
  const own = context['.dockerignore']
  const patterns = ignoreLines(ignored ?? (typeof own === 'string' ? own : ''))
  return { tree: withoutIgnored(treeOf(context), patterns), ignored: patterns }
}

/** Builds what a case says in a store, and first the images that it stands on. */
export async function builtIn(store: Store, given: Given): Promise<Image> {
  for (const [name, below] of Object.entries(given.images ?? {})) await store.write(await builtIn(store, below), name)
  const { tree, ignored } = contextOf(given)
  const { contexts = {}, secrets = {} } = given
  return build(store, {
    dockerfile: given.dockerfile,
    context: tree,
    ignored,
    contexts: Object.fromEntries(Object.entries(contexts).map(([name, files]) => [name, treeOf(files)])),
    args: given.args,
    target: given.target,
    labels: given.labels,
    platform: given.wanted ?? 'linux/amd64',
    epoch: 0,
    secrets: Object.fromEntries(Object.entries(secrets).map(([id, content]) => [id, Buffer.from(content)])),
  })
}

/** All of a tree, one line each: `/f 600 1:2 = content`, `/d/ 755`, `/l -> target`, `/h => /f` for one more name of a file. What is usual is left out: mode 644 (755 for directories) and owner 0:0. */
export async function linesOf(store: Store, image: Image): Promise<readonly string[]> {
  const tree = await store.tree(image)
  const lines: string[] = []
  const names = new Map<number, string>()
  const walk = (directory: number, above: string) => {
    for (const { name, ino, kind } of tree.list(directory)) {
      const path = `${above}${Buffer.from(name, 'latin1').toString()}`
      const { mode, uid, gid, major, minor } = tree.stat(ino)
      const first = names.get(ino)
      if (first !== undefined) {
        lines.push(`${path} => ${first}`)
        continue
      }
      if (kind !== 'directory') names.set(ino, path)
      const usual = kind === 'directory' ? 0o755 : kind === 'symlink' ? 0o777 : 0o644
      const more = [
        ...(mode === usual ? [] : [mode.toString(8)]),
        ...(uid === 0 && gid === 0 ? [] : [`${uid}:${gid}`]),
        ...(kind === 'file' ? ['=', contentOf(tree, ino)] : []),
        ...(kind === 'symlink' ? ['->', tree.readlink(ino)] : []),
        ...(['character', 'block'].includes(kind) ? [kind, `${major},${minor}`] : kind === 'fifo' ? [kind] : []),
      ]
      lines.push([`${path}${kind === 'directory' ? '/' : ''}`, ...more].join(' ').trimEnd())
      if (kind === 'directory') walk(ino, `${path}/`)
    }
  }
  try {
    walk(tree.root, '/')
    return lines
  } finally {
    tree.close()
  }
}

/** A file's content, with `|` for the end of a line. */
function contentOf(tree: Tree, ino: number): string {
  const bytes = tree.open(ino)
  try {
    const whole = Buffer.alloc(bytes.size)
    bytes.read(whole, 0)
    return whole.toString().replaceAll('\n', '|')
  } finally {
    bytes.close()
  }
}

const usualPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** A configuration without what an image on nothing begins with. */
export function saidOf({ Env, WorkingDir, ...others }: ExecutionConfig): ExecutionConfig {
  const env = (Env ?? []).filter((one) => one !== usualPath)
  return {
    ...others,
    ...(env.length > 0 && { Env: env }),
    ...(WorkingDir !== undefined && WorkingDir !== '/' && { WorkingDir }),
  }
}

/** Whether a failure is the one that a case waits for, and if not, why. */
export function failureSays({ fails }: Case, error: unknown): string | undefined {
  const { code, message, details } = error as {
    readonly code?: string
    readonly message?: string
    readonly details?: { readonly line?: number }
  }
  const { line, words, code: wanted = 'PLY_BAD_DOCKERFILE' } = fails!
  if (code !== wanted) return `the code is ${code}, not ${wanted}: ${message}`
  if (line !== undefined && details?.line !== line) return `the line is ${details?.line}, not ${line}: ${message}`
  return words.test(message ?? '') ? undefined : `it does not say ${words}: ${message}`
}
