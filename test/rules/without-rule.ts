import { relative, resolve, sep } from 'node:path'
import { switchesOf, thrown } from './switch.ts'
import { switches } from './switches/index.ts'

/**
 * A plugin for vite that switches one rule off in every source file that is loaded: the one that PLYFS_WITHOUT_RULE
 * names. Without it nothing is touched.
 */
export function withoutRule(rule: string | undefined) {
  const root = resolve(import.meta.dirname, '../..')
  return {
    name: 'without-rule',
    enforce: 'pre' as const,
    transform(source: string, id: string): string | undefined {
      if (!rule) return undefined
      const file = relative(root, id).split(sep).join('/')
      const own = switchesOf(switches, rule).filter((one) => one.file === file)
      return own.length === 0 ? undefined : own.reduce(thrown, source)
    },
  }
}
