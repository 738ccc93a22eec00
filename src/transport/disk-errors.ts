import { withPath } from '../sys/system-error.ts'

/** Calls the disk; what it answers becomes a `PlyError` with the same errno code and the path. */
export async function onDisk<T>(path: string, act: () => Promise<T> | T): Promise<T> {
  try {
    return await act()
  } catch (error) {
    throw withPath(error, path)
  }
}
