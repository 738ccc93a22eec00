import type { Phase } from './library.ts'

/** A line of the log as JSON: one object, whatever it is about. */
export function logLine(level: 'error' | 'info' | 'debug', facts: Readonly<Record<string, unknown>>): string {
  return `${JSON.stringify({ level, time: new Date().toISOString(), ...facts })}\n`
}

/** A phase as people read it: `debug: fold sha256:… took 12.3 ms`. */
export function phaseLine({ phase, what, milliseconds, ended }: Phase): string {
  return `debug: ${phase} ${what} ${ended ? 'took' : 'failed after'} ${milliseconds.toFixed(1)} ms\n`
}

/** What a flag says that may stand anywhere before `--`, for those who have no parsed command line; else what the environment says. */
export function logChoice(
  name: 'log-level' | 'log-format',
  argv: readonly string[],
  environment: NodeJS.ProcessEnv,
): string | undefined {
  const dashes = argv.indexOf('--')
  const words = dashes < 0 ? argv : argv.slice(0, dashes)
  const at = words.lastIndexOf(`--${name}`)
  const joined = words.findLast((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3)
  return (
    joined ?? (at >= 0 ? words[at + 1] : undefined) ?? environment[name === 'log-level' ? 'PLY_LOG' : 'PLY_LOG_FORMAT']
  )
}
