import type { Readable, Writable } from 'node:stream'

/** What surrounds a command: where it reads and writes. Tests bring their own. */
export interface World {
  readonly stdin: Readable
  readonly stdinIsTerminal: boolean
  readonly stdout: Writable
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number }
  /** Width of the terminal, where there is one. */
  readonly columns: number | undefined
  readonly environment: NodeJS.ProcessEnv
  /** Aborted by SIGINT, SIGTERM and SIGHUP, with the signal's name as the reason. */
  readonly signal: AbortSignal
  /** From here on signals are the command's own concern. */
  readonly releaseSignals?: () => void
}
