import type { Upper } from '../../src/union/upper.ts'

/** Everything an upper says, as lines that can be compared: names, numbers, attributes, xattrs and content. */
export function dump(upper: Upper): string[] {
  const lines: string[] = []
  const { root } = upper
  const describe = (path: string, ino: number): void => {
    const { kind, mode, uid, gid, mtime, atime = mtime, size, links, major, minor } = upper.stat(ino)
    const xattrs = [...upper.xattrs(ino)].sort().map(([name, value]) => `${name}=${Buffer.from(value).toString('hex')}`)
    const held = kind === 'file' && upper.hasContent(ino) ? contentOf(upper, ino) : ''
    const target = kind === 'symlink' ? upper.readlink(ino) : ''
    const shown = kind === 'directory' ? 0 : links
    // Listing a directory and reading a symlink move their access times on a disk.
    const accessed = kind === 'file' ? atime : ''
    lines.push(
      [
        path,
        ino,
        kind,
        mode.toString(8),
        uid,
        gid,
        mtime,
        size,
        shown,
        major,
        minor,
        xattrs,
        target,
        held,
        accessed,
      ].join(' '),
    )
  }
  const walk = (path: string, directory: number): void => {
    for (const { name, verdict } of upper.list(directory)) {
      const at = `${path}/${name}`
      if (verdict.says !== 'entry') lines.push(`${at} ${verdict.says}`)
      else {
        describe(at, verdict.ino)
        if (verdict.opaque) lines.push(`${at} opaque`)
        if (verdict.redirect !== undefined) lines.push(`${at} redirect ${verdict.redirect}`)
        if (verdict.directory) walk(at, verdict.ino)
      }
    }
  }
  if (!root.implied) describe('/', root.ino)
  if (root.opaque) lines.push('/ opaque')
  walk('', root.ino)
  return lines
}

function contentOf(upper: Upper, ino: number): string {
  const content = upper.open(ino)
  try {
    const bytes = Buffer.alloc(content.size)
    content.read(bytes, 0)
    return bytes.toString('latin1')
  } finally {
    content.close()
  }
}
