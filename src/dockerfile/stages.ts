import { badDockerfile, meant } from './failure.ts'
import { parseStep } from './parse-step.ts'
import { type Directives, type ReadDockerfile, readDockerfile } from './read.ts'
import type { Meaning, Step } from './step.ts'

/** A stage: FROM and what follows it. */
export interface Stage {
  /** From 0. */
  readonly number: number
  /** In lower case; absent for one that has no name. */
  readonly name?: string
  readonly from: Step & { readonly meaning: Extract<Meaning, { readonly is: 'from' }> }
  readonly steps: readonly Step[]
}

/** A Dockerfile that could be read: what it says, with no variable put in. */
export interface Dockerfile {
  /** As its user calls it. */
  readonly file: string
  readonly directives: Directives
  /** What stands in front of the first FROM. */
  readonly globals: readonly (Step & { readonly meaning: Extract<Meaning, { readonly is: 'arg' }> })[]
  readonly stages: readonly Stage[]
  readonly read: ReadDockerfile
}

/**
 * A Dockerfile as BuildKit's frontend reads it (docs.docker.com/reference/dockerfile).
 *
 * @param file how its user calls it, for messages
 * @throws PLY_BAD_DOCKERFILE
 */
export function parseDockerfile(text: string, file = 'Dockerfile'): Dockerfile {
  const read = readDockerfile(text, file)
  const { directives, instructions } = read
  const globals: Dockerfile['globals'][number][] = []
  const stages: { number: number; name?: string; from: Stage['from']; steps: Step[] }[] = []
  for (const instruction of instructions) {
    const step = parseStep(instruction, { file, escapeToken: directives.escapeToken })
    const { meaning } = step
    if (meaning.is === 'from') {
      const name = meaning.as
      const from = step as Stage['from']
      stages.push({ number: stages.length, ...(name !== undefined && { name }), from, steps: [] })
    } else if (stages.length > 0) stages.at(-1)!.steps.push(step)
    else if (meaning.is === 'arg') globals.push(step as Dockerfile['globals'][number])
    else
      throw badDockerfile(
        { file, line: instruction.line },
        `${instruction.keyword} stands in front of the first FROM, where only ARG may`,
      )
  }
  if (stages.length === 0)
    throw badDockerfile({ file, line: 1 }, 'there is no FROM: a build begins with an image, or with FROM scratch')
  return { file, directives, globals, stages, read }
}

/**
 * The stage that a name or a number means; of several with one name the last before `before`.
 */
export function stageNamed(stages: readonly Stage[], name: string, before = stages.length): Stage | undefined {
  const wanted = name.toLowerCase()
  const named = stages.slice(0, before).findLast((stage) => stage.name === wanted)
  if (named !== undefined) return named
  return /^\d{1,6}$/.test(name) && Number(name) < before ? stages[Number(name)] : undefined
}

/** The stage that is to be built: the last one where nothing is said. @throws PLY_BAD_DOCKERFILE */
export function targetOf({ stages, file }: Dockerfile, target?: string): Stage {
  if (target === undefined) return stages.at(-1)!
  const stage = stageNamed(stages, target)
  if (stage !== undefined) return stage
  const names = stages.flatMap(({ name }) => name ?? [])
  throw badDockerfile(
    { file, line: stages[0]!.from.instruction.line },
    `there is no stage ${target}${meant(target, names)}`,
  )
}

/** What ONBUILD has left in an image, as the step that it is now. @throws PLY_BAD_DOCKERFILE */
export function parseTrigger(text: string, { file }: Pick<Dockerfile, 'file'>): Step {
  const { stages } = parseDockerfile(`FROM scratch\n${text}`, `${file}: what ONBUILD says in the image below`)
  return stages[0]!.steps[0]!
}
