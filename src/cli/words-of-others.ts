/** What people type who come from another tool (docs/equivalents.md), and how it is said here. */
export const wordsOfOthers: ReadonlyMap<string, string> = new Map([
  ['bud', 'ply build'],
  ['delete', 'ply rmi NAME'],
  ['exec', 'ply run CONTAINER COMMAND'],
  ['from', 'ply create IMAGE'],
  ['list', 'ply images'],
  ['manifest', 'ply index --help'],
  ['mutate', 'ply config IMAGE'],
  ['prune', 'ply gc'],
  ['pull', 'ply copy docker://HOST/NAME:TAG NAME:TAG'],
  ['push', 'ply copy NAME:TAG docker://HOST/NAME:TAG'],
  ['unpack', 'ply mount IMAGE DIR --via extract'],
])
