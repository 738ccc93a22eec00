import { execFileSync, spawnSync } from 'node:child_process'

/** A terminal of some size in which a command runs: tmux, a server of its own. */
export class TmuxScreen implements Disposable {
  readonly #server: string
  #closed = false

  constructor(
    server: string,
    command: string,
    {
      columns,
      rows,
      environment = {},
    }: { readonly columns: number; readonly rows: number; readonly environment?: Readonly<Record<string, string>> },
  ) {
    this.#server = server
    const size = ['-x', String(columns), '-y', String(rows)]
    // The shell tells when the command has ended, and what it left of the terminal.
    const line = `${command}; echo "ended $?"; stty -a | grep -o -- '-\\?icanon'; sleep 1000`
    execFileSync(
      'tmux',
      ['-L', server, '-f', '/dev/null', 'new-session', '-d', '-s', 'it', ...size, 'bash', '--norc', '-c', line],
      {
        env: { ...process.env, LANG: 'C.UTF-8', ...environment },
      },
    )
  }

  #tmux(...args: string[]): string {
    return execFileSync('tmux', ['-L', this.#server, ...args], { encoding: 'utf8' })
  }

  /** Keys by tmux's names: `Tab`, `C-a`, `Down`. */
  press(...keys: string[]): void {
    this.#tmux('send-keys', '-t', 'it', ...keys)
  }

  type(text: string): void {
    this.#tmux('send-keys', '-t', 'it', '-l', text)
  }

  resize(columns: number, rows: number): void {
    this.#tmux('resize-window', '-t', 'it', '-x', String(columns), '-y', String(rows))
  }

  /** What is on the screen; with `escapes` colours and all. */
  read({ escapes = false } = {}): string {
    return this.#tmux('capture-pane', '-p', '-t', 'it', ...(escapes ? ['-e'] : []))
  }

  /** The command's own process, or that of what it runs in. */
  get pid(): number {
    return Number(this.#tmux('display-message', '-p', '-t', 'it', '#{pane_pid}'))
  }

  /** Waits until the screen says something. @throws with the screen, if it does not within ten seconds */
  async until(says: RegExp | ((text: string) => boolean)): Promise<string> {
    for (const end = Date.now() + 10_000; ; ) {
      const text = this.read()
      if (says instanceof RegExp ? says.test(text) : says(text)) return text
      if (Date.now() > end) throw new Error(`waited for ${says}, and the screen says:\n${text}`)
      await new Promise((resolve) => setTimeout(resolve, 30))
    }
  }

  [Symbol.dispose](): void {
    if (this.#closed) return
    this.#closed = true
    spawnSync('tmux', ['-L', this.#server, 'kill-server'])
  }
}
