import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterFailure, afterKill, broken, type Result } from './aftermath.ts'
import { bundled } from './bundled.ts'
import type { Order, Outcome } from './child.ts'
import type { Form, Place } from './forms.ts'
import { Ground, seen } from './ground.ts'
import { rawNames } from './litter.ts'
import type { Scenario } from './scenarios.ts'
import type { State } from './state.ts'
import { type Call, type Injection, type Traced, traced } from './strace.ts'

/** A scenario in a form: the states before and after, and the calls between them. */
export interface Course {
  readonly form: Form
  readonly scenario: Scenario
  readonly old: State
  readonly next: State
  /** Names on the disk before and after, with their kinds. */
  readonly names: ReadonlySet<string>
  readonly calls: readonly Call[]
  /** How many calls of each name Node made before. */
  readonly before: ReadonlyMap<string, number>
}

/** A process that was started at another moment may make another number of calls before ours begin. */
const aims = 5

/** Crashes of real processes, one system call after the other. */
export class Crashes implements Disposable {
  readonly ground: Ground
  readonly #program: string

  private constructor(ground: Ground, program: string) {
    this.ground = ground
    this.#program = program
  }

  /** `on`: the directory that the uppers are made in. */
  static async prepare(on?: string): Promise<Crashes> {
    const ground = await Ground.prepare(on)
    return new Crashes(ground, await bundled('test/crash/child.ts', ground.folder))
  }

  [Symbol.dispose](): void {
    this.ground[Symbol.dispose]()
  }

  /** The states and calls of a scenario without any crash; why there are none, if the form refuses it. */
  course(form: Form, scenario: Scenario): Course | string {
    const place = this.ground.furnished(form, scenario)
    if (typeof place === 'string') return place
    // Read only: what opening does is part of it.
    const old = seen(place, true)
    const named = rawNames(join(place.at, 'upper'))
    const { calls, before, end, stdout, stderr } = this.#run(place, { scenario: scenario.name, looks: false })
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
    let { count } = call
    for (let aim = 0; aim < aims; aim++) {
      const place = this.ground.furnished(form, scenario) as Place
      // To look at it opens files, which are counted too.
      const looks = injection !== 'kill' && call.after !== 'closing'
      const from = now() - leeway
      const run = this.#run(place, { scenario: scenario.name, looks }, [{ ...call, count }, injection])
      const point = {
        course,
        call,
        place,
        period: { from, to: now() + leeway, isSeveral: scenario.isSeveral === true },
      }
      try {
        count = call.count - (course.before.get(call.name) ?? 0) + (run.before.get(call.name) ?? 0)
        if (run.hit !== number) continue
        if (injection === 'kill') return afterKill(this.ground, point, number % 2 === 1)
        if (run.end !== '0') return broken(`it died: ${run.end}: ${run.stderr}`)
        return afterFailure(point, injection, JSON.parse(run.stdout) as Outcome)
      } finally {
        rmSync(place.at, { recursive: true, force: true })
      }
    }
    return broken(`the call was not met in ${aims} runs`)
  }

  #run(place: Place, order: Omit<Order, 'place'>, inject?: readonly [Call, Injection]): Traced {
    const program = [this.#program, JSON.stringify({ place, ...order } satisfies Order)]
    return traced(program, { at: place.at, log: join(this.ground.folder, 'trace'), ...(inject && { inject }) })
  }
}

/** The clock that the disk takes its times from is read in steps. */
const leeway = 20_000_000n
const now = (): bigint => BigInt(Date.now()) * 1_000_000n
