import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, vi } from 'vitest'
import { AgainstBuildah, type Compared } from '../against-buildah/compare.ts'
import { placed } from '../build/table/case.ts'
import { servedPlaces } from '../build/table/served.ts'
import { tables } from '../build/table/tables.ts'
import { hasProgram, root, testIf } from '../support/ability.ts'
import { shellImage } from './shell-image.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const reason = !root ? 'buildah takes root here' : !hasProgram('buildah') ? 'there is no buildah' : ''
const able = testIf(reason === '', reason)

/** With all tests a few of each kind; `npm run against-buildah` compares all that buildah can build. */
const some = new Set([
  'comments between lines that go on are taken out',
  'a list in JSON is a program and its arguments',
  'an instruction sees variables as they were before it',
  'an ARG without a default takes what stands in front of the first FROM',
  'a stage takes files from another by its name',
  'what waits is carried out first, and waits no more',
  'VOLUME takes words',
  'WORKDIR goes on from the one before',
  'HEALTHCHECK takes a list and all of its times',
  'symlinks of the image on the way to the target are followed, inside of the image',
  'directories are put together with what is there, and get the modes of what comes',
  'an owner and a group by name are those of the image',
  'a star is any name, and no slash',
  'an exception brings back what is in a directory that is left out',
  'a tar is unpacked, with its owners and modes',
])
const cases = Object.values(tables)
  .flat()
  .filter(({ says }) => process.env.PLYFS_TABLE === 'all' || some.has(says))

describe('what buildah makes of the table of Dockerfiles', () => {
  let directory: string
  let places: Awaited<ReturnType<typeof servedPlaces>>
  let against: AgainstBuildah
  const all: Compared[] = []

  beforeAll(async () => {
    if (reason !== '') return
    // Names of images are in lower case, and so is the place of their storage.
    directory = mkdtempSync(join(tmpdir(), 'plyfs-against-buildah-'))
    places = await servedPlaces()
    const images = cases.some(({ runs }) => runs) ? { shell: shellImage() } : {}
    against = await AgainstBuildah.in(directory, images)
  })

  afterAll(async () => {
    if (reason !== '') return
    const count = (outcome: Compared['outcome']) => all.filter((one) => one.outcome === outcome)
    const reasons = new Map<string, number>()
    for (const { lines } of count('cannot')) reasons.set(lines[0]!, (reasons.get(lines[0]!) ?? 0) + 1)
    console.log(
      [
        `of ${all.length} Dockerfiles ${count('same').length} come to the same, ${count('explained').length} to what the documentation explains, ${count('different').length} to something else`,
        ...[...reasons].map(([why, times]) => `buildah cannot build ${times}: ${why}`),
      ].join('\n'),
    )
    await against[Symbol.asyncDispose]()
    await places[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true, force: true })
  })

  for (const written of cases) {
    able(written.says, async () => {
      const compared = await against.compare(placed(written, places.names))
      all.push(compared)
      expect(compared.outcome === 'different' ? compared.lines : []).toEqual([])
    })
  }
})
