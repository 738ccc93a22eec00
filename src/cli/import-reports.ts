import { Readable } from 'node:stream'
import { failureOf } from './failure.ts'
import { writeWhole } from './host-files.ts'
import type { ImportFlags } from './import-flags.ts'
import { jsonText } from './json.ts'
import type { Descriptor, LayerReport, Library, RecompressedLayer } from './library.ts'

/** What a command has to say of an image that it took somewhere. */
export interface ImageReport {
  readonly name: string | undefined
  readonly descriptor: Descriptor
  /** What was found in its layers, base first; none where they were not read. */
  readonly layers: readonly LayerReport[]
  /** Layers whose compressed digest is another one now. */
  readonly recompressed: readonly RecompressedLayer[]
}

/** More warnings than these are summed up in a line. */
const mostLines = 20

/** The lines for people: one a warning, at most twenty an image. */
export function* warningLines(layers: readonly LayerReport[], report: string | undefined): Generator<string> {
  let room = mostLines
  for (const { layer, digest, warnings } of layers) {
    for (const { rule, entry, text } of warnings.slice(0, room)) {
      yield `warning: layer ${layer} (${digest.slice(0, 19)}): ${entry}: ${printable(text)} (${rule})`
    }
    room = Math.max(0, room - warnings.length)
  }
  const all = layers.reduce((sum, { warningCount }) => sum + warningCount, 0)
  const rest =
    all -
    Math.min(
      mostLines,
      layers.reduce((sum, { warnings }) => sum + warnings.length, 0),
    )
  if (rest === 0) return
  const kept = layers.every(({ warnings, warningCount }) => warnings.length === warningCount)
  const has = kept ? 'has them all' : 'has the first thousand of each layer, and counts them all'
  yield `… and ${rest} more (${report === undefined || report === '-' ? '--report FILE' : report} ${has})`
}

/** Names inside of texts may hold anything. */
function printable(text: string): string {
  return text.replace(
    /[\x00-\x1f\x7f-\x9f]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}

/** What `--report` writes, a failure of the command included. */
export async function writeReport(
  { report }: ImportFlags,
  images: readonly ImageReport[],
  {
    error,
    print,
    signal,
    library,
  }: {
    readonly error?: unknown
    readonly print: (text: string) => void
    readonly signal: AbortSignal
    readonly library: Library
  },
): Promise<void> {
  if (report === undefined) return
  const { code, message, details } =
    error === undefined ? ({} as Partial<ReturnType<typeof failureOf>>) : failureOf(error, undefined)
  const said = images.map(({ name, descriptor, layers, recompressed }) => ({
    name,
    digest: descriptor.digest,
    layers,
    recompressed,
  }))
  const text = jsonText({ images: said, ...(code !== undefined && { error: { code, message, details } }) })
  if (report === '-') print(text)
  else await writeWhole(report, Readable.from([Buffer.from(`${text}\n`)]), signal, library)
}
