import { execFileSync } from 'node:child_process'
import { mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { codeOf } from '../../src/model/errors.ts'
import { type Lower, makeLower } from '../overlay/lower.ts'
import { bundled } from './bundled.ts'
import { byPath } from './by-path.ts'
import type { Order, Outcome } from './child.ts'
import { type Form, makePlace, openUnion, type Place } from './forms.ts'
import { inKernel } from './in-kernel.ts'
import { litterIn, rawNames } from './litter.ts'
import { MountedLower } from './overlay-mount.ts'
import type { Scenario } from './scenarios.ts'
import { differences, type State, stateOf, stateOfDirectory, told } from './state.ts'
import { type Call, type Injection, traced } from './strace.ts'
import { type Period, verdictOn } from './verdict.ts'

/** A scenario in a form: the states before and after, and the calls between them. */
export interface Course {
  readonly form: Form
  readonly scenario: Scenario
  readonly old: State
  readonly next: State
  /** Names on the disk before and after, with their kinds. */
  readonly names: ReadonlySet<string>
  readonly calls: readonly Call[]
  readonly before: ReadonlyMap<string, number>
}

/** What came of one point. */
export interface Result {
  readonly shows: 'old' | 'new' | 'neither'
  /** What should not be so. */
  readonly wrong: readonly string[]
  readonly between: readonly string[]
}

/** A process that was started at another moment may make another number of calls before ours begin. */
const aims = 5
/** An upper that the kernel shows as we do: hardlink groups whole, directories moved. */
const kernelOptions = ',index=on,redirect_dir=on'

/** Crashes of real processes, one system call after the other. */
export class Crashes implements Disposable {
  readonly #folder: string
  readonly #lower: Lower
  readonly #program: string
  readonly #kernel: MountedLower | undefined
  /** Why the kernel is not asked what it shows; `undefined` if it is. */
  readonly whyNoKernel: string | undefined
  #places = 0

  private constructor(folder: string, lower: Lower, program: string) {
    this.#folder = folder
    this.#lower = lower
    this.#program = program
    try {
      this.#kernel = new MountedLower(lower, folder)
    } catch (error) {
      this.whyNoKernel = String(error)
    }
  }

  static async prepare(): Promise<Crashes> {
    const folder = mkdtempSync(join(tmpdir(), 'plyfs-crash-'))
    const holes = Buffer.concat([
      Buffer.alloc(5000, 'a'),
      Buffer.alloc(300_000),
      Buffer.alloc(3000, 'b'),
      Buffer.alloc(9000),
    ])
    const more = new Map([
      ['srv/holes', holes],
      ['srv/a/b/c/deep', Buffer.from('deep\n')],
    ])
    const lower = await makeLower(join(folder, 'lower'), more)
    // With holes where it has zeros, as what is copied from it will have them.
    execFileSync('cp', ['--sparse=always', lower.tar, `${lower.tar}.sparse`])
    renameSync(`${lower.tar}.sparse`, lower.tar)
    return new Crashes(folder, lower, await bundled('test/crash/child.ts', folder))
  }

  [Symbol.dispose](): void {
    this.#kernel?.[Symbol.dispose]()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** The states and calls of a scenario without any crash; why there are none, if the form refuses it. */
  course(form: Form, scenario: Scenario): Course | string {
    const place = this.#furnished(form, scenario)
    if (typeof place === 'string') return place
    // Read only: what opening does is part of it.
    const old = seen(place, true)
    const named = rawNames(join(place.at, 'upper'))
    const order: Order = { place, scenario: scenario.name, looks: false }
    const { calls, before, end, stdout, stderr } = traced([this.#program, JSON.stringify(order)], this.#traces(place))
    if (end !== '0') throw new Error(`${form}: ${scenario.name}: ${end}: ${stderr}`)
    const { code } = JSON.parse(stdout) as Outcome
    const next = seen(place)
    const names = new Set([...named, ...rawNames(join(place.at, 'upper'))])
    rmSync(place.at, { recursive: true })
    if (code !== undefined && code !== 'ENOTSUP') throw new Error(`${form}: ${scenario.name}: ${code}`)
    return code ?? { form, scenario, old, next, names, calls, before }
  }

  /** Makes one call of a course fail or be the last, and looks at what is left. */
  point(course: Course, number: number, injection: Injection): Result {
    const { form, scenario } = course
    const call = course.calls[number]!
    let count = call.count
    for (let aim = 0; aim < aims; aim++) {
      const place = this.#furnished(form, scenario) as Place
      // To look at it opens files, which are counted too.
      const looks = injection !== 'kill' && call.after !== 'closing'
      const order: Order = { place, scenario: scenario.name, looks }
      const from = BigInt(Date.now() - 20) * 1_000_000n
      const run = traced([this.#program, JSON.stringify(order)], {
        ...this.#traces(place),
        inject: [{ ...call, count }, injection],
      })
      const period = { from, to: BigInt(Date.now() + 20) * 1_000_000n }
      try {
        count = call.count - (course.before.get(call.name) ?? 0) + (run.before.get(call.name) ?? 0)
        if (run.hit !== number) continue
        if (injection === 'kill') return this.#crashed(course, place, period, number % 2 === 1)
        if (run.end !== '0') return { shows: 'neither', wrong: [`it died: ${run.end}: ${run.stderr}`], between: [] }
        return this.#failed(course, {
          place,
          period,
          call,
          code: injection,
          outcome: JSON.parse(run.stdout) as Outcome,
        })
      } finally {
        rmSync(place.at, { recursive: true, force: true })
      }
    }
    return { shows: 'neither', wrong: [`the call was not met in ${aims} runs`], between: [] }
  }

  /** `kernelFirst`: before anybody opens what the process left, and removes its litter, the kernel does. */
  #crashed(course: Course, place: Place, period: Period, kernelFirst: boolean): Result {
    const { old, next, names, form, scenario } = course
    const wrong: string[] = []
    // Of an upper whose root nobody has described a mount shows that of the directory (docs/upper-format.md).
    const apartInKernel = (shown: State, ours: State): string[] =>
      inKernel(scenario.isFirst ? { ...shown, '': ours['']! } : shown, ours, { form, except: [] })
    const early = kernelFirst ? this.#byKernel(form, place) : undefined
    let found: State
    try {
      found = seen(place)
    } catch (error) {
      return { shows: 'neither', wrong: [`it cannot be opened: ${String((error as Error).stack)}`], between: [] }
    }
    const { is, between, differences: apart } = verdictOn(found, old, next, period)
    if (is === 'neither') wrong.push('a mixture', ...apart)
    if (early)
      wrong.push(...apartInKernel(early, found).map((each) => `before the next opening the kernel shows: ${each}`))
    wrong.push(...litterIn(place, names).map((each) => `litter: ${each}`))
    const late = this.#byKernel(form, place)
    if (late) wrong.push(...apartInKernel(late, found).map((each) => `the kernel shows: ${each}`))
    wrong.push(...differences(seen(place), found).map((each) => `opened again: ${told(each)}`))
    return { shows: is, wrong, between }
  }

  #failed(
    course: Course,
    failure: { place: Place; period: Period; call: Call; code: Injection; outcome: Outcome },
  ): Result {
    const { place, period, call, code, outcome } = failure
    const { old, next, names, form, scenario } = course
    const wrong: string[] = []
    const { live, fresh, again } = outcome
    // Where nothing is to be seen of a change, either will do.
    const wanted = outcome.code === undefined ? 'new' : 'old'
    const state = wanted === 'old' ? old : next
    const shown = live && verdictOn(live, old, next, period)
    const asWanted = live && verdictOn(live, state, state, period)
    const happened = scenario.isSeveral === true && shown?.is === 'new'
    if (asWanted?.is === 'neither' && !happened)
      wrong.push(`${outcome.code ?? 'no error'}, but it shows ${shown?.is}`, ...asWanted.differences)
    // When a recursive mkdir fails, Node answers what it finds when it asks what is there.
    const codes = call.name.startsWith('mkdir') ? [code, 'ENOENT'] : [code]
    for (const each of [outcome.opening, outcome.code, outcome.closing])
      if (each !== undefined && !codes.includes(each)) wrong.push(`the error is ${each}`)
    if (live && fresh) wrong.push(...differences(fresh, live).map((each) => `opened beside it: ${told(each)}`))
    const worked = outcome.code === undefined || again === undefined
    // Whoever failed to sync does not know what is on the disk, and says so from then on (docs/upper-format.md).
    const broken = form === 'portable' && call.name.endsWith('sync')
    if (!worked && !broken && call.after !== 'closing') wrong.push(`once more: ${again}`)
    const last = worked ? next : old
    const left = verdictOn(seen(place), last, last, { ...period, isTwice: outcome.code !== undefined })
    wrong.push(...left.differences.map((each) => `opened again: ${each}`))
    wrong.push(...litterIn(place, names).map((each) => `litter: ${each}`))
    return { shows: wanted, wrong, between: asWanted?.between ?? [] }
  }

  #furnished(form: Form, scenario: Scenario): Place | string {
    const { index, tar, chainId } = this.#lower
    const place: Place = { form, at: join(this.#folder, `at-${this.#places++}`), lower: { index, tar, chainId } }
    makePlace(place)
    if (scenario.isFirst) return place
    const view = openUnion(place)
    try {
      // The kernel shows the attributes of the upper's root: it gets those that the lower one has.
      const { mode, uid, gid, mtime } = view.stat(view.root)
      view.setAttributes(view.root, { mode, uid, gid, mtime })
      scenario.before?.(byPath(view))
      return place
    } catch (error) {
      // What this form cannot store is no scenario of it.
      if (codeOf(error) === 'ENOTSUP') return 'ENOTSUP'
      throw error
    } finally {
      view.close()
      scenario.left?.(place)
    }
  }

  #byKernel(form: Form, { at }: Place): State | undefined {
    if (form !== 'trusted') return undefined
    const directories = { upperDir: join(at, 'upper'), workDir: join(at, 'work') }
    return this.#kernel?.with(directories, kernelOptions, stateOfDirectory)
  }

  #traces({ at }: Place) {
    return { at, log: join(this.#folder, 'trace') }
  }
}

/** What a new process sees. */
function seen(place: Place, readOnly = false): State {
  const view = openUnion(place, readOnly)
  try {
    return stateOf(view)
  } finally {
    view.close()
  }
}
