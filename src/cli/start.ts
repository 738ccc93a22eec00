import { main, type PackageFacts } from './main.ts'

/**
 * Runs the command line of this process. The first SIGINT or SIGTERM asks the running call to stop and clean up; the second
 * ends the process as it stands.
 */
export async function start(facts: PackageFacts): Promise<void> {
  const controller = new AbortController()
  const stop = (signal: 'SIGINT' | 'SIGTERM') => {
    if (controller.signal.aborted) process.exit(exitCodeOf(signal))
    controller.abort(signal)
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  process.stderr.on('error', () => {})
  process.exitCode = await main(
    process.argv.slice(2),
    {
      get stdin() {
        return process.stdin
      },
      stdinIsTerminal: process.stdin.isTTY === true,
      stdout: process.stdout,
      stderr: process.stderr,
      columns: process.stdout.columns,
      environment: process.env,
      signal: controller.signal,
    },
    facts,
  )
  process.off('SIGINT', stop)
  process.off('SIGTERM', stop)
}

function exitCodeOf(signal: 'SIGINT' | 'SIGTERM'): number {
  return signal === 'SIGINT' ? 130 : 143
}
