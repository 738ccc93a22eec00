// Draws CPU profiles of Node as flame graphs: bench/profiles/*.svg.
//
//   node bench/flame.mjs [--dir IMAGES] [import] [fold] [lookup] [fuse-read] [fuse-first-write] [fuse-create]
//
// After `npm run build`; needs the image distro, and those of FUSE need root.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { dir: { type: 'string', default: process.env.PLY_BENCH_DIR ?? join(tmpdir(), 'ply-bench') } },
})
const project = resolve(import.meta.dirname, '..')
const images = resolve(values.dir)
const work = mkdtempSync(join(tmpdir(), 'plyfs-flame-'))

/** What is profiled, by name: a title, and the words after `node`. */
const subjects = {
  import: {
    title: 'ply load oci:distro: 1.1 GB in 4 layers, gzip; all threads',
    words: ['bin/ply.js', 'load', `oci:${images}/distro/oci:latest`, '-q', '--root', join(work, 'store')],
  },
  fold: {
    title: 'Import and fold of layers with 200,000 entries',
    words: ['--expose-gc', 'bench/inside/many-entries.mjs', '200000', work],
  },
  lookup: {
    title: 'Lookups and walks in a tree of 120 layers',
    words: ['--expose-gc', 'bench/inside/lookup.mjs', '120', work],
  },
  'fuse-read': served('sequential read', 'The FUSE server while 256 MiB of a layer are read that nobody has read yet'),
  'fuse-first-write': served('first write to a lower file', 'The FUSE server while 2000 lower files are written'),
  'fuse-create': served('create', 'The FUSE server while 20,000 files are made', 20_000),
}

/** The server alone is profiled: it gets its options from fuse.mjs. */
function served(what, title, size = 2000) {
  return { title, words: ['bench/inside/fuse.mjs', images, work, '1', String(size), 'overlay', what], inside: true }
}

try {
  mkdirSync(join(project, 'bench/profiles'), { recursive: true })
  for (const name of positionals.length > 0 ? positionals : Object.keys(subjects)) {
    const { title, words, inside = false } = subjects[name]
    const profiles = join(work, `profiles-${name}`)
    const options = ['--cpu-prof', `--cpu-prof-dir=${profiles}`, '--cpu-prof-interval=500']
    execFileSync(process.execPath, inside ? words : [...options, ...words], {
      cwd: project,
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, ...(inside && { PLY_BENCH_NODE: options.join(' ') }) },
    })
    const whole = newFrame('all')
    for (const file of readdirSync(profiles)) add(whole, JSON.parse(readFileSync(join(profiles, file), 'utf8')))
    writeFileSync(join(project, `bench/profiles/${name}.svg`), drawn(whole, title))
  }
} finally {
  rmSync(work, { recursive: true, force: true })
}

function newFrame(name) {
  return { name, micros: 0, below: new Map() }
}

/** Adds the samples of one thread. What Node does while nothing runs is left out. */
function add(whole, { nodes, samples, timeDeltas }) {
  const parents = new Map()
  const byId = new Map(nodes.map((node) => [node.id, node]))
  for (const node of nodes) for (const child of node.children ?? []) parents.set(child, node.id)
  for (const [i, id] of samples.entries()) {
    const stack = []
    for (let at = id; at !== undefined; at = parents.get(at)) stack.push(nameOf(byId.get(at).callFrame))
    if (stack[0] === '(idle)' || stack[0] === '(program)') continue
    let frame = whole
    frame.micros += timeDeltas[i]
    for (const name of stack.toReversed().slice(1)) {
      if (!frame.below.has(name)) frame.below.set(name, newFrame(name))
      frame = frame.below.get(name)
      frame.micros += timeDeltas[i]
    }
  }
}

function nameOf({ functionName, url, lineNumber }) {
  const file = url.split('/').slice(-1)[0]
  const place = url === '' ? '' : url.startsWith('node:') ? ` ${url}` : ` ${file}:${lineNumber + 1}`
  return `${functionName || '(anonymous)'}${place}`
}

function drawn(whole, title) {
  const width = 1600
  const row = 17
  const rectangles = []
  let depth = 0
  const draw = (frame, x, level) => {
    const size = (frame.micros / whole.micros) * width
    if (size < 1) return
    depth = Math.max(depth, level)
    rectangles.push({ frame, x, level, size })
    let at = x
    for (const below of [...frame.below.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      draw(below, at, level + 1)
      at += (below.micros / whole.micros) * width
    }
  }
  draw(whole, 0, 0)
  const height = (depth + 1) * row + 30
  const lines = rectangles.map(({ frame, x, level, size }) => {
    const y = height - (level + 1) * row
    const percent = ((frame.micros / whole.micros) * 100).toFixed(1)
    const text = escaped(frame.name)
    const fits = Math.floor(size / 6.6)
    const label =
      fits < 3 ? '' : `<text x="${(x + 2).toFixed(1)}" y="${y + 12}">${escaped(frame.name.slice(0, fits))}</text>`
    return `<g><title>${text}: ${(frame.micros / 1000).toFixed(0)} ms, ${percent} %</title><rect x="${x.toFixed(1)}" y="${y}" width="${size.toFixed(1)}" height="${row - 1}" fill="${colour(frame.name)}"/>${label}</g>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="monospace" font-size="11">
<text x="4" y="16" font-size="13">${escaped(title)}; ${(whole.micros / 1e6).toFixed(2)} s of JavaScript and what it calls</text>
${lines.join('\n')}
</svg>
`
}

/** Ours warm, Node's and what is native cool. */
function colour(name) {
  let hash = 0
  for (const letter of name) hash = (hash * 31 + letter.charCodeAt(0)) % 997
  const own = /\.m?js:\d+$/.test(name) && !name.includes('node:')
  return own
    ? `hsl(${20 + (hash % 30)} 80% ${60 + (hash % 15)}%)`
    : `hsl(${190 + (hash % 40)} 45% ${70 + (hash % 12)}%)`
}

function escaped(text) {
  return text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`)
}
