import { long, member, pax, type RawHeader } from '../tar/raw.ts'

/** Short words for the members that layer tests are made of. */
export const file = (name: string, text = '', more: RawHeader = {}) => member({ name, ...more }, text)
export const dir = (name: string, more: RawHeader = {}) => member({ name, type: '5', mode: 0o755, ...more })
export const symlink = (name: string, linkName: string) => member({ name, type: '2', linkName, mode: 0o777 })
export const link = (name: string, linkName: string, more: RawHeader = {}) =>
  member({ name, type: '1', linkName, ...more })
/** A marker: `.wh.` stands before the last component. */
export const gone = (path: string) => file(path.replace(/[^/]*$/, '.wh.$&'))
export const opaque = (path: string) => file(path === '' ? '.wh..wh..opq' : `${path}/.wh..wh..opq`)
/** A member under a name of any length. */
export const named = (name: string, part: Buffer) => Buffer.concat([long('L', name), part])
export const withXattrs = (xattrs: Readonly<Record<string, string>>, part: Buffer) =>
  Buffer.concat([
    pax(Object.fromEntries(Object.entries(xattrs).map(([name, value]) => [`SCHILY.xattr.${name}`, value]))),
    part,
  ])
