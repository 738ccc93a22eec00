import type { Switches } from '../switch.ts'

/** Section 11: extended attributes. */
export const xattrs: Switches = {
  'X-01': { file: 'src/tar/pax.ts', find: 'const value = decodeBase64(byteString(text))', put: 'const value = text' },
  'X-02': {
    file: 'src/tar/pax.ts',
    find: 'if (other !== undefined && Buffer.compare(other, value) !== 0) {',
    put: 'if (false) {',
  },
  'X-03': { file: 'src/layer/xattr-rules.ts', find: `name === 'security.selinux' ||`, put: '' },
  'X-04': { file: 'src/layer/xattr-rules.ts', find: `name === 'user.rootlesscontainers' ||`, put: '' },
  'X-05': {
    file: 'src/layer/xattr-rules.ts',
    find: 'if (!storable(name)) {',
    put: `if (name.includes('.overlay.')) continue
    if (!storable(name)) {`,
  },
  'X-06': {
    file: 'src/extract/attribute-writer.ts',
    find: `name.startsWith('system.posix_acl_')) return choice === 'all'`,
    put: `name.startsWith('system.posix_acl_')) return true`,
  },
  'X-07': {
    file: 'src/layer/xattr-rules.ts',
    find: 'if (name === capability) checkCapability(value, entry)',
    put: '',
  },
  'X-08': {
    file: 'src/layer/fresh-inode.ts',
    find: 'target: linkName, ...common }',
    put: 'target: linkName, ...common, xattrs: new Map() }',
  },
  'X-09': { file: 'src/layer/xattr-rules.ts', find: 'if (value.length === 0) warn(', put: 'if (false) warn(' },
  'X-10': { file: 'src/extract/report.ts', find: 'if (entry.examples.length < shown) {', put: 'if (true) {' },
  'X-11': { file: 'src/tar/encode.ts', find: 'records.sort((a, b) => compareBytes(a[0], b[0]))', put: '' },
  'X-12': {
    file: 'src/tar/pax.ts',
    find: 'if (key.startsWith(schily)) {',
    put: `if (key === 'SCHILY.acl.access') {
    found.schilyXattrs = withXattr(found.schilyXattrs, 'system.posix_acl_access', bytes, start, end)
  }
  if (key.startsWith(schily)) {`,
  },
}
