import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { root } from '../support/ability.ts'
import { project, readAs } from './documents.ts'
import { openedTo } from './opened.ts'
import { workspace } from './workspace.ts'

const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--inh-caps=-all']
const guides = [
  ...readdirSync(join(project, 'docs/how-to')).map((name) => `how-to/${name}`),
  ...['builds.md', 'check.md', 'mounts.md'],
]

/** With this in the environment the documents get the output of today: `PLYFS_DOCUMENTS=write`. Read what it changes. */
const writes = process.env.PLYFS_DOCUMENTS === 'write'

// Root, and somebody who may do less; where nobody is root, that is who runs this.
const readers = [
  { who: 'this user', as: [], documents: root && !writes ? ['tour.md'] : ['tour.md', ...guides] },
  { who: 'an ordinary user', as: nobody, documents: root && !writes ? ['tour.md', ...guides] : [] },
]

describe.concurrent('with Node, coreutils and bash alone', () => {
  for (const { who, as, documents } of readers) {
    for (const name of documents) {
      test(`${who} gets from the commands of docs/${name} what it says`, async () => {
        await using work = workspace()
        const reader = { as, ply: openedTo(as, work.path) }
        const { said, now, failed } = await readAs(reader, name, join(work.path, 'run'))
        expect(failed).toEqual([])
        if (writes) writeFileSync(join(project, 'docs', name), now)
        else expect(now).toBe(said)
      })
    }
  }
})
