import { globalScope, platformArguments } from './globals.ts'
import {
  experimentalRules,
  type Finding,
  type LintOptions,
  type LintRule,
  lintRules,
  type Report,
} from './lint-finding.ts'
import { lintFrom } from './lint-from.ts'
import { lintInstructions, lintSecret } from './lint-instructions.ts'
import { lintStage, StageVariables } from './lint-stage.ts'
import { checksOf, type Directives } from './read.ts'
import { type Dockerfile, stageNamed } from './stages.ts'
import { expandWord } from './words.ts'

/** What a file says of its checks, unless `check` says something else. @throws PLY_BAD_DOCKERFILE */
export function checksFor(
  { directives, file }: Dockerfile,
  check?: string,
): Pick<Directives, 'skippedChecks' | 'experimentalChecks' | 'checksFail'> {
  return check === undefined ? directives : checksOf(check, { file, line: 1 })
}

/**
 * What a Dockerfile says that works, and hardly as it is meant: the checks of BuildKit by its names, in the order of the lines. What no
 * build would take is none of them: reading the file has thrown that already, or building it will.
 *
 * @throws PLY_BAD_DOCKERFILE for a `check` that is none
 */
export function lint(dockerfile: Dockerfile, options: LintOptions = {}): readonly Finding[] {
  const { skippedChecks, experimentalChecks } = checksFor(dockerfile, options.check)
  const skipped = new Set(skippedChecks)
  const asked = new Set(experimentalChecks)
  const names = (set: ReadonlySet<string>, rule: LintRule) => set.has('all') || set.has(rule.toLowerCase())
  const found: Finding[] = []
  const report: Report = (rule, line, text) => {
    if (names(skipped, rule) || (experimentalRules.has(rule) && !names(asked, rule))) return
    if (!found.some((one) => one.rule === rule && one.line === line && one.text === text))
      found.push({ rule, line, text })
  }
  for (const line of dockerfile.read.emptyContinuations)
    report(
      'NoEmptyContinuation',
      line,
      'an empty line is in front of this one, in the middle of an instruction: take it out',
    )
  lintInstructions(dockerfile, report)
  lintStages(dockerfile, options, report)
  const order = new Map(lintRules.map((rule, at) => [rule, at]))
  return found.sort((a, b) => a.line - b.line || order.get(a.rule)! - order.get(b.rule)!)
}

function lintStages(dockerfile: Dockerfile, options: LintOptions, report: Report): void {
  const { args = new Map(), platform = anyPlatform, bases } = options
  for (const step of dockerfile.globals)
    for (const { name } of step.meaning.args) lintSecret('ARG', name, step.instruction.line, report)
  const globals = scopeOf(dockerfile, args, platform)
  lintFrom(dockerfile, { globals, defaults: scopeOf(dockerfile, new Map(), platform), bases }, report)
  const { escapeToken } = dockerfile.directives
  const lasts: StageVariables[] = []
  for (const stage of dockerfile.stages) {
    const earlier = stageNamed(dockerfile.stages, imageOf(stage.from.meaning.image, globals, escapeToken), stage.number)
    const base = bases?.get(stage.number)
    const variables = new StageVariables({
      escape: escapeToken,
      args,
      globals: globals ?? new Map(),
      below: earlier === undefined ? undefined : lasts[earlier.number],
      base: base ?? (stage.from.meaning.image === 'scratch' ? onNothing : undefined),
    })
    lintStage(stage, variables, { isIgnored: options.isIgnored }, report)
    lasts.push(variables)
  }
}

const onNothing = { environment: ['PATH='], shell: false }
const anyPlatform = platformArguments({ os: 'linux', architecture: 'amd64' }, { os: 'linux', architecture: 'amd64' })

function imageOf(text: string, globals: ReadonlyMap<string, string> | undefined, escapeToken: string): string {
  try {
    return expandWord(text, (name) => globals?.get(name), { escape: escapeToken })
  } catch {
    // A build says what is wrong with it, and names the line.
    return text
  }
}

/** `undefined` where a default cannot be read: the build fails for that. */
function scopeOf(
  dockerfile: Dockerfile,
  args: ReadonlyMap<string, string>,
  platform: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> | undefined {
  try {
    return globalScope(dockerfile, args, platform)
  } catch {
    return undefined
  }
}
