import { type CFunction, koffi } from './libc.ts'

const names =
  process.platform === 'darwin' ? ['libzstd.1.dylib', '/opt/homebrew/lib/libzstd.1.dylib'] : ['libzstd.so.1']

/** What an opened library gives. */
export type SharedLibrary = ReturnType<ReturnType<typeof koffi>['load']>

/** What both directions ask the library. */
export interface ZstdErrors {
  readonly isError: CFunction
  readonly errorName: (result: number | bigint) => string
}

/**
 * Finds functions in the shared library `libzstd` when they are first asked for; `undefined` where there is no koffi, no such library, or one
 * that is too old to have them all.
 */
export function fromLibzstd<T>(functions: (library: SharedLibrary) => T): () => (T & ZstdErrors) | undefined {
  /** `null`: looked for and not found. */
  let found: (T & ZstdErrors) | null | undefined
  return () => (found === undefined ? (found = load(functions) ?? null) : found) ?? undefined
}

function load<T>(functions: (library: SharedLibrary) => T): (T & ZstdErrors) | undefined {
  for (const name of names) {
    try {
      const library = koffi('zstd').load(name)
      return {
        ...functions(library),
        isError: library.func('unsigned int ZSTD_isError(size_t)'),
        errorName: library.func('const char* ZSTD_getErrorName(size_t)') as unknown as ZstdErrors['errorName'],
      }
    } catch {
      // The next name.
    }
  }
  return undefined
}
