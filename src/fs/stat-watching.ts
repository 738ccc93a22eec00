import { EventEmitter } from 'node:events'
import { codeOf } from '../model/errors.ts'
import type { Namespace } from './namespace.ts'
import { type BigIntStats, noStats, type Stats, statsOf } from './stats.ts'
import { type PathLike, pathBytes } from './texts.ts'
import { checkFunction, checkUint32 } from './validation.ts'

export interface WatchFileOptions {
  readonly bigint?: boolean | undefined
  /** Whether the process lives as long as somebody watches. Default: true. */
  readonly persistent?: boolean | undefined
  /** How often is looked, in milliseconds. Default: 5007. */
  readonly interval?: number | undefined
}

export type StatListener = (current: Stats | BigIntStats, previous: Stats | BigIntStats) => void

/** What makes a file another than it was, for those who watch it by looking. */
const told = ['ctimeMs', 'mtimeMs', 'size', 'mode', 'uid', 'gid', 'ino', 'nlink'] as const

/** What `fs.watchFile` answers: emits `change` with what is and what was. */
export class StatWatcher extends EventEmitter {
  readonly #look: () => Stats | BigIntStats
  readonly #timer: ReturnType<typeof setInterval>
  #last: Stats | BigIntStats

  constructor(look: () => Stats | BigIntStats, interval: number, persistent: boolean) {
    super()
    this.#look = look
    this.#last = look()
    this.#timer = setInterval(() => this.#compare(), interval)
    if (!persistent) this.#timer.unref()
    // What is not there is told once, with zeros.
    if (Number(this.#last.nlink) === 0) process.nextTick(() => this.emit('change', this.#last, this.#last))
  }

  stop(): void {
    clearInterval(this.#timer)
    process.nextTick(() => this.emit('stop'))
  }

  ref(): this {
    this.#timer.ref()
    return this
  }

  unref(): this {
    this.#timer.unref()
    return this
  }

  #compare(): void {
    const previous = this.#last
    const current = this.#look()
    if (told.every((name) => current[name] === previous[name])) return
    this.#last = current
    this.emit('change', current, previous)
  }
}

/** Watching a file by looking at it again and again, as `fs.watchFile` does. */
export function statWatching(namespace: Namespace) {
  const watchers = new Map<string, StatWatcher>()

  function look(path: string, bigint: boolean): Stats | BigIntStats {
    try {
      return statsOf(namespace.stat(path, true), { bigint }) as Stats | BigIntStats
    } catch (error) {
      if (codeOf(error) === undefined) throw error
      return noStats(bigint)
    }
  }

  return {
    watchFile(path: PathLike, options: WatchFileOptions | StatListener, listener?: StatListener): StatWatcher {
      const bytes = pathBytes(path)
      const given = typeof options === 'object' && options !== null ? options : undefined
      const heard = given ? listener : (options as StatListener)
      checkFunction(heard, 'listener')
      const { bigint = false, persistent = true, interval = 5007 } = given ?? {}
      checkUint32(interval, 'interval')
      let watcher = watchers.get(bytes)
      if (!watcher) {
        watcher = new StatWatcher(() => look(bytes, bigint), interval, persistent)
        watchers.set(bytes, watcher)
      }
      watcher.on('change', heard!)
      return watcher
    },

    unwatchFile(path: PathLike, listener?: StatListener): void {
      const bytes = pathBytes(path)
      const watcher = watchers.get(bytes)
      if (!watcher) return
      if (listener) watcher.off('change', listener)
      else watcher.removeAllListeners('change')
      if (watcher.listenerCount('change') > 0) return
      watcher.stop()
      watchers.delete(bytes)
    },
  }
}
