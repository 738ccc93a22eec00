import { readdirSync } from 'node:fs'

/**
 * Which tests have to notice a mutant of a folder: the folder's own. One that only the tests of what stands on top would notice counts
 * as one that nobody noticed.
 */
export const folders = { tar: ['tar'], layer: ['layer'], stack: ['stack'], union: ['union'] }

/** What takes long, and would be run thousands of times; what is timed; what needs privileges or other programs. */
const leftOut = {
  files: ['tar/gnu-tar.test.ts', 'union/permissions.test.ts', 'union/deep.test.ts'],
  names: [
    'a layer that expands too much is refused while it expands',
    'whole records are found behind anything',
    'names are found from numbers without reading a large directory again',
    'a million runs take 24 bytes each',
    'a map of a hundred thousand runs is read',
    'says what reading all of it says, of generated archives',
    'an extended header larger than a chunk fits all the same',
    'memory does not grow with the size of files',
    'a table grows with its entries',
    'a stack of 300 layers folds',
    'a thousand lowers',
    'ten thousand of one owner',
    'hostile layers are refused with a PlyError, or have an index',
    'within 100 ms',
    'archives of GNU tar',
    'other readers agree',
    'Linux mounts a folded tree',
    'Linux reads sparse files through a mount',
  ],
}

/** The files of tests for a folder, from the root of the project. */
export function testFilesOf(folder) {
  const files = folders[folder].flatMap((place) =>
    place.endsWith('.ts')
      ? [place]
      : readdirSync(`test/${place}`, { recursive: true }).map((name) => `${place}/${name}`),
  )
  return files
    .filter((file) => file.endsWith('.test.ts') && !leftOut.files.includes(file))
    .map((file) => `test/${file}`)
    .sort()
}

export const isLeftOut = (name) => leftOut.names.some((part) => name.includes(part))
