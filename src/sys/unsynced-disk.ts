import type { Disk, Files } from './disk.ts'

/** The same disk, on which nothing waits until what was written is there: a loss of power takes what it takes. */
export function unsynced(disk: Disk): Disk {
  const { promises } = disk.fs
  const open: Files['promises']['open'] = async (...given) => {
    const handle = await promises.open(...given)
    return Object.assign(handle, { sync: nothing, datasync: nothing })
  }
  return {
    ...disk,
    fs: { ...disk.fs, fsyncSync() {}, fdatasyncSync() {}, promises: { ...promises, open } },
    syncDirectory() {},
  }
}

async function nothing(): Promise<void> {}
