import type { IndexState } from '../store/mounts/ground.ts'
import { mountGround } from '../store/mounts/ground.ts'
import type { RecordedMount, Via } from '../store/mounts/mount-record.ts'
import type { Store } from '../store/store.ts'
import { missingNative } from '../sys/libc.ts'
import { type Abilities, type Ability, abilities } from './abilities.ts'
import { type Plannable, waysOf } from './plan.ts'

/** What this machine, this user and a store can do, why not, and how to get more. */
export interface Diagnosis {
  readonly root: string
  /** Of `process.versions.node`. */
  readonly node: string
  /** Whether the system calls are there that Node has none for: without, images are read, and stores live in memory. */
  readonly native: Ability
  /** Ways to mount, of the store's images and of its new containers. */
  readonly ways: Readonly<Record<'image' | 'container', Readonly<Record<Via, Ability>>>>
  readonly abilities: Abilities
  /**
   * Whether `index.json`, which other tools read, has all names: very many are written there by a collection only; `behind` until then.
   */
  readonly index: IndexState
  readonly mounts: readonly RecordedMount[]
}

const noUppers: Ability = {
  able: false,
  why: 'the disk that the store lies on takes no xattrs or device nodes of overlayfs',
  more: 'a store on another disk',
}

function nativeAbility(): Ability {
  const why = missingNative()
  if (why === undefined) return { able: true }
  const more = `npm installs it (@koromix/koffi-${process.platform}-${process.arch}) unless told to omit what is optional`
  return { able: false, why, more }
}

/** Asks the machine what it can do with a store. Nothing is mounted where anybody sees it, and nothing is changed. */
export async function diagnose(store: Store): Promise<Diagnosis> {
  const ground = store[mountGround]
  const { root } = ground.layout
  const asked = abilities({ store: root })
  const works = !asked.uppers.able || ground.takesOverlay()
  const able = works ? asked : { ...asked, uppers: noUppers }
  const form = able.uppers.able ? 'overlay' : 'portable'
  const image: Plannable = { subject: { kind: 'image', name: undefined }, upper: undefined, frozen: [] }
  const container: Plannable = {
    subject: { kind: 'container', name: 'NAME' },
    upper: { id: '', form, upperDir: '', workDir: '', blocks: false },
    frozen: [],
  }
  const native = nativeAbility()
  const ways = (subject: Plannable) => {
    const planned = waysOf(subject, {}, able)
    // Whichever it is, it locks, and notes what it mounted.
    return native.able ? planned : { kernel: native, fuse: native, extract: native }
  }
  return {
    root,
    node: process.versions.node,
    native,
    ways: { image: ways(image), container: ways(container) },
    abilities: able,
    index: ground.index(),
    mounts: store.mounts.list(),
  }
}
