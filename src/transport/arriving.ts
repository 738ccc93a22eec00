import { setMaxListeners } from 'node:events'
import type { Operation } from '../model/operation.ts'

/** Something that may have to be brought here first. */
interface Distant<T> {
  readonly fetched?: ((operation?: Operation) => Promise<T>) | undefined
}

/**
 * The same things in their order, each once it is here; all of those that are elsewhere are on their way at once. Whoever stops
 * reading stops them.
 */
export async function* arriving<T extends Distant<T>>(
  items: readonly T[],
  { signal, onProgress }: Operation,
): AsyncGenerator<T, void, undefined> {
  const stopped = new AbortController()
  const reaching = signal === undefined ? stopped.signal : AbortSignal.any([signal, stopped.signal])
  // An image has hundreds of layers, and each listens.
  setMaxListeners(0, reaching)
  const coming = items.map((item) => item.fetched?.({ signal: reaching, onProgress }))
  // One may fail before its turn.
  for (const one of coming) one?.catch(() => {})
  try {
    for (const [i, item] of items.entries()) yield await (coming[i] ?? item)
  } finally {
    stopped.abort()
  }
}
