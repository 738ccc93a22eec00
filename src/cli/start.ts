import { constants } from 'node:os'
import { isatty } from 'node:tty'
import { main, type PackageFacts } from './main.ts'
import { heardElsewhere } from './output.ts'

const endings = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Runs the command line of this process. The first of the signals that ask it to end (Ctrl-C, `kill`, a terminal that is closed) has the
 * running call stop and clean up; the second ends the process as it stands.
 */
export async function start(facts: PackageFacts): Promise<void> {
  // A shell waits for it at every Tab: no more is loaded than the answer takes.
  if (process.argv[2] === '__complete') {
    const { completions } = await import('./completing.ts')
    process.stdout.write(await completions(process.argv.slice(3), process.env))
    return
  }
  const controller = new AbortController()
  const stop = (signal: NodeJS.Signals) => {
    if (controller.signal.aborted) process.exit(128 + constants.signals[signal])
    controller.abort(signal)
  }
  for (const signal of endings) process.on(signal, stop)
  process.stdout.on('error', heardElsewhere)
  process.stderr.on('error', heardElsewhere)
  const exitCode = await main(
    process.argv.slice(2),
    {
      get stdin() {
        return process.stdin
      },
      get stdinIsTerminal() {
        return isatty(0)
      },
      stdout: process.stdout,
      stderr: process.stderr,
      columns: process.stdout.columns,
      environment: process.env,
      signal: controller.signal,
      releaseSignals() {
        for (const signal of endings) process.off(signal, stop)
      },
    },
    facts,
  )
  await Promise.all([written(process.stdout), written(process.stderr)])
  // A command that was stopped may have left stdin open, which would keep the process waiting for its end.
  process.exit(exitCode)
}

/** Resolves when the system has all that was written, or nobody is there to read it. */
function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableLength === 0) resolve()
    else stream.write('', () => resolve())
  })
}
