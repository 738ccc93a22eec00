import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { main } from '../../src/cli/main.ts'
import { byteString, bytesOf, displayText } from '../../src/model/bytes.ts'
import { readXattrs } from '../../src/sys/xattr.ts'

/** One image twice: what `ply` is asked for, and a directory where the kernel shows it. */
export interface Asked {
  /** The name of the image, and the store that has it. */
  readonly image: string
  readonly root: string
  readonly mounted: string
}

export interface Difference {
  readonly question: string
  readonly ours: readonly string[]
  readonly theirs: readonly string[]
}

/** A program of the machine that answers, run in the directory where the image is mounted. */
type Program = (...argv: readonly string[]) => Buffer

interface Path {
  /** Byte string without a leading slash; `''` is the root. */
  readonly path: string
  /** The letter of `find -printf %y`. */
  readonly kind: string
}

/** Lines of `du`: a number, and the path. */
type Told = readonly (readonly [string, string])[]

interface Question {
  readonly text: string
  readonly ours: () => Promise<readonly string[]>
  /** What the programs are called with, in the directory where the image is mounted. */
  readonly commands: readonly (readonly string[])[]
  /** What they say, from what they printed. */
  readonly theirs: (...printed: readonly Buffer[]) => readonly string[]
}

const facts = { name: 'plyfs', version: '0.0.0', root: fileURLToPath(new URL('../..', import.meta.url)) }

/**
 * Asks generated questions about an image: `ls`, `find`, `du`, `stat` and `cat`, each of the command in this process and of the program
 * of that name on what the kernel shows. Users and groups are numbers, since the programs ask this machine for names; what the sizes of
 * directories are is a matter of each file system, and is left out.
 */
export async function askQuestions(
  { image, root, mounted }: Asked,
  { count, seed }: { readonly count: number; readonly seed: number },
): Promise<{ readonly asked: Readonly<Record<string, number>>; readonly differences: readonly Difference[] }> {
  const program: Program = (name, ...argv) =>
    execFileSync(name!, argv.map((word) => bytesOf(word)) as never, {
      cwd: mounted,
      maxBuffer: 1 << 30,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC0' },
    })
  const ask = (...argv: readonly string[]) => answerOf([...argv, '--root', root])
  const asking = new Asking(image, mounted, program, ask, dice(seed))
  const asked: Record<string, number> = { ls: 0, find: 0, du: 0, stat: 0, cat: 0 }
  const questions = Array.from({ length: count }, (_, at) => asking.question(at))
  const answers = answersOf(questions, mounted)
  const differences: Difference[] = []
  for (const [at, { text, ours, theirs }] of questions.entries()) {
    asked[text.split(' ')[0]!]!++
    const [x, y] = [await ours(), theirs(...answers(at))]
    if (x.length === y.length && x.every((line, index) => line === y[index])) continue
    const [inX, inY] = [new Set(x), new Set(y)]
    differences.push({
      question: text,
      ours: x.filter((line) => !inY.has(line)).slice(0, 5),
      theirs: y.filter((line) => !inX.has(line)).slice(0, 5),
    })
  }
  return { asked, differences }
}

/**
 * What the programs print for all questions: one shell runs them one after the other, since starting a program from here takes ten times
 * as long. @throws if one of them fails
 */
function answersOf(questions: readonly Question[], mounted: string): (question: number) => Buffer[] {
  const folder = mkdtempSync(join(tmpdir(), 'ply-answers-'))
  try {
    const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`
    const lines = questions.flatMap(({ commands }, question) =>
      commands.map((words, at) => `${words.map(quoted).join(' ')} >"$F/${question}.${at}" || exit 1`),
    )
    const env = { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC0', F: folder }
    execFileSync('bash', { cwd: mounted, env, input: bytesOf(lines.join('\n')), stdio: ['pipe', 'pipe', 'pipe'] })
    const printed = questions.map(({ commands }, question) =>
      commands.map((_, at) => readFileSync(join(folder, `${question}.${at}`))),
    )
    return (question) => printed[question]!
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** What a command line of `ply` prints, run in this process. @throws with what it complains of */
async function answerOf(argv: readonly string[]): Promise<Buffer> {
  const [out, err]: [Buffer[], Buffer[]] = [[], []]
  const into = (chunks: Buffer[]) =>
    new Writable({
      write(chunk: Buffer, _, done) {
        chunks.push(Buffer.from(chunk))
        done()
      },
    })
  const world = { stdin: Readable.from([]), stdinIsTerminal: true, stdout: into(out), stderr: into(err), columns: 100 }
  const code = await main(argv, { ...world, environment: {}, signal: new AbortController().signal } as never, facts)
  if (code !== 0) throw new Error(`ply ${argv.join(' ')}: exit ${code}: ${Buffer.concat(err)}`)
  return Buffer.concat(out)
}

/** Numbers that look random, from a seed. */
function dice(seed: number): (sides: number) => number {
  let state = seed >>> 0
  return (sides) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides
  }
}

const long = /^(\S{10})\S? +(\d+) +(\S+) +(\S+) +(\d+(?:, +\d+)?) +(\S+ \S+) (.*)$/s

class Asking {
  readonly #all: readonly Path[]
  readonly #directories: readonly Path[]
  readonly #small: readonly Path[]
  readonly #files: readonly Path[]
  readonly #image: string
  readonly #mounted: string
  readonly #ask: (...argv: readonly string[]) => Promise<Buffer>
  readonly #roll: (sides: number) => number
  /** Users and groups that both the image and every machine know. */
  readonly #names: readonly string[]
  /** Whether `du` counts what a directory itself takes as apparent size: it does so no more since coreutils 9.2. */
  readonly #countsDirectories: boolean

  constructor(
    image: string,
    mounted: string,
    program: Program,
    ask: (...argv: readonly string[]) => Promise<Buffer>,
    roll: (sides: number) => number,
  ) {
    this.#image = image
    this.#mounted = mounted
    this.#ask = ask
    this.#roll = roll
    this.#all = split(program('find', '.', '-printf', '%y %P\\0')).map((line) => ({
      kind: line[0]!,
      path: line.slice(2),
    }))
    const known = ['etc/passwd', 'etc/group'].every((path) =>
      this.#all.some((one) => one.path === path && one.kind === 'f'),
    )
    this.#names = known ? ['root'] : []
    const inside = new Map<string, number>()
    for (const { path } of this.#all) {
      for (let at = path.length; at >= 0; at = at === 0 ? -1 : Math.max(0, path.lastIndexOf('/', at - 1))) {
        const directory = path.slice(0, at)
        inside.set(directory, (inside.get(directory) ?? 0) + 1)
      }
    }
    this.#directories = this.#all.filter(({ kind }) => kind === 'd')
    // Most questions are about places that are soon walked; each place is asked about at last.
    this.#small = this.#directories.filter(({ path }) => inside.get(path)! < 400)
    this.#files = this.#all.filter(({ kind }) => kind === 'f')
    const empty = mkdtempSync(join(tmpdir(), 'ply-du-'))
    this.#countsDirectories = !split(program('du', '-sb0', empty))[0]!.startsWith('0\t')
    rmSync(empty, { recursive: true })
  }

  question(at: number): Question {
    switch (this.#roll(20)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return this.#ls()
      case 4:
      case 5:
      case 6:
      case 7:
        return this.#stat()
      case 8:
      case 9:
        return this.#cat()
      case 10:
      case 11:
        return this.#du()
      default:
        return this.#find(at)
    }
  }

  #one<T>(of: readonly T[]): T {
    return of[this.#roll(of.length)]!
  }

  #directory(): string {
    return this.#one(this.#roll(12) === 0 ? this.#directories : this.#small).path
  }

  #ls(): Question {
    const directory = this.#directory()
    const recursive = this.#roll(3) === 0
    const order = this.#one(['', '', 't', 'S', 'r', 'tr'])
    // By size only files can be put in order: directories have sizes of their own everywhere.
    const sized = order.includes('S')
    const flags = `-ln${recursive ? 'R' : ''}${order}`
    const line = (text: string, prefix: string) => {
      const [, mode, links, user, group, size, time, name] = long.exec(text) ?? []
      if (mode === undefined) throw new Error(`no line of ls: ${text}`)
      const width = mode.startsWith('d') ? 'directory' : size!.replace(/ +/, ' ')
      return `${mode} ${links} ${user} ${group} ${width} ${time} ${prefix}${name}`
    }
    const kept = (lines: string[]) => {
      const those = sized ? lines.filter((text) => !text.startsWith('d')) : lines
      return recursive ? those.sort() : those
    }
    return {
      text: `ls ${flags} ${shown(directory)}`,
      ours: async () => {
        const out = await this.#ask('ls', this.#image, textOf(directory), flags)
        const lines = out.toString('utf8').split('\n').slice(0, -1)
        return kept(lines.map((text) => line(text, '')))
      },
      commands: [
        ['ls', `-lnA${recursive ? 'R' : ''}${order}`, '--zero', '--time-style=+%Y-%m-%d %H:%M', `./${directory}`],
      ],
      theirs: (out) => {
        const lines: string[] = []
        let prefix = ''
        for (const text of byteString(out!).split('\0')) {
          // A section: its directory and a colon, then, behind a line break, the total.
          const rest = text.replace(/^\n?(\.\/[^\n]*):\n/s, (_, at: string) => {
            const path = at.slice(2).replace(/\/+$/, '')
            prefix = path === '' ? '/' : `/${displayText(path)}/`
            return ''
          })
          if (recursive && rest.startsWith('./') && !long.test(rest)) throw new Error(`no section of ls: ${rest}`)
          const entry = rest.replace(/^\n?total \d+\n?/, '')
          if (entry !== '') lines.push(line(displayed(entry), prefix))
        }
        return kept(lines)
      },
    }
  }

  #stat(): Question {
    const { path, kind } = this.#one(this.#all)
    const special = kind === 'c' || kind === 'b'
    return {
      text: `stat ${shown(path)}`,
      ours: async () => {
        const told = JSON.parse((await this.#ask('stat', this.#image, textOf(path), '--json')).toString())
        const seconds = (BigInt(Date.parse(told.mtime.replace(/\.\d+Z$/, 'Z'))) / 1000n).toString()
        const fraction = (/\.(\d+)Z$/.exec(told.mtime)?.[1] ?? '').padEnd(9, '0')
        const facts = [told.mode.toString(8), told.links, told.uid, told.gid, kind === 'd' ? '' : told.size]
        const device = [told.major.toString(16), told.minor.toString(16)]
        const xattrs = Object.entries((told.xattrs ?? {}) as Record<string, string>).map(
          ([name, value]) => `${name} ${value}`,
        )
        return [
          facts.join(' '),
          `${seconds}.${fraction}`,
          device.join(' '),
          told.kind,
          told.target ?? '',
          ...xattrs.sort(),
        ]
      },
      commands: [
        ['find', `./${path}`, '-maxdepth', '0', '-printf', '%m %n %U %G %s\\0%T@\\0%y\\0%l\\0'],
        ...(special ? [['stat', '--printf=%t %T', `./${path}`]] : []),
      ],
      theirs: (out, numbers) => {
        const [facts = '', time = '', letter = '', target = ''] = split(out!)
        const device = special ? numbers!.toString() : '0 0'
        const xattrs = [...readXattrs(`${byteString(Buffer.from(this.#mounted))}/${path}`)].map(
          ([name, value]) => `${name} ${Buffer.from(value).toString('base64')}`,
        )
        const [seconds, fraction = ''] = time.split('.')
        return [
          kind === 'd' ? facts.replace(/\d+$/, '') : facts,
          `${seconds}.${fraction.slice(0, 9)}`,
          device,
          kinds[letter]!,
          Buffer.from(target, 'latin1').toString('utf8'),
          ...xattrs.sort(),
        ]
      },
    }
  }

  #cat(): Question {
    const { path } = this.#one(this.#files)
    return {
      text: `cat ${shown(path)}`,
      ours: async () => [(await this.#ask('cat', this.#image, textOf(path))).toString('base64')],
      commands: [['cat', `./${path}`]],
      theirs: (out) => [out!.toString('base64')],
    }
  }

  #du(): Question {
    const directory = this.#directory()
    const all = this.#roll(2) === 0
    const depth = this.#roll(3) === 0 ? this.#roll(4) : undefined
    const flags = [...(all ? ['-a'] : []), ...(depth === undefined ? [] : ['-d', String(depth)])]
    return {
      text: `du ${flags.join(' ')} ${shown(directory)}`,
      ours: async () => {
        const out = await this.#ask('du', this.#image, textOf(directory), ...flags, '--ndjson')
        const values = out
          .toString()
          .split('\n')
          .slice(0, -1)
          .map((line) => JSON.parse(line))
        return values.map(({ path, pathBytes, apparent, inodes, stored }) => {
          const bytes =
            pathBytes === undefined ? byteString(Buffer.from(path)) : byteString(Buffer.from(pathBytes, 'base64'))
          return `${bytes} ${apparent} ${stored} ${inodes}`
        })
      },
      commands: [
        ...[['--apparent-size', '-B1'], ['--inodes'], ['-B1']].map((more) => [
          'du',
          ...flags,
          '-0',
          ...more,
          `./${directory}`,
        ]),
        ['find', `./${directory}`, '-type', 'd', '-printf', '%s %b %p\\0'],
      ],
      theirs: (...out) => {
        const told = (printed: Buffer): Told => split(printed).map((line) => line.split('\t') as [string, string])
        const [apparent, inodes, stored] = [told(out[0]!), told(out[1]!), told(out[2]!)]
        // What the directories themselves take is a matter of the file system.
        const own: { path: string; size: number; blocks: number }[] = split(out[3]!).map((line) => {
          const [, size, blocks, path] = /^(\d+) (\d+) (.*)$/s.exec(line)!
          return { path: path!.replace(/\/+$/, ''), size: Number(size), blocks: Number(blocks) * 512 }
        })
        const below = new Map<string, { size: number; blocks: number }>()
        for (const { path, size, blocks } of own) {
          for (let at = path.length; at > 0; at = path.lastIndexOf('/', at - 1)) {
            const above = path.slice(0, at)
            const sum = below.get(above) ?? { size: 0, blocks: 0 }
            below.set(above, { size: sum.size + size, blocks: sum.blocks + blocks })
          }
        }
        return apparent.map(([bytes, path], index) => {
          const clean = path.replace(/\/+$/, '')
          const directories = below.get(clean) ?? { size: 0, blocks: 0 }
          const plain = Number(bytes) - (this.#countsDirectories ? directories.size : 0)
          const taken = Number(stored[index]![0]) - directories.blocks
          return `${clean.slice(1) || '/'} ${plain} ${taken} ${inodes[index]![0]}`
        })
      },
    }
  }

  #find(at: number): Question {
    const from = this.#directory()
    const words = this.#expression(2)
    if (this.#roll(4) === 0) words.unshift('-maxdepth', String(1 + this.#roll(4)))
    if (this.#roll(6) === 0) words.unshift('-mindepth', String(this.#roll(3)))
    if (this.#roll(8) === 0) words.unshift('-depth')
    if (at % 9 === 0 && !words.includes('-depth')) words.push(...['-o', '-name', this.#pattern(), '-prune'])
    const start = from === '' ? '.' : `./${from}`
    return {
      text: `find ${shown(start)} ${words.join(' ')}`,
      ours: async () => {
        const expression = ['(', ...words, ')', '-print0'].map((word) => textOf(word))
        return split(await this.#ask('find', this.#image, textOf(start), ...expression)).sort()
      },
      commands: [['find', start, '(', ...words, ')', '-print0']],
      theirs: (out) => split(out!).sort(),
    }
  }

  #expression(depth: number): string[] {
    if (depth > 0) {
      const less = () => this.#expression(depth - 1)
      switch (this.#roll(7)) {
        case 0:
          return ['!', '(', ...less(), ')']
        case 1:
          return [...grouped(less()), '-o', ...grouped(less())]
        case 2:
        case 3:
          return [...grouped(less()), ...grouped(less())]
      }
    }
    return this.#test()
  }

  #pattern(): string {
    const { path } = this.#one(this.#all)
    const name = path.slice(path.lastIndexOf('/') + 1) || 'a'
    const plain = name.replace(/[\\*?[\]]/g, '?')
    const at = this.#roll(plain.length)
    return this.#one([
      `${plain.slice(0, 1 + at)}*`,
      `*${plain.slice(-2)}`,
      `*${plain.slice(at, at + 2)}*`,
      `${plain.slice(0, at)}?${plain.slice(at + 1)}`,
      '[a-f]*',
      '*[!a-z.]',
      '*.[[:alpha:]]*',
      '*.conf',
    ])
  }

  #test(): string[] {
    const { path } = this.#one(this.#all)
    const sign = () => this.#one(['', '+', '-'])
    const number = (...of: number[]) => `${sign()}${this.#one(of)}`
    switch (this.#roll(19)) {
      case 0:
        return ['-name', this.#pattern()]
      case 1:
        return ['-iname', this.#pattern().toUpperCase().replace('[[:ALPHA:]]', '[[:alpha:]]')]
      case 2:
        return ['-path', `*${this.#pattern()}`]
      case 3:
        return ['-ipath', `./*/${this.#pattern()}`]
      case 4:
        return ['-lname', this.#pattern()]
      case 5:
        return ['-type', this.#one(['f', 'd', 'l', 'f,l', 'c', 'b,p,s'])]
      case 6:
        // Directories have the sizes of their file system.
        return [
          '!',
          '-type',
          'd',
          '-size',
          `${number(0, 1, 2, 8, 100, 4096)}${this.#one(['', 'c', 'k', 'b', 'w', 'M'])}`,
        ]
      case 7:
        return ['-newer', `./${path}`]
      case 8:
        return [
          '-newermt',
          this.#one(['2023-11-14 22:13:20 +0000', '2024-01-01', '@1700000000', '2020-02-02T02:02:02Z']),
        ]
      case 9:
        return [this.#one(['-mtime', '-mmin']), number(1, 30, 700, 1500, 1_000_000)]
      case 10:
        return [
          '-perm',
          this.#one(['644', '755', '-111', '/222', '/6000', '-4000', 'u=rw,go=r', '-u+x', '/g+w,o+w', '0', '-0']),
        ]
      case 11:
        return [this.#one(['-user', '-group']), this.#one(['0', '1000', ...this.#names, '8'])]
      case 12:
        return [this.#one(['-uid', '-gid']), number(0, 1, 42, 100, 65534)]
      case 13:
        return ['-links', number(1, 2, 3)]
      case 14:
        return ['-empty']
      case 15:
        return ['-samefile', `./${path}`]
      case 16:
        return [this.#one(['-true', '-false'])]
      case 17:
        return ['!', '-type', 'd', '-newer', `./${this.#one(this.#files).path}`]
      default:
        return ['-type', 'f', '-name', this.#pattern()]
    }
  }
}

const kinds: Readonly<Record<string, string>> = {
  f: 'file',
  d: 'directory',
  l: 'symlink',
  c: 'character',
  b: 'block',
  p: 'fifo',
  s: 'socket',
}

function grouped(words: string[]): string[] {
  return words.includes('-o') ? ['(', ...words, ')'] : words
}

/** What ends in NULs, as byte strings. */
function split(out: Buffer): string[] {
  return byteString(out).split('\0').slice(0, -1)
}

/** As ply shows a line of ls: name and target each by itself. */
function displayed(entry: string): string {
  const match = /^(.*?\d\d:\d\d )(.*)$/s.exec(entry)
  if (match === null) return entry
  const [, facts = '', name = ''] = match
  if (!entry.startsWith('l')) return facts + displayText(name)
  const [link = '', ...target] = name.split(' -> ')
  return `${facts}${displayText(link)} -> ${displayText(target.join(' -> '))}`
}

function shown(path: string): string {
  return displayText(path === '' ? '/' : path)
}

/** A path as a command line of text has it. @throws for one that is no UTF-8, which no text can say */
function textOf(path: string): string {
  return Buffer.from(path === '' ? '/' : path, 'latin1').toString('utf8')
}
