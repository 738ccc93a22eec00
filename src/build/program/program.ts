import type { Dockerfile, Flag, Instruction, Meaning, Stage, Step } from '../../dockerfile/index.ts'
import type { Image } from '../../image/image.ts'
import { PlyError } from '../../model/errors.ts'
import type { Tree } from '../../stack/tree.ts'
import type { BuildSettings, NamedContext } from '../options.ts'

/**
 * A build that a program says, in the place of a Dockerfile: what it begins with, and its steps, made by the functions of `steps`. It is
 * a value: nothing is done before `build`. What says the same as a Dockerfile gives the same image.
 */
export interface Program {
  /** An image by its name, `scratch`, an image, or another program, whose result it then is. */
  readonly from: string | Image | Program
  readonly steps: readonly ProgramStep[]
  /** What progress and messages call it, and the history where something is copied from it; default: its number. */
  readonly name?: string | undefined
}

/** A build of a program. */
export interface ProgramOptions extends BuildSettings, Program {}

/** Where files come from: another program, an image by itself or by its name, or a tree. */
export type FilesFrom = string | Image | Tree | Program

/** One step of a program. The functions of `steps` make them. */
export interface ProgramStep {
  /** As Dockerfiles call it. */
  readonly keyword: string
  /** Where it takes files from, beside the context. */
  readonly from: readonly FilesFrom[]
  /** @param nameOf the name of what it takes from */
  said(nameOf: (from: FilesFrom) => string): SaidStep
}

/** A step as it would stand in a Dockerfile, for people and for the history; and what it means. */
export interface SaidStep {
  readonly flags: readonly Flag[]
  readonly rest: string
  readonly meaning: Meaning
}

/** A text as a word of a Dockerfile that means exactly that. */
export function literal(text: string): string {
  return text.replace(/[\\$'"]/g, '\\$&')
}

/** A program as a Dockerfile that was read, with what its names mean. */
export function stagesOf(program: Program): {
  readonly dockerfile: Dockerfile
  readonly contexts: Readonly<Record<string, NamedContext>>
} {
  const writing = new Writing()
  writing.stage(program)
  return writing.result()
}

const directives = { escapeToken: '\\', skippedChecks: ['all'], experimentalChecks: [], checksFail: false } as const

class Writing {
  readonly #stages: Stage[] = []
  readonly #names = new Map<FilesFrom, string>()
  readonly #contexts: Record<string, NamedContext> = {}
  readonly #begun = new Set<Program>()
  /** Names that mean images. */
  readonly #images = new Set<string>()
  #line = 0

  result() {
    const double = this.#stages.find(({ name }) => name !== undefined && this.#images.has(name))?.name
    if (double !== undefined)
      throw new PlyError('PLY_USAGE', {
        reason: `a program is called ${double}, and so is an image that one takes: rename it`,
      })
    const instructions = this.#stages.flatMap(({ from, steps }) => [from, ...steps].map((step) => step.instruction))
    const dockerfile: Dockerfile = {
      file: 'program',
      directives,
      globals: [],
      stages: this.#stages,
      read: { directives, instructions, emptyContinuations: [] },
    }
    return { dockerfile, contexts: this.#contexts }
  }

  /** Its stage, behind those that it needs. Answers its name. */
  stage(program: Program): string {
    const known = this.#names.get(program)
    if (known !== undefined) return known
    if (this.#begun.has(program)) throw new PlyError('PLY_USAGE', { reason: 'a program cannot take from itself' })
    this.#begun.add(program)
    const base = this.#nameOf(program.from)
    for (const step of program.steps) for (const from of step.from) this.#nameOf(from)
    const number = this.#stages.length
    const name = program.name?.toLowerCase()
    const taken = this.#stages.some((stage) => stage.name === name)
    const own = name === undefined || taken ? String(number) : name
    this.#names.set(program, own)
    const from = this.#step('FROM', [], base, { is: 'from', image: literal(base) }) as Stage['from']
    const steps = program.steps.map(({ keyword, said }) => {
      const { flags, rest, meaning } = said((one) => this.#nameOf(one))
      return this.#step(keyword, flags, rest, meaning)
    })
    this.#stages.push({ number, ...(own === name && { name }), from, steps })
    return own
  }

  #nameOf(from: FilesFrom): string {
    if (typeof from === 'string') {
      this.#images.add(from)
      return from
    }
    if ('steps' in from) return this.stage(from)
    let name = this.#names.get(from)
    if (name === undefined) {
      name = `${'manifest' in from ? 'image' : 'files'}-${Object.keys(this.#contexts).length}`
      this.#names.set(from, name)
      this.#contexts[name] = from
    }
    return name
  }

  #step(keyword: string, flags: readonly Flag[], rest: string, meaning: Meaning): Step {
    const line = ++this.#line
    const source = [
      keyword,
      ...flags.map(({ name, value }) => `--${name}${value === undefined ? '' : `=${value}`}`),
      rest,
    ]
    const instruction: Instruction = {
      keyword,
      written: keyword,
      flags,
      rest,
      heredocs: [],
      line,
      endLine: line,
      source: source.join(' '),
      comments: [],
    }
    return { instruction, meaning }
  }
}
