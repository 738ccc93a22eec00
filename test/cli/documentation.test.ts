import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { commands } from '../../src/cli/commands.ts'
import { describedClass } from '../../src/cli/help.ts'

const project = fileURLToPath(new URL('../..', import.meta.url))
const pages = ['README.md', ...markdown('docs')]

// Of what is generated, the commands are checked where they come from; the licences are texts of others.
function markdown(directory: string): string[] {
  return readdirSync(join(project, directory), { recursive: true })
    .map((name) => `${directory}/${name}`)
    .filter((name) => name.endsWith('.md') && name !== 'docs/cli.md' && name !== 'docs/licences.md')
}

const textOf = (page: string) => readFileSync(join(project, page), 'utf8')

interface FlagWords {
  readonly char?: string
  readonly charAliases?: readonly string[]
  readonly allowNo?: boolean
  readonly type: 'boolean' | 'option'
}

/** What is wrong with a command line; `undefined` if nothing is: the command is there, and has the flags. */
async function wrongIn(line: string): Promise<string | undefined> {
  const words = line.match(/"[^"]*"|'[^']*'|[^\s]+/g)!.slice(1)
  const two = words.slice(0, 2).join(' ')
  const id = commands.has(two) ? two : words[0]
  if (id === undefined || id.startsWith('-')) return undefined
  if (!/^[a-z]/.test(id)) return undefined
  // The first word of commands of two explains them.
  if (words[1] === '--help' && [...commands.keys()].some((name) => name.startsWith(`${id} `))) return undefined
  if (!commands.has(id)) return `there is no command ${id}`
  const { flags, baseFlags } = await describedClass(id)
  const known = new Map(Object.entries({ ...(baseFlags as object), ...(flags as object) } as Record<string, FlagWords>))
  const letters = new Map(
    [...known.values()].flatMap((flag) => [flag.char, ...(flag.charAliases ?? [])].map((c) => [c, flag] as const)),
  )
  const rest = words.slice(id.split(' ').length)
  for (const [i, word] of rest.entries()) {
    if (word === '--') break
    const before = rest[i - 1] ?? ''
    const flagBefore = before.startsWith('--') ? known.get(before.slice(2)) : letters.get(before.at(-1))
    const isValue = before.startsWith('-') && !before.includes('=') && flagBefore?.type === 'option'
    // What comes after the image is a command of somebody else's, and after the tree an expression.
    if (!word.startsWith('-') && !isValue && (id === 'run' || (id === 'find' && i > 0))) break
    if (isValue || word === '-' || !/^-/.test(word)) continue
    if (word.startsWith('--')) {
      const name = word.slice(2).split('=')[0]!
      if (name === 'help' || known.has(name)) continue
      if (name.startsWith('no-') && known.get(name.slice(3))?.allowNo) continue
      return `${id} has no --${name}`
    }
    // An expression has words of one dash.
    if (id === 'find') break
    for (const letter of word.slice(1)) {
      const flag = letters.get(letter)
      if (flag === undefined) return `${id} has no -${letter}`
      if (flag.type === 'option') break
    }
  }
  return undefined
}

/** Command lines of ours in a page: in code between words, and in what is fenced. */
function linesIn(text: string): string[] {
  const fenced = [...text.matchAll(/^```\w*[^\n]*\n([\s\S]*?)^```$/gm)].flatMap(([, code = '']) =>
    code.split('\n').map((line) => line.replace(/^\$ /, '')),
  )
  const between = [...text.replaceAll(/^```[\s\S]*?^```$/gm, '').matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code)
  return [...fenced, ...between]
    .flatMap((line) => line.split(/ (?:&&|\|\||\||;|>|2>) /))
    .map((line) => line.trim().replace(/ (?:#|2?>).*$/, ''))
    .filter((line) => /^ply [a-z]/.test(line))
}

describe('what the documentation says exists', () => {
  for (const page of pages) {
    test(`${page}: every command and flag of ply`, async () => {
      const wrong: string[] = []
      for (const line of linesIn(textOf(page))) {
        const why = await wrongIn(line)
        if (why !== undefined) wrong.push(`${line}: ${why}`)
      }
      expect(wrong.join('\n')).toBe('')
    })

    test(`${page}: every page and heading that it links to`, () => {
      const links = [...textOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, to = '']) => to)
      const broken = links.filter((to) => {
        if (/^[a-z]+:/.test(to)) return false
        const [path = '', heading] = to.split('#')
        const file = path === '' ? page : join(dirname(page), path)
        if (!existsSync(join(project, file))) return true
        return heading !== undefined && !headingsOf(textOf(file)).has(heading)
      })
      expect(broken.join('\n')).toBe('')
    })
  }

  test('docs/README.md leads to every page', () => {
    const index = textOf('docs/README.md')
    const missing = pages.filter(
      (page) => page.startsWith('docs/') && page !== 'docs/README.md' && !page.startsWith('docs/library/'),
    )
    expect(missing.filter((page) => !index.includes(`(${page.slice(5)})`))).toEqual([])
  })
})

/** As GitHub names headings in links. */
function headingsOf(text: string): Set<string> {
  return new Set(
    [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}
