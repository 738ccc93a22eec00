import { EventEmitter } from 'node:events'
import type { ByteString } from '../model/bytes.ts'
import type { EventType } from './changes.ts'
import type { Namespace } from './namespace.ts'
import { aborted } from './refusal.ts'
import { type EncodingOption, encoded, type Named, type PathLike, pathBytes, pathText } from './texts.ts'
import { checkBoolean, checkObject, optionsOf } from './validation.ts'

export interface WatchOptions {
  readonly encoding?: BufferEncoding | 'buffer' | undefined
  /** Taken, and without effect: what happens in a union happens in this process, which ends when it has nothing left to do. */
  readonly persistent?: boolean | undefined
  /** Tells of everything under a directory, by its path from there. */
  readonly recursive?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

export interface WatchEvent<Name extends string | Buffer = string> {
  readonly eventType: EventType
  readonly filename: Name
}

type Heard = (event: EventType, filename: string | Buffer) => void

/** What `fs.watch` answers: emits `change` with the kind of event and the name, and `close`. */
export class FSWatcher extends EventEmitter {
  #stop: (() => void) | undefined

  constructor(listen: (heard: Heard) => () => void) {
    super()
    this.#stop = listen((event, filename) => this.#stop && this.emit('change', event, filename))
  }

  close(): void {
    if (!this.#stop) return
    this.#stop()
    this.#stop = undefined
    process.nextTick(() => this.emit('close'))
  }

  /** There is nothing to keep the process for. */
  ref(): this {
    return this
  }

  unref(): this {
    return this
  }
}

/**
 * Calls that wait for changes. Told is what is done through faces of unions over the same upper, by whom ever, after it is done:
 * names that come and go as `rename`, content and attributes as `change`. The same twice in a row is told once.
 */
export function watching(namespace: Namespace) {
  function listen(path: PathLike, { recursive, encoding }: WatchOptions, heard: Heard): () => void {
    const bytes = pathBytes(path)
    if (recursive) checkBoolean(recursive, 'options.recursive')
    try {
      return namespace.call('watch', path, () => {
        const { ino, name } = namespace.at(bytes, true)
        const own = name === '' ? lastName(bytes) : name
        const later = inOrder((event, told) => heard(event, encoded(told, { encoding } as EncodingOption)))
        const isDirectory = namespace.tree.stat(ino).kind === 'directory'
        return namespace.changes.listen(ino, {
          told: (event, entry) => !(recursive && entry !== undefined) && later(event, entry ?? own),
          ...(recursive &&
            isDirectory && {
              anywhere: (event, directory, entry) => {
                const prefix = pathBetween(namespace, ino, directory)
                if (prefix !== undefined) later(event, prefix + entry)
              },
            }),
        })
      })
    } catch (error) {
      throw Object.assign(error as Error, { filename: pathText(path) })
    }
  }

  return {
    watch<Options extends WatchOptions | BufferEncoding | 'buffer' | null | undefined = undefined>(
      path: PathLike,
      options?: Options | ((event: EventType, filename: Named<Options>) => void),
      listener?: (event: EventType, filename: Named<Options>) => void,
    ): FSWatcher {
      const given = optionsOf<WatchOptions>(options)
      const heard = typeof options === 'function' ? options : listener
      const watcher = new FSWatcher((tell) => listen(path, given, tell))
      if (heard) watcher.on('change', heard as Heard)
      const { signal } = given
      if (!signal) return watcher
      const close = () => watcher.close()
      if (signal.aborted) process.nextTick(close)
      else signal.addEventListener('abort', close, { once: true })
      watcher.once('close', () => signal.removeEventListener('abort', close))
      return watcher
    },

    /** Events as they come, until the loop ends or the signal is aborted. What nobody asked for yet waits. */
    async *watchEvents<Options extends WatchOptions | undefined = undefined>(
      path: PathLike,
      options?: Options,
    ): AsyncGenerator<WatchEvent<Named<Options>>, void> {
      if (options !== undefined) checkObject(options, 'options')
      const given = optionsOf<WatchOptions>(options)
      checkBoolean(given.persistent ?? true, 'options.persistent')
      checkBoolean(given.recursive ?? false, 'options.recursive')
      const { signal } = given
      if (signal?.aborted) throw aborted(signal)
      const events: WatchEvent<Named<Options>>[] = []
      let wake = () => {}
      const stop = listen(path, given, (eventType, filename) => {
        events.push({ eventType, filename: filename as Named<Options> })
        wake()
      })
      const onAbort = () => wake()
      signal?.addEventListener('abort', onAbort, { once: true })
      try {
        while (!signal?.aborted) {
          const event = events.shift()
          if (event) yield event
          else
            await new Promise<void>((resolve) => {
              wake = resolve
            })
        }
        throw aborted(signal)
      } finally {
        stop()
        signal?.removeEventListener('abort', onAbort)
      }
    },
  }
}

/** Calls back after the call that caused it, in order, and once for what is the same twice in a row. */
function inOrder(heard: (event: EventType, name: ByteString) => void): (event: EventType, name: ByteString) => void {
  let waiting: { readonly event: EventType; readonly name: ByteString }[] = []
  return (event, name) => {
    const last = waiting.at(-1)
    if (last?.event === event && last.name === name) return
    if (waiting.push({ event, name }) > 1) return
    process.nextTick(() => {
      const told = waiting
      waiting = []
      for (const { event, name } of told) heard(event, name)
    })
  }
}

/** The path from one directory to another under it, with a slash at its end; `undefined` if it is not under it (any more). */
function pathBetween({ tree }: Namespace, from: number, to: number): ByteString | undefined {
  let path = ''
  try {
    for (let at = to; at !== from; ) {
      if (at === tree.root) return undefined
      const above = tree.parent(at)
      const entry = [...tree.list(above)].find(({ ino, kind }) => ino === at && kind === 'directory')
      if (!entry) return undefined
      path = `${entry.name}/${path}`
      at = above
    }
  } catch {
    // Gone, or not to be seen by who watches: nothing to tell them.
    return undefined
  }
  return path
}

function lastName(path: ByteString): ByteString {
  const trimmed = path.replace(/\/+$/, '')
  return trimmed.slice(trimmed.lastIndexOf('/') + 1)
}
