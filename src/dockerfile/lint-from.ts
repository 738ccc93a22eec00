import { meant } from './failure.ts'
import type { LintBase, Report } from './lint-finding.ts'
import type { Dockerfile, Stage } from './stages.ts'
import { expandWord } from './words.ts'

export interface FromSurroundings {
  /** What is in front of the first FROM, with what the user gave; `undefined` where it cannot be read. */
  readonly globals: ReadonlyMap<string, string> | undefined
  /** The same with nothing given. */
  readonly defaults: ReadonlyMap<string, string> | undefined
  readonly bases: ReadonlyMap<number, LintBase> | undefined
}

const reserved = new Set(['scratch', 'context'])

/** What can be said of a FROM. */
export function lintFrom(dockerfile: Dockerfile, around: FromSurroundings, report: Report): void {
  const names = new Set<string>()
  for (const stage of dockerfile.stages) {
    lintName(stage, names, report)
    lintPlatform(stage, around.bases?.get(stage.number), report)
    lintArguments(stage, dockerfile, around, report)
  }
}

function lintName({ name, from }: Stage, names: Set<string>, report: Report): void {
  const { line, rest, written: keyword } = from.instruction
  const [, as = '', written = ''] = rest.split(/\s+/)
  if (name === undefined) return
  if (written !== name) report('StageNameCasing', line, `the stage ${written} should be in lower case: ${name}`)
  const isLower = keyword === keyword.toLowerCase()
  if (as !== (isLower ? 'as' : 'AS'))
    report('FromAsCasing', line, `${keyword} and ${as} are written differently: write ${isLower ? 'as' : 'AS'}`)
  if (reserved.has(name))
    report('ReservedStageName', line, `a stage should not be called ${name}: the word means something`)
  if (names.has(name)) report('DuplicateStageName', line, `two stages are called ${name}`)
  names.add(name)
}

function lintPlatform({ name, from }: Stage, base: LintBase | undefined, report: Report): void {
  const { line } = from.instruction
  const { platform } = from.meaning
  if (platform !== undefined && /^\$(?:TARGETPLATFORM|\{TARGETPLATFORM\})$/.test(platform))
    report('RedundantTargetPlatform', line, `--platform=${platform} says what is so without it: take it out`)
  // A stage that has the platform in its name says that it is meant for that one alone.
  const isMeant = platform?.split('/').some((part) => name?.includes(part.toLowerCase()) === true) === true
  if (platform !== undefined && !platform.includes('$') && !isMeant)
    report(
      'FromPlatformFlagConstDisallowed',
      line,
      `--platform=${platform} is always the same: take it out, or use a variable such as $BUILDPLATFORM`,
    )
  if (base !== undefined && base.platform !== base.wanted && !base.platform.startsWith(`${base.wanted}/`))
    report(
      'InvalidBaseImagePlatform',
      line,
      `${from.meaning.image} is for ${base.platform}, and ${base.wanted} is wanted`,
    )
}

function lintArguments({ from }: Stage, dockerfile: Dockerfile, around: FromSurroundings, report: Report): void {
  const { globals, defaults } = around
  const { line } = from.instruction
  const { image, platform = '' } = from.meaning
  const reading = { escape: dockerfile.directives.escapeToken }
  if (globals === undefined || defaults === undefined) return
  const declared = new Set([
    ...globals.keys(),
    ...dockerfile.globals.flatMap(({ meaning }) => meaning.args.map(({ name }) => name)),
  ])
  const onUnset = (name: string) => {
    if (!declared.has(name))
      report('UndefinedArgInFrom', line, `no ARG in front of the first FROM names ${name}${meant(name, declared)}`)
  }
  try {
    for (const text of [image, platform]) expandWord(text, (name) => globals.get(name), { ...reading, onUnset })
    if (!image.includes('$')) return
    const usual = expandWord(image, (name) => defaults.get(name), reading)
    if (!looksLikeImage(usual))
      report(
        'InvalidDefaultArgInFrom',
        line,
        `without arguments ${image} is ${usual === '' ? 'nothing' : usual}, and no image: give its ARG a default`,
      )
  } catch {
    // A build says what is wrong with it, and names the line.
  }
}

/** `[HOST[:PORT]/]NAME[:TAG][@DIGEST]`, a stage, or a number. */
function looksLikeImage(text: string): boolean {
  return /^(?:[a-z0-9.-]+(?::\d+)?\/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::\w[\w.-]{0,127})?(?:@[a-z0-9+.-]+:[0-9a-f]{32,})?$/i.test(
    text,
  )
}
