//   explorer-speed.mjs [FILES]     default: 200000
//
// What the explorer promises of large trees, in a real browser: its page is painted within 2 s, and a key in the search is answered within
// 100 ms. Ends with 1 if it does not hold.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { chromium } from 'playwright-core'
import { explore, explorerPage } from '../dist/index.js'

const count = Number(process.argv[2] ?? 200_000)
const bounds = { paint: 2000, search: 100 }
const queries = [
  'f',
  'fi',
  'file',
  'file-1',
  'file-19',
  'file-199999',
  '9',
  '.dat',
  's1',
  's1/file-12',
  'd4/s1/',
  'nothing at all',
]

/** Files in 50 times 20 directories, which are nowhere: only what is told of them is asked for. */
function tree() {
  const [tops, subs] = [50, 20]
  const first = 1 + tops + tops * subs
  const kindOf = (ino) => (ino < first ? 'directory' : 'file')
  const named = (name, ino) => ({ name, ino, kind: kindOf(ino) })
  return {
    root: 0,
    lookup: () => undefined,
    *list(directory) {
      if (directory === 0) for (let at = 0; at < tops; at++) yield named(`d${String(at).padStart(2, '0')}`, 1 + at)
      else if (directory <= tops)
        for (let at = 0; at < subs; at++)
          yield named(`s${String(at).padStart(2, '0')}`, 1 + tops + (directory - 1) * subs + at)
      else
        for (let at = directory - 1 - tops; at < count; at += tops * subs)
          yield named(`file-${String(at).padStart(6, '0')}.dat`, first + at)
    },
    stat: (ino) => ({
      ino,
      kind: kindOf(ino),
      mode: 0o644,
      uid: 0,
      gid: 0,
      mtime: 0n,
      size: (ino * 7919) % 4096,
      links: 1,
      major: 0,
      minor: 0,
    }),
    xattrs: () => new Map(),
  }
}

const executablePath = spawnSync('sh', ['-c', 'command -v chromium'], { encoding: 'utf8' }).stdout.trim()
if (executablePath === '') throw new Error('no chromium')
const folder = mkdtempSync(join(tmpdir(), 'plyfs-explorer-'))
const file = join(folder, 'many.html')
const begun = performance.now()
writeFileSync(file, await explorerPage(await explore({ name: 'many', tree: tree() }, undefined)))
console.log(
  `page        ${(statSync(file).size / 1e6).toFixed(2)} MB, written in ${Math.round(performance.now() - begun)} ms`,
)
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
const paints = []
const answers = new Map(queries.map((query) => [query, []]))
for (let turn = 0; turn < 5; turn++) {
  const page = await (await browser.newContext()).newPage()
  await page.goto(pathToFileURL(file).href)
  await page.waitForSelector('html[data-ready]')
  paints.push(
    await page.evaluate(async () => {
      await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0)))
      return performance.now()
    }),
  )
  for (const query of queries) {
    const took = await page.evaluate(async (typed) => {
      const input = document.querySelector('#search')
      const from = performance.now()
      input.value = typed
      input.dispatchEvent(new InputEvent('input', { bubbles: true }))
      // Until what is drawn has been handed over.
      await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0)))
      return performance.now() - from
    }, query)
    answers.get(query).push(took)
  }
  await page.context().close()
}
await browser.close()
rmSync(folder, { recursive: true })
const paint = Math.min(...paints)
console.log(`all painted ${paints.map(Math.round).join(' ')} ms`)
let slowest = 0
for (const [query, took] of answers) {
  slowest = Math.max(slowest, Math.min(...took))
  console.log(`search      ${query.padEnd(16)} ${took.map(Math.round).join(' ')} ms`)
}
const holds = paint < bounds.paint && slowest < bounds.search
console.log(
  `${holds ? 'holds' : 'does not hold'}: painted ${Math.round(paint)} ms (< ${bounds.paint}), slowest answer ${Math.round(slowest)} ms (< ${bounds.search})`,
)
process.exitCode = holds ? 0 : 1
