import { contentOf, type Heredoc, type Meaning } from '../../dockerfile/index.ts'
import type { ExecutionConfig } from '../../model/documents.ts'
import { wordsOf } from '../settings.ts'

/** A file that a command of a build is: where it is, and what it says. */
export interface Script {
  readonly path: string
  readonly content: string
}

/**
 * The program and arguments of RUN, and the files that it takes. A heredoc alone is what the shell runs, or a program by itself if it
 * begins with `#!`; any other goes with the line to the shell, which reads it.
 */
export function scriptOf(
  { command, heredocs }: Extract<Meaning, { readonly is: 'run' }>,
  config: ExecutionConfig,
): { readonly words: readonly string[]; readonly scripts: readonly Script[] } {
  const [first] = heredocs
  if (first === undefined || command.form === 'exec') return { words: wordsOf(command, config), scripts: [] }
  if (/^<<-?\s*["']?[^\s"'<]+["']?$/.test(command.line)) {
    const content = contentOf(first)
    if (!content.startsWith('#!')) return { words: wordsOf({ form: 'shell', line: content }, config), scripts: [] }
    const path = `/dev/pipes/${first.name}`
    return { words: [path], scripts: [{ path, content }] }
  }
  const whole = [command.line, ...heredocs.map(rewritten)].join('\n')
  return { words: wordsOf({ form: 'shell', line: whole }, config), scripts: [] }
}

function rewritten({ content, name }: Heredoc): string {
  return `${content}${name}`
}
