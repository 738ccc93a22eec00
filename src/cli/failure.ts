import { type ExitCode, exitCodeOf } from './exit-codes.ts'
import { fileHint } from './file-hint.ts'
import { OutputFailed } from './output.ts'

/** An error as the command line shows it. */
export interface Failure {
  readonly code: string
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
  readonly hint: string | undefined
  readonly exitCode: ExitCode
}

/** What to do next, where the message itself cannot know it. */
const hints: Readonly<Record<string, string>> = {
  PLY_BAD_ARCHIVE: 'check that the file is complete, and that it is a docker-archive, an oci-archive or an OCI layout',
  PLY_BAD_LAYER:
    'the rule is explained in docs/layer-semantics.md; whoever made the layer has to make it again without that',
  PLY_BAD_COMPRESSION: 'fetch or copy the image again',
  PLY_BAD_DOCUMENT: 'fetch or copy the image again; if it is in a store: ply fsck --repair',
  PLY_BAD_KEY: 'name a file with a PEM key; docs/signatures.md shows how to make one',
  PLY_BAD_REFERENCE: 'write NAME[:TAG][@DIGEST] or TRANSPORT:DETAILS; see docs/cli.md, Names',
  PLY_BLOB_NOT_FOUND: 'copy the image there again; in a store: ply fsck --repair --from REFERENCE',
  PLY_CREDENTIALS: 'name another file with --authfile, or say who you are with --creds',
  PLY_DIGEST_MISMATCH: 'fetch or copy the image again',
  PLY_SIZE_MISMATCH: 'fetch or copy the image again',
  PLY_NO_NATIVE: 'reading and stores in memory work without; ply doctor says what is missing',
  PLY_REGISTRY: 'try again later, and see whether a proxy stands between; PLY_LOG=debug shows more',
  PLY_STORE_BUSY: 'try again when it is done',
  PLY_STORE_FORMAT: 'choose another store with --root or PLY_ROOT, or use the version that wrote it',
  PLY_TOO_LARGE: 'see whether the right file was named',
  PLY_UNREPRESENTABLE: 'write it in another form, or without that file',
  PLY_UNSIGNED: 'have it signed (ply sign), or name the key that it was signed with',
  PLY_STORE_READ_ONLY: 'choose another store with --root or PLY_ROOT',
  PLY_CONTAINER_BUSY: 'see who has it with: ply ps',
  EACCES: 'run it as the owner of that path, or choose another store with --root or PLY_ROOT',
  EROFS: 'choose another store with --root or PLY_ROOT',
  ENOSPC: 'free some space (ply gc --dry-run shows what a collection would free), or choose another store with --root',
  EDQUOT: 'free some space, or choose another store with --root',
  EMFILE: 'raise the limit on open files (ulimit -n)',
}

/** A parse error of the command line, as oclif throws it: a message of several lines, and lists of what was wrong. */
interface ParseError extends Error {
  readonly oclif: { readonly exit?: number | false }
  readonly args?: readonly ({ readonly name: string } | string)[]
  readonly flags?: readonly string[]
}

/** Makes one line, a code and an exit code of anything that was thrown. */
export function failureOf(error: unknown, command: string | undefined): Failure {
  if (isParseError(error)) {
    const reason = usageOf(error)
    const help = command === undefined ? 'ply --help' : `ply ${command} --help`
    return { code: 'PLY_USAGE', message: reason, details: { reason }, hint: `see: ${help}`, exitCode: 2 }
  }
  const code = codeOf(error)
  const exitCode = exitCodeOf(code)
  if (!(error instanceof Error) || code === undefined || exitCode === 70) {
    const message = error instanceof Error ? error.message || error.name : String(error)
    const hint = 'this is an error in ply; run it again with PLY_LOG=debug to see where it happened'
    return { code: 'PLY_INTERNAL', message: oneLine(message), details: {}, hint, exitCode: 70 }
  }
  const { details } = error as { details?: Readonly<Record<string, unknown>> }
  return {
    code,
    message: oneLine(error.message),
    details: details ?? systemDetails(error),
    hint:
      error instanceof OutputFailed
        ? undefined
        : (optionHint(details?.option) ?? fileHint(code, details ?? {}) ?? hints[code]),
    exitCode,
  }
}

/** Where another choice of an option would have had it otherwise, the flag for it. */
function optionHint(option: unknown): string | undefined {
  if (option === 'strict') return 'without --strict this is a warning'
  if (option === 'lenient') return 'take it all the same, with a warning: --lenient (ply load, copy, import)'
  const limit = typeof option === 'string' ? /^limits\.(\w+)$/.exec(option)?.[1] : undefined
  return limit === undefined ? undefined : `raise the budget with: --limit ${limit}=VALUE (ply load, copy, import)`
}

/** The lines that go to stderr. */
export function renderFailure(failure: Failure): string {
  // An errno stands in its message already.
  const code = failure.message.startsWith(failure.code) ? '' : ` (${failure.code})`
  const { layer, diffId } = failure.details
  const place = typeof layer === 'number' ? `in layer ${layer}${diffId === undefined ? '' : ` (${diffId})`}` : undefined
  const lines = [`ply: ${failure.message}${code}`, place && `     ${place}`, failure.hint && `     ${failure.hint}`]
  return `${lines.filter(Boolean).join('\n')}\n`
}

function isParseError(error: unknown): error is ParseError {
  return error instanceof Error && typeof (error as { oclif?: unknown }).oclif === 'object'
}

function usageOf(error: ParseError): string {
  const names = (error.args ?? []).map((arg) => (typeof arg === 'string' ? arg : arg.name))
  // By what they say: classes have other names once they are bundled.
  if (error.message.startsWith('Missing ')) return `missing: ${names.map((name) => name.toUpperCase()).join(' ')}`
  if (error.message.startsWith('Unexpected argument')) return `unexpected: ${names.join(' ')}`
  // `Parsing --depth`, and what was wrong on the next line.
  const flag = /^Parsing (--[\w-]+)\s+([^\n]+)/.exec(error.message)
  if (flag !== null) return oneLine(`${flag[1]}: ${flag[2]![0]!.toLowerCase()}${flag[2]!.slice(1)}`)
  if (error.flags !== undefined) return `unknown flag: ${error.flags.join(' ')}`
  const lines = error.message.split('\n').filter((line) => line !== 'See more help with --help')
  return oneLine(lines.join(' ').replace(/^The following errors? occurred:\s*/, ''))
}

function systemDetails(error: Error): Readonly<Record<string, unknown>> {
  const { syscall, path, dest } = error as NodeJS.ErrnoException & { dest?: string }
  return Object.fromEntries(Object.entries({ syscall, path, dest }).filter(([, value]) => value !== undefined))
}

/** Names inside messages may hold anything; the terminal gets one printable line. */
function oneLine(text: string): string {
  return text
    .replace(/\s*\n\s*/g, ' ')
    .replace(/[\x00-\x1f\x7f-\x9f]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
    .trim()
}

/** As the library's `codeOf`, without loading the library to report a usage error. */
function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' ? code : undefined
}
