import { pathArg, placeArg } from '../arguments.ts'
import { fileLine, longCells } from '../file-values.ts'
import type { Accounts, Library, Tree } from '../library.ts'
import { LookCommand, streamFlags, treeFlags, unverifiedFlags } from '../look-command.ts'
import { accountFiles } from '../store-command.ts'

/** Primaries whose next word is theirs, whatever it looks like. */
const takesWord =
  /^-(?:i?name|i?path|i?wholename|i?lname|type|size|newer|newermt|mtime|mmin|perm|user|group|uid|gid|links|inum|samefile|maxdepth|mindepth)$/

export class Find extends LookCommand {
  static override summary = 'Find paths in a tree, as find(1) does.'
  static override usage = 'find TREE [PATH] [EXPRESSION] [FLAGS]'
  static override description =
    `The expression is that of find(1): -name -iname -path -ipath -lname -type -size -newer -newermt -mtime -mmin -perm -user -group -uid -gid -nouser -nogroup -links -inum -samefile -empty -true -false; -maxdepth -mindepth -depth; ! -not -a -o , and parentheses; -prune -print -print0 -ls -quit. Users and groups are those of the tree. Names with odd bytes are shown escaped; -print0 writes them as they are.`
  static override examples = [
    { description: 'Set-id files of an image', command: 'ply find debian:12 -type f -perm /6000' },
    { description: 'What is large', command: 'ply find debian:12 /usr -size +10M -ls' },
    { description: 'What one layer removes', command: "ply find debian:12@2 --alone -name '.wh.*'" },
  ]
  static override args = { tree: placeArg(), path: pathArg('Where to begin; the root by default.') }
  static override flags = { ...treeFlags, ...unverifiedFlags, ...streamFlags }

  async run() {
    const { own, expression } = this.#words()
    const { args } = await this.parse(Find, own)
    const library = await this.library()
    const plan = library.parseFind(expression)
    const { tree, path } = await this.place(args.tree, args.path, { contents: accountFiles })
    const exact = new ExactLines((chunk) => this.output.write(chunk))
    const json = this.jsonEnabled()
    let accounts: Accounts | undefined
    for (const { ino, path: at, shown, action } of library.find(tree, plan, { from: library.encodeText(path) })) {
      if (json) {
        this.tellLine(fileLine(tree, ino, at, library))
        if (this.output.full) await this.output.room()
      } else if (action === 'print0') await exact.add(shown)
      else {
        await exact.flush()
        if (action === 'ls' && !tree.unverified) accounts ??= library.accountsOf(tree)
        this.print(action === 'ls' ? lsLine(tree, ino, shown, library, accounts) : library.displayText(shown))
        if (this.output.full) await this.output.room()
      }
    }
    await exact.flush()
    this.toldAll()
  }

  /** Expressions are words with one dash, which are no flags: those begin with two, and may stand behind them too. */
  #words(): { readonly own: string[]; readonly expression: string[] } {
    const own: string[] = []
    const expression: string[] = []
    const known: Readonly<Record<string, { readonly type?: string }>> = { ...Find.baseFlags, ...Find.flags } as never
    for (let at = 0; at < this.argv.length; at++) {
      const word = this.argv[at]!
      if (word.startsWith('--')) {
        own.push(word)
        if (known[word.slice(2)]?.type === 'option') own.push(...this.argv.slice(++at, at + 1))
      } else if (expression.length > 0 || /^-[a-z]{2}|^\\?\($|^!$/i.test(word)) {
        expression.push(word)
        if (takesWord.test(word)) expression.push(...this.argv.slice(++at, at + 1))
      } else own.push(word)
    }
    return { own, expression }
  }
}

function lsLine(tree: Tree, ino: number, shown: string, library: Library, accounts?: Accounts): string {
  const [mode, links, user, group, size, time, name] = longCells(tree, ino, shown, library, { accounts })
  const blocks = Math.ceil(tree.stat(ino).size / 1024)
  return `${String(ino).padStart(9)} ${String(blocks).padStart(6)} ${mode} ${links!.padStart(3)} ${user!.padEnd(8)} ${group!.padEnd(8)} ${size!.padStart(8)} ${time} ${name}`
}

/** Names as they are, each behind it a NUL. */
class ExactLines {
  readonly #write: (chunk: Uint8Array) => Promise<void>
  #held = ''

  constructor(write: (chunk: Uint8Array) => Promise<void>) {
    this.#write = write
  }

  async add(bytes: string): Promise<void> {
    this.#held += `${bytes}\0`
    if (this.#held.length > 1 << 16) await this.flush()
  }

  async flush(): Promise<void> {
    if (this.#held === '') return
    const chunk = Buffer.from(this.#held, 'latin1')
    this.#held = ''
    await this.#write(chunk)
  }
}
