import type { Report } from './lint-finding.ts'
import type { Dockerfile } from './stages.ts'
import type { Step } from './step.ts'

/** Words that make the name of a variable one of a secret: alone, or between underscores. */
const secret = /(?:^|_)(?:apikey|auth|credentials?|key|password|passwd|pword|secret|token)(?:_|$)/i
const open = /(?:^|_)public(?:_|$)/i

/** What can be said of an instruction by itself. */
export function lintInstructions(dockerfile: Dockerfile, report: Report): void {
  const { instructions } = dockerfile.read
  const lower = instructions.filter(({ written }) => written === written.toLowerCase()).length
  const upper = instructions.filter(({ written }) => written === written.toUpperCase()).length
  const usual = (word: string) => (lower > upper ? word.toLowerCase() : word.toUpperCase())
  for (const { written, line } of instructions) {
    if (written !== usual(written))
      report(
        'ConsistentInstructionCasing',
        line,
        `${written} is written differently from most of the file: ${usual(written)}`,
      )
  }
  const steps: readonly Step[] = [
    ...dockerfile.globals,
    ...dockerfile.stages.flatMap(({ from, steps: of }) => [from, ...of]),
  ]
  for (const step of steps) lintAlone(step, report)
}

function lintAlone(step: Step, report: Report): void {
  const { instruction, meaning } = step
  const { line, keyword } = instruction
  switch (meaning.is) {
    case 'maintainer':
      report(
        'MaintainerDeprecated',
        line,
        'MAINTAINER is out of use: LABEL org.opencontainers.image.authors="…" says it',
      )
      return
    case 'env':
    case 'label':
      if (meaning.spaced)
        report('LegacyKeyValueFormat', line, `write ${keyword} ${meaning.pairs[0]!.name}=…, with = and no space`)
      return
    case 'arg':
      if (meaning.args.length === 1) lintDescription(step, meaning.args[0]!.name, report)
      return
    case 'from':
      if (meaning.as !== undefined) lintDescription(step, meaning.as, report)
      return
    default:
  }
}

/** The comment right above an argument or a stage is what tools say of it: it begins with the name. */
function lintDescription({ instruction: { comments, line } }: Step, name: string, report: Report): void {
  const last = comments.at(-1)
  if (last === undefined || last === '' || /^(?:syntax|escape|check)\s*=/i.test(last)) return
  if (comments.some((comment) => comment.toLowerCase().startsWith(`${name.toLowerCase()} `))) return
  report(
    'InvalidDefinitionDescription',
    line,
    `a comment right above is taken for what describes ${name}: begin it with # ${name}, or leave a line empty`,
  )
}

/** An argument or a variable that has a secret in an image that everybody may read. */
export function lintSecret(keyword: 'ARG' | 'ENV', name: string, line: number, report: Report): void {
  if (secret.test(name) && !open.test(name))
    report(
      'SecretsUsedInArgOrEnv',
      line,
      `${keyword} ${name} looks like a secret, which would stay in the image: RUN --mount=type=secret gives one to a command alone`,
    )
}
