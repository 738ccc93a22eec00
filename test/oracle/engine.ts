import type { ByteString } from '../../src/model/bytes.ts'
import type { Answer, System, Tree } from './answers.ts'
import {
  type Disagreement,
  type HandleFacts,
  hazards,
  improvements,
  type RenamesSeen,
  refusals,
  type Where,
} from './improvements.ts'
import type { Layer } from './layers.ts'
import { leeways } from './leeways.ts'
import { kindOf, type Operation } from './operations.ts'
import type { Turns } from './turns.ts'

/** One sequence: what lies below, and what is done. This is what a failure is written down as. */
export interface Sequence {
  /** The directory of the batch that it happens in; `''`: the root. */
  readonly directory: ByteString
  readonly umask: number
  readonly layers: readonly Layer[]
  readonly operations: readonly Operation[]
}

export interface Difference {
  readonly system: string
  readonly sequence: number
  /** The operation's number, or what was compared after the last one. */
  readonly at: number | 'tree' | 'tree after opening again'
  readonly what: string
  readonly expected: string
  readonly got: string
}

/** How often a kind of operation did something, was refused, or had no handle to go through. */
export interface Outcomes {
  done: number
  refused: number
  empty: number
}

/** What a run has seen so far. */
export class Tally {
  operations = 0
  readonly kinds = new Map<string, Outcomes>()
  readonly errors = new Map<string, number>()
  readonly forgiven = new Map<string, number>()

  count(operation: Operation, answer: Answer): void {
    this.operations++
    const kind = kindOf(operation)
    let outcomes = this.kinds.get(kind)
    if (outcomes === undefined) this.kinds.set(kind, (outcomes = { done: 0, refused: 0, empty: 0 }))
    if (answer === 'empty') outcomes.empty++
    else if (answer.length > 12 || !/^E[A-Z0-9]+$/.test(answer)) outcomes.done++
    else {
      outcomes.refused++
      this.errors.set(answer, (this.errors.get(answer) ?? 0) + 1)
    }
  }

  forgive(name: string): void {
    this.forgiven.set(name, (this.forgiven.get(name) ?? 0) + 1)
  }

  /** Adds what another run has seen. */
  add(other: Pick<Tally, 'operations' | 'kinds' | 'errors' | 'forgiven'>): void {
    this.operations += other.operations
    for (const [kind, { done, refused, empty }] of other.kinds) {
      const own = this.kinds.get(kind) ?? { done: 0, refused: 0, empty: 0 }
      this.kinds.set(kind, { done: own.done + done, refused: own.refused + refused, empty: own.empty + empty })
    }
    for (const [name, count] of other.errors) this.errors.set(name, (this.errors.get(name) ?? 0) + count)
    for (const [name, count] of other.forgiven) this.forgiven.set(name, (this.forgiven.get(name) ?? 0) + count)
  }
}

/** The plain model, which takes part in every comparison and knows every inode by a number of its own. */
export interface Reference extends System {
  /** Whether an operation asks what no file system answers for: where a directory's positions are, what a removed directory is. */
  isOut(operation: Operation): boolean
  /** What the handle is on that it goes through, if it goes through one. */
  handleOf(operation: Operation): HandleFacts | undefined
  /** The directories that a rename is about: what moves, with where it leaves and where it comes to. Before it happens. */
  moving(operation: Operation): readonly Moving[]
  /** What an operation shows the time of; `undefined`: nothing. */
  shown(operation: Operation): number | undefined
}

/** Numbers of the model. */
export interface Moving {
  readonly directory: number
  readonly from: number
  readonly to: number
}

/** The systems of one batch: `systems[0]` is the oracle, `model` says which inode is which. */
export class Bench {
  readonly #systems: readonly System[]
  readonly #model: Reference
  readonly #where: Where
  readonly #turns: Turns | undefined
  /** Numbers of the model. */
  readonly #seen = { refused: new Set<number>(), moved: new Set<number>(), missed: new Set<number>() }
  readonly #tally: Tally
  /** By system: the number that goes with a number of the model. */
  readonly #numbers: ReadonlyMap<System, Map<number, number>>
  #within: Pick<Sequence, 'directory' | 'umask'> = { directory: '', umask: 0 }
  difference: Difference | undefined

  constructor(systems: readonly System[], model: Reference, where: Where, tally: Tally, turns?: Turns) {
    this.#turns = turns
    this.#where = where
    this.#systems = systems
    this.#model = model
    this.#tally = tally
    this.#numbers = new Map(systems.map((system) => [system, new Map()]))
  }

  enter({ directory, umask }: Pick<Sequence, 'directory' | 'umask'>): void {
    this.#within = { directory, umask }
    for (const system of this.#systems) system.enter(directory, umask)
  }

  /** One operation on all systems; `false` when they differ. */
  step(sequence: number, at: number, operation: Operation): boolean {
    if (operation.do === 'reopen') {
      this.#tally.count(operation, 'ok')
      this.reopen()
      this.enter(this.#within)
      return true
    }
    if (this.#model.isOut(operation)) return true
    const [oracle, ...others] = this.#systems
    const handle = this.#model.handleOf(operation)
    const hazard = hazards.find(({ avoids }) => avoids(operation, handle, this.#where))
    if (hazard !== undefined) {
      this.#tally.forgive(hazard.name)
      return true
    }
    const moving = this.#model.moving(operation)
    const expected = oracle!.run(operation)
    this.#tally.count(operation, expected)
    for (const { directory, from, to } of moving) {
      if (expected === 'ENOTEMPTY') this.#seen.refused.add(from)
      if (expected === 'EXDEV') this.#seen.missed.add(to)
      if (expected === 'ok' && from !== to) this.#seen.moved.add(directory)
    }
    for (const refusal of refusals) {
      if (!refusal.skips(operation, expected, handle?.links === 0)) continue
      this.#tally.forgive(refusal.name)
      for (const system of others) {
        const got = refusal.alsoOf?.includes(system.name) ? system.run(operation) : expected
        if (got !== expected) this.difference ??= { system: system.name, sequence, at, what: 'answer', expected, got }
      }
      return this.difference === undefined
    }
    const renames = this.#renamesOf(this.#model.shown(operation))
    const unlinked = handle?.links === 0
    for (const system of others) {
      const got = system.run(operation)
      if (got !== expected && !this.#forgiven({ operation, expected, got, unlinked, ...this.#where, renames })) {
        this.difference ??= { system: system.name, sequence, at, what: 'answer', expected, got }
      }
    }
    const { seen } = this.#model
    if (seen !== 0) for (const system of others) this.#identify(system, seen, system.seen, { sequence, at })
    return this.difference === undefined
  }

  leave(): void {
    for (const system of this.#systems) system.leave()
  }

  compare(sequence: number, directory: ByteString, at: 'tree' | 'tree after opening again'): boolean {
    const [oracle, ...others] = this.#systems
    const expected = oracle!.tree(directory)
    const model = this.#model.tree(directory)
    for (const system of this.#systems) {
      const tree = system === oracle ? expected : system === this.#model ? model : system.tree(directory)
      if (others.includes(system)) this.#compareTrees(system.name, expected, tree, model, { sequence, at })
      if (system !== oracle) this.#compareNumbers(system, model, tree, sequence, at)
    }
    return this.difference === undefined
  }

  reopen(): void {
    for (const system of this.#systems) system.suspend()
    if (this.#turns !== undefined) {
      this.#turns.change()
      // What one made the other numbers anew.
      for (const numbers of this.#numbers.values()) numbers.clear()
    }
    for (const system of this.#systems) system.resume()
  }

  close(): void {
    for (const system of this.#systems) system.close()
  }

  #compareTrees(
    system: string,
    expected: Tree,
    got: Tree,
    model: Tree,
    where: Pick<Difference, 'sequence' | 'at'>,
  ): void {
    for (const path of new Set([...expected.keys(), ...got.keys()])) {
      const [a, b] = [expected.get(path)?.text ?? 'nothing', got.get(path)?.text ?? 'nothing']
      if (a === b) continue
      const renames = this.#renamesOf(model.get(path)?.ino)
      if (this.#forgiven({ expected: a, got: b, unlinked: false, ...this.#where, renames })) continue
      this.difference ??= { system, ...where, what: `path ${JSON.stringify(path)}`, expected: a, got: b }
    }
  }

  #renamesOf(ino: number | undefined): RenamesSeen {
    const { refused, moved, missed } = this.#seen
    const among = (set: ReadonlySet<number>) => ino !== undefined && set.has(ino)
    return { refused: among(refused), moved: among(moved), missed: among(missed) }
  }

  #compareNumbers(system: System, model: Tree, tree: Tree, sequence: number, at: Difference['at']): void {
    const owners = new Map<number, number>()
    for (const [path, { ino }] of model) {
      const got = tree.get(path)?.ino ?? 0
      if (got === 0) continue
      this.#identify(system, ino, got, { sequence, at })
      const owner = owners.get(got)
      owners.set(got, ino)
      if (owner === undefined || owner === ino) continue
      const what = `inode number of ${JSON.stringify(path)}`
      this.difference ??= { system: system.name, sequence, at, what, expected: 'one of its own', got: String(got) }
    }
  }

  #identify(system: System, model: number, got: number, where: Pick<Difference, 'sequence' | 'at'>): void {
    const numbers = this.#numbers.get(system)!
    const known = numbers.get(model)
    if (known === undefined) numbers.set(model, got)
    else if (known !== got) {
      const what = 'inode number'
      this.difference ??= { system: system.name, ...where, what, expected: String(known), got: String(got) }
    }
  }

  #forgiven(disagreement: Disagreement): boolean {
    const used: string[] = []
    let { expected } = disagreement
    for (const table of [improvements, leeways]) {
      for (const entry of table) {
        if ('disk' in entry && entry.disk !== 'any' && entry.disk !== disagreement.disk) continue
        const explained = entry.explains({ ...disagreement, expected })
        if (explained === expected) continue
        expected = explained
        used.push(entry.name)
      }
    }
    if (expected !== disagreement.got) return false
    for (const name of used) this.#tally.forgive(name)
    return true
  }
}
