import { archive, pax as extendedHeader, member } from '../../tar/raw.ts'
import { mutatePax } from '../mutate/pax.ts'
import { spansOf } from '../mutate/tar-members.ts'
import { checkTar } from '../oracle/check-tar.ts'
import { choiceOf } from '../oracle/cuts.ts'
import { tarSeeds } from '../seeds/tars.ts'
import type { Target } from '../target.ts'

const kinds = ['0', '0', '0', '1', '2', '5', '3', '7'] as const

/** The records of one extended header, before a member of one kind or another. */
export const pax: Target = {
  name: 'pax',
  covers: ['tar/pax.ts', 'tar/assembler.ts', 'tar/numbers.ts', 'tar/header-values.ts', 'layer/xattr-rules.ts'],
  largest: 128 << 10,
  seeds: async () =>
    tarSeeds().flatMap((tar) =>
      spansOf(tar)
        .filter(({ type }) => type === 'x' || type === 'g')
        .map(({ at, payload }) => Buffer.from(tar.subarray(at + 512, at + 512 + payload))),
    ),
  mutate: mutatePax,
  run: (input) => checkTar(around(input)),
}

function around(payload: Buffer): Buffer {
  const choice = choiceOf(payload)
  const type = kinds[(choice >>> 16) % kinds.length]!
  const content = type === '0' || type === '7' ? 'twelve bytes' : ''
  const one = member({ name: 'f', type, linkName: 'before' }, content)
  const text = payload.toString('latin1')
  // Its size may be said by the header itself; then what follows has to be there.
  const room = Buffer.alloc(2048, 0)
  return archive(
    member({ name: 'before' }, 'b'),
    extendedHeader(text, (choice >>> 20) % 16 === 0 ? 'g' : 'x'),
    one,
    room,
  )
}
