// Everything that an image in an archive shows, listed by the library, nothing stored: archive-listing.mjs REFERENCE unverified|verified [1]
//
// Prints what the first listing took, and the medians of some after it unless there is to be one alone, in milliseconds.
import { openTree, walkTree } from '../../dist/index.js'
import { measured } from './cpu.mjs'

const [reference, how, once] = process.argv.slice(2)
const listing = async () => {
  const tree = await openTree(reference, { contents: [], verify: how !== 'unverified' })
  let [entries, bytes] = [0, 0]
  for (const { ino } of walkTree(tree)) {
    entries++
    bytes += tree.stat(ino).size
  }
  tree.close()
  return { entries, bytes }
}
console.log(JSON.stringify(await measured(listing, once ? 0 : how === 'unverified' ? 11 : 2)))
