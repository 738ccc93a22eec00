import { pathFields } from './file-values.ts'
import type { Library, Waste, WasteCause, WasteGroup } from './library.ts'
import { humanSize } from './sizes.ts'
import { aligned, table } from './table.ts'

/** What of a finding is shown. */
export interface WasteShown {
  readonly from: number
  readonly to: number
  readonly top: number
  readonly groups?: readonly WasteGroup[]
}

const causes = {
  overwritten: 'overwritten by layers above',
  deleted: 'deleted by layers above',
  attributes: 'there again with other attributes',
  repeated: 'there again as they are',
  duplicate: 'equal files in several layers',
} as const satisfies Record<WasteCause, string>

export function wasteLines(waste: Waste, { from, to, top, groups }: WasteShown, library: Library): string[] {
  const { displayText } = library
  const percent = (share: number) => `${(share * 100).toFixed(2)} %`
  const layers = waste.layers.length
  const facts = [
    ['efficiency', percent(waste.efficiency), `dive: ${percent(waste.diveEfficiency)}`],
    ['contents', humanSize(waste.bytes), `in ${layers} ${layers === 1 ? 'layer' : 'layers'}`],
    ['wasted', humanSize(waste.wasted), ''],
    ...Object.entries(causes).map(([cause, text]) => [
      `  ${cause}`,
      humanSize(waste.causes[cause as WasteCause]),
      text,
    ]),
    ['squash saves', humanSize(waste.saving(from, to)), `of layers ${from} to ${to}`],
  ]
  const lines = aligned(facts, (column) => column === 1)
  if (groups !== undefined) {
    return [
      ...lines,
      '',
      ...table(groups, [
        { header: 'size', of: ({ bytes }) => humanSize(bytes), right: true },
        { header: 'files', of: ({ files }) => String(files), right: true },
        { header: 'what', of: ({ name }) => (name === '' ? '<none>' : displayText(name)) },
      ]),
    ]
  }
  const files = waste.files.slice(0, top)
  if (files.length === 0) return lines
  return [
    ...lines,
    '',
    ...table(files, [
      { header: 'size', of: ({ bytes }) => humanSize(bytes), right: true },
      { header: 'layer', of: ({ layer }) => String(layer), right: true },
      { header: 'cause', of: ({ cause }) => cause },
      { header: 'by', of: ({ by }) => String(by), right: true },
      {
        header: 'path',
        of: ({ path, like }) => `/${displayText(path)}${like === undefined ? '' : ` = /${displayText(like)}`}`,
      },
    ]),
  ]
}

/** All of it for `--json`; files no more than are asked for, since there may be very many. */
export function wasteValue(waste: Waste, { from, to, top, groups }: WasteShown, library: Library): object {
  const { files, saving, ...sums } = waste
  return {
    ...sums,
    squash: { from, to, saves: saving(from, to) },
    files: files.slice(0, top).map(({ path, like, ...rest }) => ({
      ...pathFields(path, library),
      ...rest,
      ...(like !== undefined && { like: pathFields(like, library).path }),
    })),
    ...(groups && { groups: groups.map(({ name, ...rest }) => ({ name: library.decodeText(name), ...rest })) }),
  }
}
