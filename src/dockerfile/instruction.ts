/** What begins with `--` between a keyword and its arguments. */
export interface Flag {
  readonly name: string
  /** Absent for a flag without `=`. */
  readonly value?: string
}

/** A text that stands under an instruction: `<<NAME` up to a line `NAME`. */
export interface Heredoc {
  readonly name: string
  /** With every line end, and with tabs in front still there. */
  readonly content: string
  /** Whether variables in it are put in: no quote is in `<<NAME`. */
  readonly expand: boolean
  /** `<<-`: tabs in front of its lines, and of the one that ends it, are none. */
  readonly chomp: boolean
  /** The descriptor in `3<<NAME`; 0 where none is said. */
  readonly descriptor: number
}

/** One instruction as it stands in a Dockerfile: in one line, without comments, its variables not put in. */
export interface Instruction {
  /** In capitals. */
  readonly keyword: string
  /** As it is written. */
  readonly written: string
  readonly flags: readonly Flag[]
  /** What follows the flags, trimmed. */
  readonly rest: string
  readonly heredocs: readonly Heredoc[]
  /** From 1. */
  readonly line: number
  readonly endLine: number
  /** The lines of it, as they are written. */
  readonly source: string
  /** The comments right above it, without the `#`. */
  readonly comments: readonly string[]
}

/** A heredoc's lines as they are meant. */
export function contentOf({ content, chomp }: Heredoc): string {
  return chomp ? content.replace(/^\t+/gm, '') : content
}
