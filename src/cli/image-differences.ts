import type { ImageDifference, LayerPair, LayerStack, Library } from './library.ts'
import { shortId, table } from './table.ts'

/** What two images say differently of themselves: `- ` what the first says, `+ ` what the second does. */
export function configLines(differences: readonly ImageDifference[], { displayText, encodeText }: Library): string[] {
  const shown = (value: unknown) => displayText(encodeText(typeof value === 'string' ? value : JSON.stringify(value)))
  return differences.flatMap(({ at, before, after }) => [
    ...(before === undefined ? [] : [`- ${displayText(encodeText(at))}: ${shown(before)}`]),
    ...(after === undefined ? [] : [`+ ${displayText(encodeText(at))}: ${shown(after)}`]),
  ])
}

/** Layers side by side: `=` the same, `~` one that differs, `-` only in the first image, `+` only in the second. */
export function layerLines(
  pairs: readonly LayerPair[],
  x: LayerStack,
  y: LayerStack,
  { displayText, encodeText }: Library,
): string[] {
  const number = (layer: number | undefined) => (layer === undefined ? '' : String(layer))
  const instruction = ({ before, after }: LayerPair) => {
    const layer = after === undefined ? x.layers[before!]! : y.layers[after]!
    const line = displayText(encodeText((layer.step.created_by ?? '').replaceAll('\n', ' ')))
    return line.length <= 60 ? line : `${line.slice(0, 59)}…`
  }
  return table(pairs, [
    { header: '', of: (pair) => signOf(pair) },
    { header: 'before', of: ({ before }) => number(before), right: true },
    { header: 'after', of: ({ after }) => number(after), right: true },
    {
      header: 'digest',
      of: ({ before, after }) =>
        shortId(after === undefined ? x.layers[before!]!.digest : y.layers[after]!.digest, false),
    },
    {
      header: 'cause',
      of: ({ causes, changed }) => `${causes.join(',')}${changed.length > 0 ? `: ${changed.join(',')}` : ''}`,
    },
    { header: 'created by', of: instruction },
  ])
}

export function layerValues(pairs: readonly LayerPair[], x: LayerStack, y: LayerStack): object[] {
  const about = ({ layers }: LayerStack, layer: number | undefined) => {
    if (layer === undefined) return undefined
    const { diffId, digest, size, step } = layers[layer]!
    return { layer, digest, diffId, size, ...(step.created_by !== undefined && { createdBy: step.created_by }) }
  }
  return pairs.map(({ before, after, ...rest }) => ({
    ...(before !== undefined && { before: about(x, before) }),
    ...(after !== undefined && { after: about(y, after) }),
    ...rest,
  }))
}

function signOf({ before, after, same }: LayerPair): string {
  if (after === undefined) return '-'
  if (before === undefined) return '+'
  return same ? '=' : '~'
}
