// Builds COPY of a context of many files (a million by default), twice: `node scripts/large-context.mjs [COUNT]` after `npm run build`.
// Says what it took, by the processor and in memory; fails where a file of it is missing, or one beside it was touched.
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const { build, openContext, openStore } = await import('../dist/index.js')
const count = Number(process.argv[2] ?? 1_000_000)
const directory = mkdtempSync(join(tmpdir(), 'plyfs-large-context-'))
try {
  const context = join(directory, 'context')
  for (let at = 0; at < count; at++) {
    const place = join(context, 'd', String(Math.floor(at / 1000)))
    if (at % 1000 === 0) mkdirSync(place, { recursive: true })
    writeFileSync(join(place, String(at)), at % 10 === 0 ? String(at) : '')
  }
  writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nCOPY d /d\n')
  writeFileSync(join(directory, 'beside'), 'x')
  const before = statSync(join(directory, 'beside')).ctimeMs
  const store = await openStore(join(directory, 'store'))
  for (const what of ['the first time', 'once more']) {
    const begun = performance.now()
    const cpu = process.cpuUsage()
    const opened = await openContext(store, context)
    const image = await build(store, { dockerfile: opened.dockerfile, context: opened.tree, epoch: 0 })
    const { user, system } = process.cpuUsage(cpu)
    const tree = await store.tree(image)
    let found = 0
    const top = tree.lookup(tree.root, 'd')
    for (const { ino } of tree.list(top)) found += [...tree.list(ino)].length
    tree.close()
    await opened[Symbol.asyncDispose]()
    if (found !== count) throw new Error(`${found} of ${count} files are in the image`)
    const seconds = (value) => `${(value / 1e6).toFixed(1)} s`
    const memory = `${Math.round(process.resourceUsage().maxRSS / 1024)} MB`
    console.log(
      `${count} files ${what}: ${((performance.now() - begun) / 1000).toFixed(1)} s by the clock, ${seconds(user + system)} of the processor, at most ${memory}`,
    )
  }
  await store[Symbol.asyncDispose]()
  if (statSync(join(directory, 'beside')).ctimeMs !== before) throw new Error('the file beside the context was touched')
} finally {
  rmSync(directory, { recursive: true, force: true })
}
