import { readdirSync } from 'node:fs'
import { commands } from './commands.ts'
import { type Completed, completedArguments, completedFlags, shellWords } from './completion-words.ts'
import type { Store, Tree } from './library.ts'

/** What may stand in the place of the last word: words, or the files of this machine, as the shell finds them. */
export interface Completion {
  readonly files: boolean
  readonly words: readonly string[]
}

/** What a shell waits for is not worth more. */
const most = 2000

/**
 * Answers a shell that asks for completions: `bash LINE BREAKS` with the line so far and the characters at which readline breaks words, or
 * `words WORD…`, the last being the unfinished one. The first line says whether to offer files, every other one is a word. Nothing is said
 * of what goes wrong: whoever presses Tab did not ask.
 */
export async function completions(argv: readonly string[], environment: NodeJS.ProcessEnv): Promise<string> {
  const [shell, ...rest] = argv
  const words = shell === 'bash' ? shellWords(rest[0] ?? '').slice(1) : rest
  const last = words.at(-1) ?? ''
  const found = await completed(words.length === 0 ? [''] : words, environment).catch(() => nothing)
  const kept = found.words.filter((word) => word.startsWith(last)).slice(0, most)
  const shown = shell === 'bash' ? kept.map((word) => forReadline(word, last, rest[1] ?? '')) : kept
  return `${[found.files ? 'files' : 'words', ...shown.filter((word) => !/[\n\0]/.test(word))].join('\n')}\n`
}

/** What readline puts there: what is behind the last break of the word, with what a shell would read otherwise escaped. */
function forReadline(word: string, last: string, breaks: string): string {
  let from = 0
  for (const character of ':=') if (breaks.includes(character)) from = Math.max(from, last.lastIndexOf(character) + 1)
  return word
    .slice(from)
    .replace(/[^\w@%+=:,./~^{}-]/gu, (character) => (character.charCodeAt(0) < 128 ? `\\${character}` : character))
}

const nothing: Completion = { files: false, words: [] }
const files: Completion = { files: true, words: [] }
const answer = (words: Iterable<string>): Completion => ({ files: false, words: [...words] })

async function completed(words: readonly string[], environment: NodeJS.ProcessEnv): Promise<Completion> {
  const last = words.at(-1)!
  const before = words.slice(0, -1)
  const asked: Asked = { before, last, root: rootOf(before) ?? environment.PLY_ROOT }
  const { name, rest } = commandIn(before)
  if (name === undefined)
    return last.startsWith('-') ? answer(['--help', '--version']) : answer(secondWords('', commands.keys()))
  if (!commands.has(name)) return answer(secondWords(`${name} `, commands.keys()))
  if (rest.includes('--')) return files
  if (last.startsWith('-')) return answer(await flagsOf(name))
  // Only to know which of its flags take a word is a command loaded.
  const values = rest.some((word) => word.startsWith('-') && !word.includes('=')) ? await valuesOf(name) : {}
  const flag = rest.at(-1)?.startsWith('-') ? values[rest.at(-1)!] : undefined
  if (flag !== undefined) {
    if (flag.options !== undefined) return answer(flag.options)
    const kind = completedFlags[rest.at(-1)!.replace(/^-+/, '')]
    return kind === undefined ? files : choices(kind, asked, [])
  }
  const taken = rest.filter((word, at) => !word.startsWith('-') && values[rest[at - 1] ?? ''] === undefined)
  const kinds = completedArguments[name]
  if (kinds === undefined) return files
  const kind = kinds[Math.min(taken.length, kinds.length - 1)]!
  return taken.length >= kinds.length && !['path', 'images', 'place', 'container'].includes(kind)
    ? nothing
    : choices(kind, asked, taken)
}

interface Asked {
  readonly before: readonly string[]
  readonly last: string
  readonly root: string | undefined
}

/** `--root DIR`, wherever it stands. */
function rootOf(words: readonly string[]): string | undefined {
  const at = words.lastIndexOf('--root')
  return at >= 0 ? words[at + 1] : words.findLast((word) => word.startsWith('--root='))?.slice(7)
}

function commandIn(words: readonly string[]): { readonly name: string | undefined; readonly rest: readonly string[] } {
  let at = 0
  while (at < words.length && words[at]!.startsWith('-'))
    at += /^--(root|progress|log-level|log-format)$/.test(words[at]!) ? 2 : 1
  const [first, second, ...rest] = words.slice(at)
  if (first === undefined) return { name: undefined, rest: [] }
  if (second !== undefined && commands.has(`${first} ${second}`)) return { name: `${first} ${second}`, rest }
  return { name: first === 'help' ? undefined : first, rest: words.slice(at + 1) }
}

/** The words that come next in the names of commands that begin so. */
function secondWords(beginning: string, names: Iterable<string>): Set<string> {
  const next = new Set<string>()
  for (const name of names) if (name.startsWith(beginning)) next.add(name.slice(beginning.length).split(' ')[0]!)
  return next
}

interface FlagFacts {
  readonly type?: string
  readonly char?: string
  readonly options?: readonly string[]
}

async function definitionsOf(name: string): Promise<Readonly<Record<string, FlagFacts>>> {
  const command = await commands.get(name)!()
  return { ...command.baseFlags, ...command.flags } as never
}

async function flagsOf(name: string): Promise<string[]> {
  return [...Object.keys(await definitionsOf(name)), 'help'].map((flag) => `--${flag}`).sort()
}

/** The flags that take a word, by all their spellings. */
async function valuesOf(name: string): Promise<Readonly<Record<string, FlagFacts>>> {
  const taking: Record<string, FlagFacts> = {}
  for (const [flag, facts] of Object.entries(await definitionsOf(name))) {
    if (facts.type !== 'option') continue
    taking[`--${flag}`] = facts
    if (facts.char !== undefined) taking[`-${facts.char}`] = facts
  }
  return taking
}

const transports = ['docker-archive:', 'oci-archive:', 'oci:', 'dir:', 'rootfs:', 'tar:']

async function choices(kind: Completed, asked: Asked, taken: readonly string[]): Promise<Completion> {
  const { last } = asked
  switch (kind) {
    case 'file':
      return files
    case 'shell':
      return answer(['bash', 'zsh', 'fish'])
    case 'container':
      return inStore(asked, async (store) => answer(await containersOf(store)))
    case 'image':
    case 'images':
      return transports.some((one) => last.startsWith(one))
        ? answer(localFiles(last))
        : inStore(asked, async (store) => answer([...(await imagesOf(store)), ...offered(last, transports)]))
    case 'tree': {
      if (transports.some((one) => last.startsWith(one))) return answer(localFiles(last))
      const inside = /^([^:/]+):(\/.*)$/s.exec(last)
      if (inside !== null)
        return inTree(asked, `container:${inside[1]}`, (tree) => pathsIn(tree, inside[2]!, `${inside[1]}:`))
      return inStore(asked, async (store) => {
        const containers = await containersOf(store)
        return answer([
          ...(await imagesOf(store)),
          ...containers.map((name) => `container:${name}`),
          ...(last === '' ? [] : containers.map((name) => `${name}:/`)),
          ...offered(last, transports),
        ])
      })
    }
    case 'place': {
      const inside = /^([^:/]+):(.*)$/s.exec(last)
      if (inside !== null)
        return inTree(asked, `container:${inside[1]}`, (tree) => pathsIn(tree, inside[2] || '/', `${inside[1]}:`))
      const found = await inStore(asked, async (store) =>
        answer((await containersOf(store)).map((name) => `${name}:/`)),
      )
      return found.words.some((word) => word.startsWith(last)) && last !== '' ? found : files
    }
    case 'path':
      return taken.length === 0 ? nothing : inTree(asked, taken[0]!, (tree) => pathsIn(tree, last, ''))
    default:
      return kind satisfies never
  }
}

/** What is rarely meant is offered to whoever has begun to write it. */
function offered(last: string, words: readonly string[]): readonly string[] {
  return last === '' ? [] : words
}

function localFiles(last: string): string[] {
  const colon = last.indexOf(':') + 1
  const slash = last.lastIndexOf('/') + 1
  const directory = slash > colon ? last.slice(colon, slash) : ''
  const entries = readdirSync(directory === '' ? '.' : directory, { withFileTypes: true })
  return entries.map((entry) => `${last.slice(0, colon)}${directory}${entry.name}${entry.isDirectory() ? '/' : ''}`)
}

async function inStore(asked: Asked, find: (store: Store) => Promise<Completion>): Promise<Completion> {
  const { openStore } = await import('../index.ts')
  await using store = await openStore(asked.root, { readOnly: true })
  return find(store)
}

async function inTree(asked: Asked, name: string, find: (tree: Tree) => Promise<Completion>): Promise<Completion> {
  const { openTree, splitReference } = await import('../index.ts')
  const { transport } = splitReference(name)
  // Nobody wants a registry to be asked by a Tab.
  if (transport === 'docker') return nothing
  const open = async (store?: Store) => {
    const tree = await openTree(name, { contents: [], ...(store && { store }) })
    try {
      return await find(tree)
    } finally {
      tree.close()
    }
  }
  if (!['store', 'container'].includes(transport)) return open()
  return inStore(asked, open)
}

async function imagesOf(store: Store): Promise<string[]> {
  return (await store.images()).map(({ name }) => name)
}

async function containersOf(store: Store): Promise<string[]> {
  return (await store.containers.list()).map(({ name }) => name)
}

/** What is in the directory that a path leads to so far; directories end in a slash. */
async function pathsIn(tree: Tree, last: string, front: string): Promise<Completion> {
  const { decodeText, encodeText, resolvePath } = await import('../index.ts')
  const slash = last.lastIndexOf('/') + 1
  const [directory, begun] = [last.slice(0, slash), encodeText(last.slice(slash))]
  const { ino } = resolvePath(tree, encodeText(directory === '' ? '/' : directory), { follow: true })
  if (ino === undefined) return nothing
  const words: string[] = []
  for (const entry of tree.list(ino)) {
    if (!entry.name.startsWith(begun)) continue
    // What is no text cannot be typed.
    const name = decodeText(entry.name)
    if (encodeText(name) !== entry.name) continue
    let leads: string = entry.kind
    if (entry.kind === 'symlink') leads = kindBehind(tree, encodeText(directory) + entry.name, resolvePath)
    words.push(`${front}${directory}${name}${leads === 'directory' ? '/' : ''}`)
    if (words.length > most) break
  }
  return answer(words)
}

function kindBehind(tree: Tree, path: string, resolve: typeof import('../index.ts').resolvePath): string {
  try {
    const { ino } = resolve(tree, path, { follow: true })
    return ino === undefined ? 'nothing' : tree.stat(ino).kind
  } catch {
    return 'nothing'
  }
}
