import { readFileSync } from 'node:fs'
import type { IdRange } from '../model/id-mapping.ts'

const sysAdmin = 21n

/** Whether this process has CAP_SYS_ADMIN in its user namespace: without it `mount(2)` is closed. Asked of `/proc`; false without one. */
export function mayMount(): boolean {
  try {
    const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]
    return effective !== undefined && ((BigInt(`0x${effective}`) >> sysAdmin) & 1n) === 1n
  } catch {
    return false
  }
}

/** Which numbers of users or groups this process's user namespace has, as it numbers them; `undefined` where it has all of them. */
export function namespaceIds(which: 'uid' | 'gid'): readonly IdRange[] | undefined {
  const ranges: IdRange[] = []
  let text: string
  try {
    text = readFileSync(`/proc/self/${which}_map`, 'latin1')
  } catch {
    return undefined
  }
  for (const line of text.split('\n')) {
    const [first, , count] = line.trim().split(/\s+/).map(Number)
    if (first === undefined || count === undefined) continue
    if (first === 0 && count >= 0xffffffff) return undefined
    ranges.push({ from: first, to: first, count })
  }
  return ranges
}
