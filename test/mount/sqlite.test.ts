import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { append, scratch } from '../../src/image/append.ts'
import { layerFrom } from '../../src/image/layer-from.ts'
import { abilities } from '../../src/mount/abilities.ts'
import { mount } from '../../src/mount/mount.ts'
import { openStore } from '../../src/store/open-store.ts'
import { temporary } from '../support/temporary.ts'

const can = abilities()
const reason = !can.fuseDevice.able
  ? can.fuseDevice.why
  : spawnSync('sqlite3', ['--version']).status === 0
    ? undefined
    : 'there is no sqlite3'
if (reason) console.log(`a database in a container: skipped, ${reason}`)

const sql = (database: string, text: string) => execFileSync('sqlite3', [database, text], { encoding: 'utf8' }).trim()

test.skipIf(reason)(
  'a database that is written while it is kept is whole in the snapshot, and after going back',
  async () => {
    const folder = temporary()
    const made = join(folder, 'made.db')
    sql(
      made,
      `CREATE TABLE facts (id INTEGER PRIMARY KEY, text TEXT);
     WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
     INSERT INTO facts SELECT i, hex(randomblob(20)) FROM n;`,
    )
    const image = append(scratch, layerFrom({ '/db/facts.db': fs.readFileSync(made) }), {})
    const store = await openStore(join(folder, 'store'), { blockCopyUp: 100_000 })
    await store.write(image, 'database')
    await (await store.containers.create('work', 'database')).close()
    const target = join(folder, 'target')
    fs.mkdirSync(target)
    const database = join(target, 'db/facts.db')

    const mounted = await mount({ store, container: 'work' }, target, { via: 'fuse', background: true })
    const writer = spawn('sqlite3', [database], { stdio: ['pipe', 'pipe', 'inherit'] })
    let committed = -1
    createInterface(writer.stdout).on('line', (line) => (committed = Number(line)))
    let given = -1
    // Two rows in each transaction, which say the same: who sees one of them alone sees half of a transaction.
    const give = () => {
      given++
      const [one, other] = [1 + given * 37, 20000].map((id) => `UPDATE facts SET text='${given}' WHERE id=${id};`)
      writer.stdin.write(`BEGIN; ${one} ${other} COMMIT;\n.print ${given}\n`)
    }
    const kept: { readonly name: string; readonly committed: number }[] = []
    for (let i = 0; i < 2; i++) {
      for (const until = committed + 5; committed < until; await setImmediate()) {
        expect(writer.exitCode).toBeNull()
        if (given < committed + 20) give()
      }
      const before = committed
      kept.push({ name: (await store.containers.snapshot('work')).name, committed: before })
    }
    // It was being written all the time.
    expect(committed).toBeLessThan(given)
    writer.stdin.end()
    if (writer.exitCode === null) await once(writer, 'exit')
    expect(writer.exitCode).toBe(0)
    expect(sql(database, 'PRAGMA integrity_check')).toBe('ok')
    expect(sql(database, 'SELECT text FROM facts WHERE id=20000')).toBe(`${given}`)
    await mounted.unmount()

    const uppers = fs.readdirSync(join(folder, 'store/uppers'), { recursive: true, encoding: 'utf8' })
    expect(uppers.filter((path) => path.endsWith('.data')).length).toBeGreaterThan(1)

    for (const { name, committed } of kept) {
      await store.containers.rollback('work', name)
      const again = await mount({ store, container: 'work' }, target, { via: 'fuse', background: true })
      // What was going on is rolled back by its journal, as after a loss of power; what was answered is there.
      expect(sql(database, 'PRAGMA integrity_check')).toBe('ok')
      const last = Number(sql(database, 'SELECT text FROM facts WHERE id=20000'))
      expect(last).toBeGreaterThanOrEqual(committed)
      expect(last).toBeLessThan(given)
      expect(sql(database, `SELECT text FROM facts WHERE id=${1 + last * 37}`)).toBe(`${last}`)
      await again.unmount()
    }
  },
)
