import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { blame, blameBelow, copy, find, openSource, openStore, parseFind, treeUsage, walkTree, waste } from 'plyfs'
import { describe, expect } from 'vitest'
import { readTar, type TarEntry } from '../properties/read-tar.ts'
import { applyWithTar, deep, image, layersOf, realTest } from './tools.ts'
import { workspace } from './workspace.ts'

const kinds = { file: 'f', directory: 'd', symlink: 'l', character: 'c', block: 'b', fifo: 'p', socket: 's' } as const

/** Lines of a program that asks a directory, as bytes. */
function asked(directory: string, program: string, ...args: string[]): string[] {
  const out = execFileSync(program, args, { cwd: directory, maxBuffer: 1 << 30, stdio: ['ignore', 'pipe', 'ignore'] })
  return out.toString('latin1').split('\0').slice(0, -1).sort()
}

describe('what a real image answers', () => {
  realTest('equals what find, du and cat say of the same layers unpacked by GNU tar', async () => {
    await using work = workspace()
    const plain = join(work.path, 'tar')
    mkdirSync(plain)
    applyWithTar(layersOf(join(image(), 'oci')), plain)
    await using store = await openStore(join(work.path, 'store'))
    await using source = await openSource(`oci:${join(image(), 'oci')}:latest`)
    await copy(source, store, { as: 'real' })
    const tree = await store.tree('real')
    let questions = 0

    const ours: string[] = []
    const files: { path: string; ino: number }[] = []
    for (const { path, ino, kind } of walkTree(tree)) {
      const { mode, uid, gid, links, size, mtime } = tree.stat(ino)
      const seconds = (mtime - (((mtime % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n)) / 1_000_000_000n
      const target = kind === 'symlink' ? tree.readlink(ino) : ''
      const shown = path === '' ? '.' : `./${path}`
      // What directories and link counts take is a matter of the disk.
      const length = kind === 'file' || kind === 'symlink' ? size : 0
      ours.push(
        `${shown} ${kinds[kind]} ${mode.toString(8)} ${uid} ${gid} ${links} ${length} ${path === '' ? '' : seconds} ${target}`,
      )
      if (kind === 'file' && size > 0) files.push({ path, ino })
    }
    const theirs = [
      ...asked(plain, 'find', '.', '-type', 'd', '-name', '.', '-printf', '%p %y %m %U %G %n 0  %l\\0'),
      ...asked(plain, 'find', '.', '-type', 'd', '!', '-name', '.', '-printf', '%p %y %m %U %G %n 0 %Ts %l\\0'),
      ...asked(
        plain,
        'find',
        '.',
        '(',
        '-type',
        'f',
        '-o',
        '-type',
        'l',
        ')',
        '-printf',
        '%p %y %m %U %G %n %s %Ts %l\\0',
      ),
      ...asked(
        plain,
        'find',
        '.',
        '!',
        '-type',
        'f',
        '!',
        '-type',
        'l',
        '!',
        '-type',
        'd',
        '-printf',
        '%p %y %m %U %G %n 0 %Ts %l\\0',
      ),
    ]
    expect(ours.sort()).toEqual(theirs.sort())
    questions += ours.length

    for (const expression of [
      '-type f -perm /6000',
      '-name *.conf',
      '-size +100k',
      '-type d -empty',
      '-links +1 -type f',
      '-type f -newer etc/passwd',
      '-not -user 0',
      '-path *share* -prune -o -type l -print',
      '-type f -perm -111 -size -20',
      '-lname *..*',
    ]) {
      const words = expression.split(' ')
      const mine = [...find(tree, parseFind(words), { from: '.' })].map(({ shown, kind }) => ({ shown, kind }))
      const found = asked(plain, 'find', '.', ...words.filter((word) => word !== '-print'), '-print0')
      // Sizes of directories are those of the disk.
      const sized = words.includes('-size')
      const directories = new Set(ours.filter((line) => / d /.test(line)).map((line) => line.split(' ')[0]))
      const comparable = sized ? found.filter((path) => !directories.has(path)) : found
      expect(
        mine
          .filter(({ kind }) => !sized || kind !== 'directory')
          .map(({ shown }) => shown)
          .sort(),
        expression,
      ).toEqual(comparable)
      questions++
    }

    const usages = new Map([...treeUsage(tree)].map(({ path, apparent }) => [path, apparent]))
    expect(usages.get('')).toBe(
      [...new Map(files.map(({ ino }) => [ino, tree.stat(ino).size])).values()].reduce((sum, size) => sum + size, 0) +
        ours.filter((line) => / l /.test(line)).reduce((sum, line) => sum + Number(line.split(' ')[6]), 0),
    )
    for (const { path, ino } of files.filter((_, number) => number % 50 === 0)) {
      const content = tree.open(ino)
      const bytes = Buffer.alloc(content.size)
      content.read(bytes, 0)
      content.close()
      expect(sha256(bytes), path).toBe(sha256(readFileSync(Buffer.from(join(plain, path), 'latin1'))))
      questions++
    }
    tree.close()
    console.log(`${questions} questions`)
    expect(questions).toBeGreaterThan(500)
  })

  realTest('blame and waste of 120 layers equal what their tars say, read one by one', async () => {
    await using work = workspace()
    await using store = await openStore(join(work.path, 'store'))
    await using source = await openSource(`oci:${join(deep(), 'oci')}:latest`)
    await copy(source, store, { as: 'deep' })
    const stack = await store.layers('deep')
    const expected = readLayers(layersOf(join(deep(), 'oci')).map((path) => readTar(plainTar(readFileSync(path)))))
    let paths = 0
    for await (const { bytes, steps } of blameBelow(stack, '', { deleted: true })) {
      if (bytes === '') continue
      const deeds = steps.filter(
        ({ did, after, before }) =>
          did !== 'inside' && did !== 'nothing' && !(after?.kind === 'directory' && before?.kind === 'directory'),
      )
      const told = deeds.map(({ layer, did }) => `${layer} ${did === 'add' || did === 'delete' ? did : 'other'}`)
      expect(told, bytes).toEqual(expected.deeds.get(bytes) ?? [])
      if (paths++ % 100 === 0) expect((await blame(stack, bytes)).steps).toEqual(steps)
    }
    expect(paths).toBe(expected.deeds.size)
    const found = await waste(stack)
    expect({ bytes: found.bytes, wasted: found.wasted - found.causes.duplicate }).toEqual(expected.sums)
    stack.close()
  })

  realTest('a reader that has seen enough ends a listing quietly', async () => {
    const ply = fileURLToPath(new URL('../../bin/ply.js', import.meta.url))
    const child = spawn(process.execPath, [ply, 'ls', '-R', '--json', `oci:${join(image(), 'oci')}:latest`], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => (said += chunk))
    child.stdout.once('data', () => child.stdout.destroy())
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect([code, said.replaceAll(/^(?:contents|layer|blob|sha256).*\n/gm, '')]).toEqual([
      0,
      expect.not.stringContaining('ply:'),
    ])
  })
})

interface Told {
  readonly deeds: Map<string, string[]>
  readonly sums: { bytes: number; wasted: number }
}

/** Which paths each layer adds, changes and deletes, and what of its contents is gone at the end: by sets of paths alone. */
function readLayers(layers: readonly (readonly TarEntry[])[]): Told {
  const deeds = new Map<string, string[]>()
  let visible = new Map<string, { readonly kind: string; readonly content: number; readonly size: number }>()
  const sizes = new Map<number, number>()
  for (const [layer, entries] of layers.entries()) {
    const next = new Map(visible)
    const named = entries.map((entry) => ({
      entry,
      path: entry.name
        .split('/')
        .filter((part) => part !== '' && part !== '.')
        .join('/'),
    }))
    const drop = (path: string, itself: boolean) => {
      for (const at of [...next.keys()])
        if ((itself && at === path) || at.startsWith(path === '' ? '' : `${path}/`)) next.delete(at)
    }
    for (const { path } of named) {
      const slash = path.lastIndexOf('/')
      const [directory, base] = [path.slice(0, Math.max(0, slash)), path.slice(slash + 1)]
      if (base === '.wh..wh..opq') drop(directory, false)
      else if (base.startsWith('.wh.')) drop(directory === '' ? base.slice(4) : `${directory}/${base.slice(4)}`, true)
    }
    const touched = new Set<string>()
    for (const { entry, path } of named) {
      if (path === '' || path.slice(path.lastIndexOf('/') + 1).startsWith('.wh.')) continue
      const kind =
        entry.type === '5' ? 'directory' : entry.type === '0' ? 'file' : entry.type === '1' ? 'link' : 'other'
      if (kind !== 'directory' || (next.get(path)?.kind ?? kind) !== 'directory') drop(path, true)
      touched.add(path)
      if (kind === 'link') {
        const target = entry.linkName.replace(/^\.?\//, '')
        next.set(path, next.get(target) ?? visible.get(target)!)
      } else {
        const content = sizes.size
        sizes.set(content, entry.content.length)
        next.set(path, { kind, content, size: entry.content.length })
      }
      for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
        const above = path.slice(0, at)
        if (next.has(above)) break
        next.set(above, { kind: 'directory', content: -1, size: 0 })
      }
    }
    for (const path of new Set([...visible.keys(), ...next.keys()])) {
      const [was, is] = [visible.get(path), next.get(path)]
      const did = is === undefined ? 'delete' : was === undefined ? 'add' : touched.has(path) ? 'other' : undefined
      if (did === undefined || (did === 'other' && was!.kind === 'directory' && is!.kind === 'directory')) continue
      deeds.set(path, [...(deeds.get(path) ?? []), `${layer} ${did}`])
    }
    visible = next
  }
  const alive = new Set([...visible.values()].map(({ content }) => content))
  const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0)
  const kept = [...sizes].reduce((sum, [content, size]) => (alive.has(content) ? sum + size : sum), 0)
  return { deeds, sums: { bytes, wasted: bytes - kept } }
}

function plainTar(blob: Buffer): Buffer {
  return blob[0] === 0x1f && blob[1] === 0x8b ? gunzipSync(blob) : blob
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
