import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { onTestFinished, test } from 'vitest'
import { diff, packChanges } from '../../src/diff/index.ts'
import { directoryTree } from '../../src/extract/index.ts'
import { packLayer } from '../../src/layer/index.ts'
import { makeNode } from '../../src/sys/nodes.ts'
import { setTimes } from '../../src/sys/times.ts'
import { listXattrs, removeXattr, setXattr } from '../../src/sys/xattr.ts'
import { root } from '../support/ability.ts'
import { bytesIn } from '../support/collect.ts'
import { applyTar } from './apply-tar.ts'
import { expectSame } from './differences.ts'
import { type Able, drawEdits } from './draw.ts'
import { perform } from './edits.ts'
import { exported } from './exported.ts'
import { at, copied, type Inode, inode, namesIn, pathsIn, plainDirectory, split } from './inode.ts'
import { oracleTree } from './oracle-tree.ts'
import { readTar } from './read-tar.ts'
import { RealDisk } from './real-disk.ts'
import { Dice, holds, toss, tosses } from './seed.ts'
import { imported, type Layer, merged, someArrival } from './stack.ts'

const minutes = 60_000
const cases = fc.tuple(toss, tosses({ min: 1, max: 3 }, 12))

/** Whether something can be done in a directory; if not, what is left out is printed. */
function can(what: string, act: () => void): boolean {
  try {
    act()
    return true
  } catch (error) {
    console.log(`${what} left out: ${tmpdir()} does not take it from this user: ${String(error)}`)
    return false
  }
}

function ableIn(directory: string): Able {
  const spaces = ['user', 'trusted', 'security'].filter((space) =>
    can(`attributes of '${space}' are`, () => setXattr(directory, `${space}.probe`, Buffer.from('x'))),
  )
  const node = join(directory, 'probe')
  return {
    owners: root,
    devices: can('devices are', () => makeNode(node, { kind: 'character', mode: 0o600, major: 1, minor: 3 })),
    anything: false,
    // Those of overlayfs mean something where the temporary directory is on it.
    xattr: (name) => spaces.includes(split(name.replace('.', '/'))[0]) && !name.includes('.overlay.'),
  }
}

/** One directory of layers that GNU tar unpacks one over the other; what they remove goes first. */
function unpackWithTar(tar: Buffer, target: string, archive: string): void {
  const remove = (path: string) =>
    fs.rmSync(Buffer.from(`${target}/${path}`, 'latin1'), { recursive: true, force: true })
  const entries = readTar(tar).map((entry) => ({ ...entry, path: entry.name.replace(/^\.\/|\/$/g, '') }))
  for (const { path } of entries) {
    const [directory, name] = split(path)
    const inside = directory === '' ? target : `${target}/${directory}`
    if (name === '.wh..wh..opq') {
      const at = Buffer.from(inside, 'latin1')
      if (!fs.existsSync(at)) continue
      for (const other of fs.readdirSync(at, { encoding: 'latin1' })) remove(`${directory}/${other}`)
    } else if (name.startsWith('.wh.')) remove(`${directory}/${name.slice(4)}`)
  }
  for (const { path, type } of entries) {
    // The marker of the longest name is longer than a name may be.
    if (split(path)[1].startsWith('.wh.')) continue
    const stands = fs.lstatSync(Buffer.from(`${target}/${path}`, 'latin1'), { throwIfNoEntry: false })
    if (!stands?.isDirectory() || type !== '5') remove(path)
    else {
      // It would keep what a directory has that the archive does not mention.
      const directory = `${target}/${path}`
      for (const name of listXattrs(directory)) removeXattr(directory, name)
    }
  }
  fs.writeFileSync(archive, tar)
  const options = ['-x', '-p', '--numeric-owner', '--xattrs', '--xattrs-include=*', '--exclude=.wh.*', '-f', archive]
  execFileSync('tar', [...options, '-C', target], { stdio: ['ignore', 'pipe', 'pipe'] })
}

/** GNU tar leaves new directories the set-group bit that the kernel gives them where their parent has it, or had it. */
function dropInherited(target: string, expected: Inode): void {
  for (const { path, inode } of namesIn(expected)) {
    if (inode.kind !== 'directory' || inode.mode & 0o2000) continue
    const place = Buffer.from(`${target}/${path}`, 'latin1')
    fs.chmodSync(place, fs.statSync(place).mode & 0o5777)
  }
}

test(
  'E-15, E-09, O-07: what is done to a directory of the disk comes out of its export, and GNU tar makes the same of it',
  async () => {
    const place = fs.mkdtempSync(join(tmpdir(), 'ply-properties-'))
    onTestFinished(() => fs.rmSync(place, { recursive: true, force: true }))
    const able = ableIn(place)
    const unpacks = root && can('GNU tar is', () => execFileSync('tar', ['--version'], { stdio: 'ignore' }))
    if (!root) console.log('GNU tar is left out: only root may unpack owners')
    let number = 0
    await holds('random edits of a directory, exported, imported, stacked', 500, cases, async ([how, batches]) => {
      const dice = new Dice(how)
      const times = { nanoseconds: dice.once(2) }
      const directoryTimes = dice.once(2)
      const path = join(place, `${number++}`)
      fs.mkdirSync(path)
      fs.chmodSync(path, 0o755)
      const disk = new RealDisk(path)
      let model = inode({ kind: 'directory', mode: 0o755, uid: process.getuid!(), gid: process.getgid!() })
      let applied: Inode = plainDirectory()
      const layers: Layer[] = []
      for (const batch of batches) {
        model = copied(model)
        const was = pathsIn(model)
        for (const one of batch) {
          for (const edit of drawEdits(new Dice(one), model, was, able)) {
            disk.perform(edit)
            perform(model, edit, 5n)
          }
        }
        disk.setTimes(model)
        const after = directoryTree(path)
        expectSame(after, model)

        const before = await merged(layers, dice)
        const changed = diff(before, after, { ...times, directoryTimes })
        const tar = await bytesIn(packLayer(packChanges(changed, { before, after }, { opaque: dice.once(3) }), times))
        const below = applied
        applied = applyTar(applied, tar)
        const stale = (path: string, time: bigint) => !directoryTimes && time === at(below, path)?.mtime
        expectSame(oracleTree(applied), exported(model, times), stale)
        layers.push(await imported(tar, someArrival(dice), { strict: true }))
        expectSame(await merged(layers, dice), applied)
      }
      if (unpacks && dice.once(10)) {
        const target = `${path}-unpacked`
        fs.mkdirSync(target)
        for (const { tar } of layers) unpackWithTar(tar, target, join(place, 'layer.tar'))
        // Of the root nothing is said if it has not changed.
        const { mode, uid, gid, mtime } = applied
        fs.chownSync(target, uid, gid)
        fs.chmodSync(target, mode)
        setTimes(target, { mtime })
        dropInherited(target, applied)
        expectSame(directoryTree(target), applied)
        fs.rmSync(target, { recursive: true })
      }
      fs.rmSync(path, { recursive: true })
    })
  },
  5 * minutes,
)
