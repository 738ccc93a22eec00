import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { type OverlayUpperOptions, openOverlayUpper } from '../../src/overlay/overlay-upper.ts'
import { openPortableUpper } from '../../src/overlay/portable-upper.ts'
import type { Disk } from '../../src/sys/disk.ts'
import type { Upper } from '../../src/union/upper.ts'
import { upperContract } from '../union/upper-contract.ts'
import { whyNoOverlay, whyNoRootless } from './able.ts'
import { inMemory, onDisk } from './disks.ts'

const parent = mkdtempSync(join(tmpdir(), 'plyfs-upper-contract-'))
afterAll(() => rmSync(parent, { recursive: true, force: true }))

let made = 0

/** Opening again needs to know where an upper was: nothing in the interface says it. */
function reopening<Place>(open: (place: Place) => Upper, place: () => Place) {
  const places = new WeakMap<Upper, Place>()
  const remember = (at: Place): Upper => {
    const upper = open(at)
    places.set(upper, at)
    return upper
  }
  return {
    create: () => remember(place()),
    reopen: (upper: Upper) => {
      upper.close()
      return remember(places.get(upper)!)
    },
  }
}

interface Place {
  readonly disk: Disk
  readonly root: string
}

const portable = reopening<Place>(openPortableUpper, () => ({ disk: onDisk(), root: join(parent, String(made++)) }))
upperContract('the portable form on a disk', portable.create, { reopen: portable.reopen })

const memory = reopening<Place>(openPortableUpper, () => ({ disk: inMemory(), root: `/contract/${made++}` }))
upperContract('the portable form in memory', memory.create, { reopen: memory.reopen })

const reasons = { trusted: whyNoOverlay(), user: whyNoRootless() }

for (const xattr of ['trusted', 'user'] as const) {
  const reason = reasons[xattr]
  if (reason !== undefined) {
    console.log(`overlayfs's form in ${xattr}.*: skipped, ${reason}`)
    continue
  }
  for (const metacopy of [false, true]) {
    const overlay = reopening<OverlayUpperOptions>(openOverlayUpper, () => {
      const root = join(parent, String(made++))
      for (const name of ['upper', 'work']) mkdirSync(join(root, name), { recursive: true })
      return { upperDir: join(root, 'upper'), workDir: join(root, 'work'), xattr, metacopy }
    })
    const name = `overlayfs's form in ${xattr}.*${metacopy ? ' with copies of attributes alone' : ''}`
    upperContract(name, overlay.create, { reopen: overlay.reopen })
  }
}
