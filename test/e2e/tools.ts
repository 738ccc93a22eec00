import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { inject, test } from 'vitest'

export const root = process.getuid?.() === 0

/** The image under test. */
export const image = () => inject('image')

/** 120 layers with `expected.json`. */
export const deep = () => inject('deep')

/** A test that needs root, the image and some programs. What is missing is said, and never happens on CI. */
export const realTest: typeof test.skip = ((name: string, act: () => Promise<void>) => {
  const why = !root ? 'needs root' : inject('whyNoImage')
  if (why !== '') {
    if (process.env.CI) throw new Error(`${name}: cannot run on CI: ${why}`)
    console.log(`skipped: ${name}: ${why}`)
    return test.skip(name, act)
  }
  return test(name, act)
}) as typeof test.skip

/** Runs a program and answers what it printed. @throws with everything it said, if it fails */
export function run(program: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { maxBuffer: 1 << 28 })
  if (error || status !== 0)
    throw new Error(`${program} ${args.join(' ')}: ${error ?? `exit ${status}`}\n${stderr}\n${stdout}`)
  return stdout.toString()
}

/** The layers of an OCI layout as files, base first. */
export function layersOf(layout: string): string[] {
  const json = (path: string) => JSON.parse(readFileSync(path, 'utf8'))
  const blob = (digest: string) => join(layout, 'blobs', ...digest.split(':'))
  const manifest = json(blob(json(join(layout, 'index.json')).manifests[0].digest))
  return manifest.layers.map((layer: { digest: string }) => blob(layer.digest))
}

/** Unpacks layers with GNU tar, one over the other; whiteouts by rm. The plainest oracle there is. */
export function applyWithTar(layers: readonly string[], target: string): void {
  for (const layer of layers) {
    const names = execFileSync('tar', ['-tf', layer, '--quoting-style=literal'], { maxBuffer: 1 << 30 }).toString(
      'latin1',
    )
    for (const name of names.split('\n')) {
      const at = name.lastIndexOf('/') + 1
      const base = name.slice(at)
      if (!base.startsWith('.wh.')) continue
      const directory = join(target, name.slice(0, at))
      if (base === '.wh..wh..opq') {
        if (existsSync(directory)) run('find', directory, '-mindepth', '1', '-delete')
      } else rmSync(Buffer.from(join(directory, base.slice(4)), 'latin1'), { recursive: true, force: true })
    }
    run(
      'tar',
      '-x',
      '-p',
      '--numeric-owner',
      '--xattrs',
      '--xattrs-include=*',
      '--exclude=.wh.*',
      '-f',
      layer,
      '-C',
      target,
    )
  }
}

/** podman with a storage of its own, on any host (hybrid cgroups too). */
export function podman(storage: string, ...args: string[]): string {
  return run('podman', ...storageOf(storage), '--runtime', 'runc', '--cgroup-manager', 'cgroupfs', ...args)
}

export function buildah(storage: string, ...args: string[]): string {
  return run('buildah', ...storageOf(storage), ...args)
}

function storageOf(storage: string): string[] {
  return ['--root', join(storage, 'root'), '--runroot', join(storage, 'run'), '--storage-driver', 'vfs']
}
