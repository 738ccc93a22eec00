// What the demonstration stands on: an image made from this machine's own files with GNU tar, and GNU tar as the judge.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const project = fileURLToPath(new URL('..', import.meta.url))
const steady = [
  '--sort=name',
  '--numeric-owner',
  '--owner=0',
  '--group=0',
  '--mtime=@1700000000',
  '--format=pax',
  '--pax-option=delete=atime,delete=ctime,exthdr.name=%d/PaxHeaders/%f',
]
const digest = (bytes) => createHash('sha256').update(bytes).digest('hex')

/** Makes a docker-archive of three layers in `work`: Node with its libraries, node_modules, an application with a whiteout. */
export async function demoImage(work) {
  const stage = join(work, 'stage')
  const [runtime, application] = ['runtime', 'application'].map((name) => join(stage, name))
  const put = (root, path, from) => {
    mkdirSync(join(root, dirname(path)), { recursive: true })
    copyFileSync(from, join(root, path))
  }
  put(runtime, 'usr/bin/node', process.execPath)
  execFileSync('chmod', ['755', join(runtime, 'usr/bin/node')])
  symlinkSync('usr/bin', join(runtime, 'bin'))
  for (const [, library] of execFileSync('ldd', [process.execPath])
    .toString()
    .matchAll(/(?:=> )?(\/\S+) \(0x/g))
    put(runtime, library.slice(1), library)
  const npm = join(dirname(process.execPath), '../lib/node_modules/npm')
  if (existsSync(npm)) {
    mkdirSync(join(runtime, 'usr/lib/node_modules'), { recursive: true })
    execFileSync('cp', ['-a', npm, join(runtime, 'usr/lib/node_modules/npm')])
  }
  for (const file of ['/etc/os-release', '/etc/passwd', '/etc/group'])
    if (existsSync(file)) put(runtime, file.slice(1), file)
  mkdirSync(join(application, 'app'), { recursive: true })
  writeFileSync(join(application, 'app/main.mjs'), "import { openStore } from 'plyfs'\nconsole.log(typeof openStore)\n")
  writeFileSync(join(application, 'etc-motd'), 'made by the demonstration\n')
  // A whiteout: the second layer's own lock file is not part of the image.
  mkdirSync(join(application, 'app/node_modules'), { recursive: true })
  writeFileSync(join(application, 'app/node_modules/.wh..package-lock.json'), '')

  const layers = ['1.tar', '2.tar', '3.tar'].map((name) => join(work, name))
  execFileSync('tar', ['-c', ...steady, '-f', layers[0], '-C', runtime, '.'])
  execFileSync('tar', [
    '-c',
    ...steady,
    '--transform=flags=rh;s,^,app/,',
    '-f',
    layers[1],
    '-C',
    project,
    'node_modules',
  ])
  execFileSync('tar', ['-c', ...steady, '-f', layers[2], '-C', application, '.'])
  rmSync(stage, { recursive: true })

  const diffIds = layers.map((file) => digest(readFileSync(file)))
  const config = JSON.stringify({
    created: '2023-11-14T22:13:20Z',
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Env: ['PATH=/usr/bin'], Cmd: ['node', '/app/main.mjs'], WorkingDir: '/app' },
    rootfs: { type: 'layers', diff_ids: diffIds.map((hex) => `sha256:${hex}`) },
    history: ['runtime', 'node_modules', 'application'].map((what) => ({
      created: '2023-11-14T22:13:20Z',
      created_by: `demo: ${what}`,
    })),
  })
  const archive = join(work, 'archive')
  mkdirSync(archive)
  writeFileSync(join(archive, `${digest(config)}.json`), config)
  for (const [i, file] of layers.entries()) renameSync(file, join(archive, `${diffIds[i]}.tar`))
  const manifest = [
    { Config: `${digest(config)}.json`, RepoTags: ['demo:base'], Layers: diffIds.map((hex) => `${hex}.tar`) },
  ]
  writeFileSync(join(archive, 'manifest.json'), JSON.stringify(manifest))
  const file = join(work, 'demo.tar')
  execFileSync('tar', ['-c', '--format=ustar', '-f', file, '-C', archive, ...readdirSync(archive)])
  rmSync(archive, { recursive: true })
  return file
}

/** The layers of an image archive as files, base first, unpacked with GNU tar alone. */
export function layersOf(archive, directory) {
  if (!existsSync(directory)) {
    mkdirSync(directory)
    execFileSync('tar', ['-x', '-f', archive, '-C', directory])
  }
  const json = (name) => JSON.parse(readFileSync(join(directory, name), 'utf8'))
  if (existsSync(join(directory, 'manifest.json'))) {
    return { kind: 'docker-archive', layers: json('manifest.json')[0].Layers.map((name) => join(directory, name)) }
  }
  const blob = ({ digest: name }) => join('blobs', ...name.split(':'))
  let descriptor = json('index.json').manifests[0]
  while (json(blob(descriptor)).manifests) descriptor = json(blob(descriptor)).manifests[0]
  return { kind: 'oci-archive', layers: json(blob(descriptor)).layers.map((layer) => join(directory, blob(layer))) }
}

/** Unpacks layers one over the other into a directory: whiteouts by `rm`, the rest by GNU tar. */
export function applyLayers(layers, target) {
  for (const layer of layers) {
    const listing = execFileSync('tar', ['-tf', layer, '--quoting-style=literal'], { maxBuffer: 1 << 30 })
    for (const name of listing.toString('latin1').split('\n')) {
      const at = name.lastIndexOf('/') + 1
      const [directory, base] = [join(target, name.slice(0, at)), name.slice(at)]
      if (base === '.wh..wh..opq') {
        if (existsSync(directory)) execFileSync('find', [directory, '-mindepth', '1', '-delete'])
      } else if (base.startsWith('.wh.')) {
        rmSync(Buffer.from(join(directory, base.slice(4)), 'latin1'), { recursive: true, force: true })
      }
    }
    untar(layer, target, '--exclude=.wh.*')
  }
}

/** Unpacks a tar with GNU tar. Devices and foreign owners need root: without it tar complains, and does the rest. */
export function untar(file, target, ...options) {
  const asRoot = process.getuid?.() === 0
  const command = ['-x', '-p', '--numeric-owner', '--warning=no-timestamp', ...options, '-f', file, '-C', target]
  const { status } = spawnSync('tar', command, { stdio: ['ignore', 'inherit', asRoot ? 'inherit' : 'ignore'] })
  if (status !== 0 && (asRoot || status !== 2)) throw new Error(`tar could not unpack ${file}: exit ${status}`)
}
