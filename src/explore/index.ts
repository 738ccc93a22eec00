/**
 * An image as it can be looked at: what stands where, which layer put it there, what is held in vain, what differs from another one; as a
 * value, as a page for a browser, and on a terminal.
 */
export { type Explorable, explore } from './explored.ts'
export { explorerPage } from './page.ts'
export { type Served, servePage } from './serve.ts'
export type { Difference, Exploration, Explored, FileTable, LayerFacts } from './table.ts'
export { exploreInTerminal, type Terminal } from './terminal/terminal.ts'
