import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { deflateRaw } from 'node:zlib'
import { packed } from './packing.ts'
import type { Explored } from './table.ts'

/**
 * One HTML page that shows what was explored: it holds everything, and asks no network for anything. What comes out of an image stands in
 * it as base64 alone, and in its title.
 */
export async function explorerPage(explored: Explored): Promise<string> {
  const data = await promisify(deflateRaw)(packed(explored), { level: 6 })
  const names = [explored.before, explored.after].flatMap((one) => (one === undefined ? [] : [one.name]))
  const parts = template().split(/\{\{(title|explored)\}\}/)
  return parts
    .map((part, index) => {
      if (index % 2 === 0) return part
      return part === 'title' ? escaped(names.join(' → ')) : data.toString('base64')
    })
    .join('')
}

/** Beside the bundle that this is in; where the modules are run by themselves, in the bundle's place. */
function template(): string {
  for (const place of ['./explorer.html', '../../dist/explorer.html']) {
    try {
      return readFileSync(new URL(place, import.meta.url), 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  throw new Error('the page of the explorer is not built: npm run build')
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
