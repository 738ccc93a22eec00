import { execFileSync } from 'node:child_process'
import { mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { codeOf } from '../../src/model/errors.ts'
import { type Lower, makeLower } from '../overlay/lower.ts'
import { byPath } from './by-path.ts'
import { type Form, makePlace, openUnion, type Place } from './forms.ts'
import { MountedLower } from './overlay-mount.ts'
import type { Scenario } from './scenarios.ts'
import { type State, stateOf, stateOfDirectory } from './state.ts'

/** An upper that the kernel shows as we do: hardlink groups whole, directories moved. */
const kernelOptions = {
  trusted: ',index=on,redirect_dir=on',
  metacopy: ',index=on,redirect_dir=on,metacopy=on',
}

/** Where crashes happen: one lower tree, and as many uppers over it as are asked for. */
export class Ground implements Disposable {
  readonly folder: string
  readonly #uppers: string
  readonly #lower: Lower
  readonly #kernel: MountedLower | undefined
  /** Why the kernel is not asked what it shows; `undefined` if it is. */
  readonly whyNoKernel: string | undefined
  #places = 0

  private constructor(folder: string, uppers: string, lower: Lower) {
    this.folder = folder
    this.#uppers = uppers
    this.#lower = lower
    try {
      this.#kernel = new MountedLower(lower, folder)
    } catch (error) {
      this.whyNoKernel = String(error)
    }
  }

  /** `on`: the directory that the uppers are made in. */
  static async prepare(on = tmpdir()): Promise<Ground> {
    const folder = mkdtempSync(join(tmpdir(), 'plyfs-crash-'))
    const [start, hole, middle, end] = [5000, 300_000, 3000, 9000].map((size) => Buffer.alloc(size))
    const more = new Map([
      ['srv/holes', Buffer.concat([start!.fill('a'), hole!, middle!.fill('b'), end!])],
      ['srv/a/b/c/deep', Buffer.from('deep\n')],
    ])
    const lower = await makeLower(join(folder, 'lower'), more)
    // With holes where it has zeros, as what is copied from it will have them.
    execFileSync('cp', ['--sparse=always', lower.tar, `${lower.tar}.sparse`])
    renameSync(`${lower.tar}.sparse`, lower.tar)
    return new Ground(folder, mkdtempSync(join(on, 'plyfs-crash-uppers-')), lower)
  }

  /** An upper as it is before a scenario; why there is none, if the form cannot store it. */
  furnished(form: Form, scenario: Scenario): Place | string {
    const { index, tar, chainId } = this.#lower
    const place: Place = { form, at: join(this.#uppers, `at-${this.#places++}`), lower: { index, tar, chainId } }
    makePlace(place)
    if (scenario.isFirst) return place
    const view = openUnion(place)
    try {
      // The kernel shows the attributes of the upper's root: it gets those that the lower one has.
      const { mode, uid, gid, mtime } = view.stat(view.root)
      view.setAttributes(view.root, { mode, uid, gid, mtime })
      scenario.before?.(byPath(view))
      return place
    } catch (error) {
      if (codeOf(error) === 'ENOTSUP') return 'ENOTSUP'
      throw error
    } finally {
      view.close()
      scenario.left?.(place)
    }
  }

  /** What the kernel shows of an upper; `undefined` where it is not asked. */
  byKernel({ form, at }: Place): State | undefined {
    if (form !== 'trusted' && form !== 'metacopy') return undefined
    const directories = { upperDir: join(at, 'upper'), workDir: join(at, 'work') }
    return this.#kernel?.with(directories, kernelOptions[form], stateOfDirectory)
  }

  [Symbol.dispose](): void {
    this.#kernel?.[Symbol.dispose]()
    for (const each of [this.folder, this.#uppers]) rmSync(each, { recursive: true, force: true })
  }
}

/** What a union shows that was just opened. */
export function seen(place: Place, readOnly = false): State {
  const view = openUnion(place, readOnly)
  try {
    return stateOf(view)
  } finally {
    view.close()
  }
}
