/** A member of an archive as it stands there, right or wrong. */
export interface RawMember {
  readonly name: string | Uint8Array
  /** `0` a file, `1` a hard link, `2` a symlink, `3` a character device, `4` a block device, `5` a directory, `6` a fifo. */
  readonly type?: string
  readonly content?: string | Uint8Array
  readonly link?: string
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  readonly major?: number
  readonly minor?: number
  /** What the header says, where that is not the size of the content. */
  readonly size?: number
}

/** A tar of members exactly as they are said, with the two empty blocks at its end: nothing is checked, sorted or added. */
export function rawTar(members: readonly RawMember[]): Buffer {
  return Buffer.concat([...members.flatMap(blocksOf), Buffer.alloc(1024)])
}

/** A record of PAX, as the member that stands in front of the one that it is of. */
export function paxRecord(fields: Readonly<Record<string, string>>): RawMember {
  const lines = Object.entries(fields).map(([key, value]) => {
    const rest = ` ${key}=${value}\n`
    let length = Buffer.byteLength(rest) + 1
    while (length !== String(length).length + Buffer.byteLength(rest)) length++
    return `${length}${rest}`
  })
  return { name: 'PaxHeader', type: 'x', content: lines.join('') }
}

function blocksOf(member: RawMember): Buffer[] {
  const { name, type = '0', content = '', link = '', mode = type === '5' ? 0o755 : 0o644 } = member
  const { uid = 0, gid = 0, major = 0, minor = 0 } = member
  const bytes = Buffer.from(content)
  const header = Buffer.alloc(512)
  Buffer.from(name).copy(header, 0, 0, 100)
  const octal = (value: number, at: number, length: number) =>
    header.write(value.toString(8).padStart(length - 1, '0'), at, 'latin1')
  octal(mode, 100, 8)
  octal(uid, 108, 8)
  octal(gid, 116, 8)
  octal(member.size ?? bytes.length, 124, 12)
  octal(0, 136, 12)
  header.write('        ', 148, 'latin1')
  header.write(type, 156, 'latin1')
  header.write(link, 157, 100)
  header.write('ustar\x0000', 257, 'latin1')
  octal(major, 329, 8)
  octal(minor, 337, 8)
  octal(
    header.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  )
  header[155] = 0x20
  return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]
}
