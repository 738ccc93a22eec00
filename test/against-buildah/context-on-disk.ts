import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Files } from '../build/table/case.ts'

/** Lays the files of a case down in a directory, which is made. */
export function layDown(files: Files, directory: string): void {
  mkdirSync(directory, { recursive: true })
  chmodSync(directory, 0o755)
  const late: (() => void)[] = []
  for (const [name, entry] of Object.entries(files)) {
    const path = join(directory, name)
    makeWay(dirname(path), directory)
    if (typeof entry === 'string' || entry instanceof Uint8Array) {
      writeFileSync(path, entry)
      chmodSync(path, 0o644)
      continue
    }
    if ('hardlink' in entry) {
      late.unshift(() => linkSync(join(directory, entry.hardlink), path))
      continue
    }
    if ('whiteout' in entry) continue
    const { mode, uid = 0, gid = 0 } = entry
    if ('content' in entry) writeFileSync(path, entry.content)
    else if ('directory' in entry) makeWay(path, directory)
    else if ('symlink' in entry) {
      symlinkSync(entry.symlink, path)
      continue
    } else if (entry.kind === 'fifo') execFileSync('mkfifo', [path])
    else continue
    const usual = 'directory' in entry ? 0o755 : 0o644
    late.push(() => {
      chownSync(path, uid, gid)
      chmodSync(path, mode ?? usual)
    })
  }
  for (const act of late) act()
}

function makeWay(path: string, root: string): void {
  for (let made = mkdirSync(path, { recursive: true }); made !== undefined && path.startsWith(root); ) {
    chmodSync(path, 0o755)
    if (path === made) return
    path = dirname(path)
  }
}
