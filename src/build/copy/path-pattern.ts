import type { ByteString } from '../../model/bytes.ts'

/**
 * One name against one component of a pattern as Go's `path.Match` reads it: `*` `?` `[a-z]` `[^a]`, a backslash in front of what is
 * meant as it is. @throws Error for a pattern that is none
 */
export function nameMatcher(pattern: ByteString): (name: ByteString) => boolean {
  if (!isPattern(pattern)) return (name) => name === pattern
  const expression = new RegExp(`^${source(pattern)}$`, 's')
  return (name) => expression.test(name)
}

/** Whether a component means more than one name, or another than it spells. */
export function isPattern(component: ByteString): boolean {
  return /[*?[\\]/.test(component)
}

function source(pattern: string): string {
  let made = ''
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!
    if (character === '*') made += '[^/]*'
    else if (character === '?') made += '[^/]'
    else if (character === '[') {
      const set = /^\[(\^?)((?:\\.|[^\]\\])+)\]/s.exec(pattern.slice(at))
      if (set === null) throw new Error(`${pattern}: a bracket is not closed`)
      made += `[${set[1]}${set[2]!.replace(/[[^]/g, '\\$&')}]`
      at += set[0].length - 1
    } else if (character === '\\') {
      if (++at === pattern.length) throw new Error(`${pattern}: the backslash at the end escapes nothing`)
      made += literal(pattern[at]!)
    } else made += literal(character)
  }
  return made
}

function literal(character: string): string {
  return /[\\^$.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character
}
