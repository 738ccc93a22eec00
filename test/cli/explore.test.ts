import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { inflateRawSync } from 'node:zlib'
import { beforeAll, expect, test } from 'vitest'
import { main } from '../../src/cli/main.ts'
import { dockerArchive, ply, temporaryDirectory } from './run-ply.ts'

const directory = temporaryDirectory()
const root = join(directory, 'store')
const run = (...argv: string[]) => ply([...argv, '--root', root])

/** What a page shows: it is packed into it. */
function shownBy(page: string): { readonly has: (name: string) => boolean } {
  const [, packed = ''] = /id="explored">([^<]*)</.exec(page) ?? []
  const shown = inflateRawSync(Buffer.from(packed, 'base64')).toString('latin1')
  return { has: (name) => shown.includes(name) }
}
const shown = async (...words: string[]) => {
  const { has } = shownBy((await run('explore', ...words, '-o', '-')).out)
  return ['below-file', 'upper-file'].filter(has)
}

beforeAll(async () => {
  const archive = join(directory, 'app.tar')
  await dockerArchive(archive, 'app:1', [{ 'below-file': 'a' }, { 'upper-file': 'b' }])
  expect((await run('load', archive)).code).toBe(0)
  expect((await run('create', 'app:1', '--name', 'work')).code).toBe(0)
})

test('writes a page that holds everything, and says where', async () => {
  const file = join(directory, 'app.html')
  expect(await run('explore', 'app:1', '-o', file)).toMatchObject({ code: 0, out: `${file}\n` })
  const page = readFileSync(file, 'utf8')
  expect(page).toMatch(/^<!doctype html>/i)
  expect(['below-file', 'upper-file'].filter(shownBy(page).has)).toHaveLength(2)
  // The same goes to stdout, and the size is told to programs.
  expect((await run('explore', 'app:1', '-o', '-')).out === page).toBe(true)
  const told = JSON.parse((await run('explore', 'app:1', '-o', file, '--json')).out)
  expect(told).toEqual({ output: file, size: Buffer.byteLength(page) })
})

test('shows layers up to one, a container as it is, and what differs of two', async () => {
  expect(await shown('app:1@0')).toEqual(['below-file'])
  expect(await shown('container:work')).toEqual(['below-file', 'upper-file'])
  expect(await shown('app:1@0', 'app:1')).toEqual(['below-file', 'upper-file'])
})

test('serves the page on loopback until it is told to end', async () => {
  const ending = new AbortController()
  let told: (text: string) => void = () => {}
  const first = new Promise<string>((resolve) => (told = resolve))
  const stdout = new Writable({
    write(chunk, _encoding, done) {
      told(String(chunk).trim())
      done()
    },
  })
  const serving = main(
    ['explore', 'app:1', '--serve', '--root', root],
    {
      ...{ stdin: Readable.from([]), stdinIsTerminal: false, stdout: Object.assign(stdout, { isTTY: false }) },
      ...{ stderr: new Writable({ write: (_chunk, _encoding, done) => done() }), columns: 80, environment: {} },
      signal: ending.signal,
    },
    { name: 'plyfs', version: '0', root: join(import.meta.dirname, '../..') },
  )
  const address = await first
  expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+\//)
  expect(shownBy(await (await fetch(address)).text()).has('upper-file')).toBe(true)
  ending.abort('SIGINT')
  await serving
  await expect(fetch(address)).rejects.toThrow('fetch failed')
})

test.each<readonly [string, readonly string[], string]>([
  ['a layer that there is not', ['app:1@7', '-o', '-'], 'there is no layer 7: they are numbered from 0 to 1'],
  ['two trees for one terminal', ['app:1', 'app:1', '--tui'], '--tui shows one tree: leave the second one out'],
  ['no terminal', ['app:1', '--tui'], '--tui needs a terminal, on stdin and on stdout'],
])('says what is wrong with %s', async (_, words, said) => {
  expect(await run('explore', ...words)).toMatchObject({ code: 2, out: '', err: expect.stringContaining(said) })
})

test('shows a tree to programs as far down as they ask', async () => {
  const { out } = await run('tree', 'app:1', '--json')
  expect(JSON.parse(out)).toMatchObject({
    kind: 'directory',
    children: [
      { path: '/below-file', kind: 'file' },
      { path: '/upper-file', kind: 'file' },
    ],
  })
})
